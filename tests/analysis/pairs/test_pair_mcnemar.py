"""McNemar's test against scipy's binomial test, and its generalisation over seeds against every choice of signs."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from promptatlas.analysis.pairs.images import WeightedImages
from promptatlas.analysis.pairs.mcnemar import MOST_EXACT, mcnemar


def answers(both: int, only: int, other: int, neither: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """One source and seed (1, 1, N) and the reference (N,): images that both, only the first, only the second, and neither answer right."""
    first = [True] * both + [True] * only + [False] * other + [False] * neither
    return np.array(first)[None, None], np.array([True] * both + [False] * only + [True] * other + [False] * neither)


@pytest.mark.parametrize(("only", "other"), [(0, 0), (1, 0), (5, 5), (9, 2), (40, 61), (0, 12), (150, 199)])
def test_one_seed_is_the_mid_p_of_the_binomial_test(only, other):
    right, reference = answers(10, only, other)
    p = mcnemar(right, reference, np.ones((1, 1), bool), WeightedImages.alike(len(reference)))[0]
    n = only + other
    expected = stats.binomtest(only, n, 0.5).pvalue - (stats.binom.pmf(only, n, 0.5) if only != other else 0) if n else 1.0
    assert p == pytest.approx(expected, rel=1e-9)


def test_many_images_are_normal():
    right, reference = answers(10, 320, 261)
    p = mcnemar(right, reference, np.ones((1, 1), bool), WeightedImages.alike(len(reference)))[0]
    exact = stats.binomtest(320, 581, 0.5).pvalue - stats.binom.pmf(320, 581, 0.5)
    assert MOST_EXACT < 581 and p == pytest.approx(exact, rel=0.01)


@pytest.mark.parametrize("seed", range(4))
def test_several_seeds_count_every_choice_of_signs_of_images(seed):
    rng = np.random.default_rng(seed)
    right, reference = rng.random((1, 3, 11)) < 0.5, rng.random(11) < 0.4
    sums = (right[0].astype(int) - reference.astype(int)).sum(axis=0)
    possible = [abs(int(np.dot(signs, sums))) for signs in product((-1, 1), repeat=len(sums))]
    observed = abs(int(sums.sum()))
    beyond, same = np.mean([one > observed for one in possible]), np.mean([one == observed for one in possible])
    expected = beyond + same / 2 if observed else 1.0
    p = mcnemar(right, reference, np.ones((1, 3), bool), WeightedImages.alike(11))[0]
    assert p == pytest.approx(expected)


def test_images_that_weigh_otherwise_are_the_clustered_test():
    """Durkalski et al. 2003: the square of the sum of the clusters' differences over the sum of their squares is chi-squared."""
    rng = np.random.default_rng(7)
    labels = np.repeat([0, 1, 2], [60, 20, 10])
    images = WeightedImages.by_class(labels)
    right, reference = rng.random((2, 3, 90)) < 0.6, rng.random(90) < 0.5
    found = mcnemar(right, reference, np.ones((2, 3), bool), images)
    for place in range(2):
        own = [images.weights[n] * sum(int(right[place, s, n]) - int(reference[n]) for s in range(3)) for n in range(90)]
        assert found[place] == pytest.approx(stats.chi2.sf(sum(own) ** 2 / sum(one**2 for one in own), 1))


def test_a_seed_that_is_missing_has_no_say():
    rng = np.random.default_rng(8)
    right, reference = rng.random((1, 2, 30)) < 0.6, rng.random(30) < 0.5
    images = WeightedImages.alike(30)
    alone = mcnemar(right[:, :1], reference, np.ones((1, 1), bool), images)
    assert mcnemar(right, reference, np.array([[True, False]]), images) == alone
    assert np.isnan(mcnemar(right, reference, np.zeros((1, 2), bool), images)).all()
