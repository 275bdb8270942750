"""What a choice is worth, against counting all orders of ties one by one."""

from itertools import permutations

import numpy as np
import pytest

from promptatlas.analysis.choice.scoring import QUANTITIES, Picks, scores
from promptatlas.analysis.statistics.regret import regrets_of_columns


def counted(ranking, use, gain, or_none):
    """The QUANTITIES, by trying every order of the candidates as the one that settles ties."""
    there = [i for i in range(len(gain)) if np.isfinite(ranking[i]) and np.isfinite(gain[i])]
    best, found = max(gain[i] for i in there), []
    for order in permutations(there):
        first = sorted(order, key=lambda i: -ranking[i])
        taken = gain[first[0]] if use[first[0]] else 0.0
        three = max(gain[i] for i in first[:3])
        found.append((taken, three, float(use[first[0]]), float(taken < -0.01)))
    own, three, used, harmed = np.mean(found, axis=0)
    ceiling = max(best, 0) if or_none else best
    return [100 * (ceiling - own), 100 * (ceiling - used * three), 100 * own, harmed, used, 100 * max(best, 0)]


@pytest.mark.parametrize("or_none", [True, False])
def test_every_order_of_ties_counts_alike(or_none):
    rng = np.random.default_rng(0)
    for _ in range(40):
        gain = rng.normal(0, 0.05, 6)
        ranking = rng.integers(0, 3, 6).astype(float)
        ranking[rng.random(6) < 0.2] = np.nan
        gain[rng.random(6) < 0.1] = np.nan
        use = rng.random(6) < 0.5 if or_none else np.ones(6, bool)
        if (np.isfinite(ranking) & np.isfinite(gain)).any():
            found = scores(Picks(ranking[:, None], use[:, None]), gain, or_none)
            np.testing.assert_allclose(found[0], counted(ranking, use, gain, or_none), atol=1e-9)


def test_nothing_to_choose_from_is_no_score():
    assert np.isnan(scores(Picks(np.full((3, 1), np.nan), np.ones((3, 1), bool)), np.zeros(3), True)).all()


def test_columns_are_scored_one_by_one():
    gain = np.array([0.05, 0.02, -0.1])
    there = np.array([[True, False], [True, True], [True, True]])
    found = scores(Picks.always(gain, there), gain, False)
    assert found[0, QUANTITIES.index("gain")] == pytest.approx(5) and found[1, QUANTITIES.index("gain")] == pytest.approx(2)
    assert found[:, QUANTITIES.index("regret_1")] == pytest.approx([0, 0])


def test_regrets_of_columns_take_any_number_of_rows_and_columns():
    scores_, ranking = np.arange(30.0).reshape(10, 3), np.zeros((10, 3))
    np.testing.assert_allclose(regrets_of_columns(scores_, ranking, 1), scores_.max(axis=0) - scores_.mean(axis=0))
    np.testing.assert_allclose(regrets_of_columns(scores_.T, ranking.T, 1), [1.0] * 10)
