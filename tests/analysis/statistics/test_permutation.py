"""Permutation tests against exact enumeration, naive re-statements and their own null distribution."""

from itertools import combinations, permutations

import numpy as np
import pytest
import scipy.stats

from promptatlas.analysis.statistics import permutation
from promptatlas.analysis.statistics.jackknife import correlation_interval, interval, share_interval, without
from promptatlas.analysis.statistics.relations import effects
from promptatlas.base.rng import named_rng

OFF = ~np.eye(8, dtype=bool)


def fixture():
    i, j = np.meshgrid(np.arange(1, 9), np.arange(1, 9), indexing="ij")
    y = np.sin(1.7 * i) + np.cos(0.9 * j) + 0.8 * np.sin(2.3 * i * j)
    return y, np.sin(2.3 * i * j) + 0.5 * np.cos(i + 2 * j), np.abs(i - j) / 8


def off_diagonal_unit(values):
    centred = np.where(OFF, values - values[OFF].mean(), 0)
    return centred / np.linalg.norm(centred)


def test_all_relabellings_of_eight_give_the_published_exact_qap():
    """On raw matrices the same machinery is the classical QAP; by enumeration p = 296/40320 (R's ape: .00755 by sampling)."""
    y, x, _ = fixture()
    orders = permutation.relabellings(8, 40320, named_rng("test"))
    assert permutation.is_exact(orders)
    left, right = off_diagonal_unit(y), off_diagonal_unit(x)
    null = permutation.null_correlations(left, right[None], orders)
    observed = np.array([(left * right).sum()])
    assert observed[0] == pytest.approx(0.3294304865, abs=1e-9)
    assert permutation.p_values(observed, null, exact=True)[0] == pytest.approx(296 / 40320)


def test_sampled_p_is_near_the_exact_one():
    y, x, _ = fixture()
    left, right = permutation.residual(y), permutation.residual(x)
    observed = np.array([(left * right).sum()])
    found = {}
    for name, count in (("exact", 40320), ("sampled", 9999)):
        orders = permutation.relabellings(8, count, named_rng("test", name))
        null = permutation.null_correlations(left, right[None], orders)
        found[name] = permutation.p_values(observed, null, permutation.is_exact(orders))[0]
    assert found["sampled"] == pytest.approx(found["exact"], abs=0.01)


def test_two_way_correlation_equals_naive_residuals_and_refitting_every_relabelling():
    """Dummy regressions, one fit per relabelling: slow, independent, and the same numbers."""
    rng = np.random.default_rng(0)
    y, x = rng.normal(size=(2, 5, 5)) + rng.normal(size=(2, 5, 1))
    off = ~np.eye(5, dtype=bool)
    row, column = np.nonzero(off)
    design = np.hstack([np.eye(5)[row], np.eye(5)[column]])

    def left(values):
        return values[off] - design @ np.linalg.lstsq(design, values[off], rcond=None)[0]

    naive = [np.corrcoef(left(y[np.ix_(order, order)]), left(x))[0, 1] for order in permutations(range(5))]
    orders = permutation.relabellings(5, 9999, named_rng("test"))
    null = permutation.null_correlations(permutation.residual(y), permutation.residual(x)[None], orders)
    assert null[:, 0] == pytest.approx(naive, abs=1e-10)
    assert permutation.correlation(y, x) == pytest.approx(naive[0])
    expected = np.mean(np.abs(naive) >= abs(naive[0]) - 1e-12)
    assert permutation.p_values(np.array([naive[0]]), null, exact=True)[0] == pytest.approx(expected)


def test_names_and_order_of_the_tasks_do_not_matter():
    rng = np.random.default_rng(1)
    y, x = rng.normal(size=(2, 7, 7))
    order = rng.permutation(7)
    moved = [values[np.ix_(order, order)] for values in (y, x)]
    p = []
    for one, other in ((y, x), moved):
        left, right = permutation.residual(one), permutation.residual(other)
        orders = permutation.relabellings(7, 9999, named_rng("test"))
        p.append(permutation.p_values(np.array([(left * right).sum()]), permutation.null_correlations(left, right[None], orders), True)[0])
    assert permutation.correlation(*moved) == pytest.approx(permutation.correlation(y, x))
    assert p[0] == p[1]


def test_source_and_target_effects_cannot_make_a_correlation():
    rng = np.random.default_rng(2)
    y, x = rng.normal(size=(2, 10, 10))
    shifted = x + 50 * rng.normal(size=(10, 1)) + 50 * rng.normal(size=10)
    assert permutation.correlation(y, shifted) == pytest.approx(permutation.correlation(y, x))


def test_a_measure_without_relationship_part_has_no_correlation():
    left = permutation.residual(np.arange(6)[:, None] + 1e3 * np.arange(6))
    assert np.isnan(left).all()


def test_max_t_is_never_below_the_single_p_and_equals_a_loop():
    rng = np.random.default_rng(3)
    y, x = rng.normal(size=(6, 6)), rng.normal(size=(4, 6, 6))
    left, right = permutation.residual(y), np.stack([permutation.residual(one) for one in x])
    observed = (left * right).sum(axis=(1, 2))
    null = permutation.null_correlations(left, right, permutation.relabellings(6, 720, named_rng("test")))
    adjusted = permutation.max_t_p_values(observed, null, exact=True)
    naive = [sum(max(abs(draw)) >= abs(value) - 1e-12 for draw in null) / 720 for value in observed]
    assert adjusted == pytest.approx(naive)
    assert (adjusted >= permutation.p_values(observed, null, exact=True) - 1e-12).all()


def test_min_p_equals_a_loop_and_does_not_let_one_wide_null_hide_the_others():
    rng = np.random.default_rng(3)
    null = rng.normal(size=(400, 4)) * np.array([1, 1, 5, 0.2]) + np.array([0, 0, 3, 0])
    observed = np.array([2.6, 0.1, 4.0, 0.7])
    adjusted = permutation.min_p_values(observed, null, exact=True)
    single = permutation.p_values(observed, null, exact=True)
    rare = [min((np.abs(null[:, k]) >= abs(draw[k]) - 1e-12).mean() for k in range(4)) for draw in null]
    assert adjusted == pytest.approx([np.mean(np.array(rare) <= p + 1e-12) for p in single])
    assert (adjusted >= single - 1e-12).all() and adjusted[[0, 3]].max() < 0.1
    assert permutation.max_t_p_values(observed, null, exact=True)[[0, 3]].min() > 0.5
    assert np.isnan(permutation.min_p_values(np.array([np.nan, 1, 1, 1]), null, exact=False)[0])


def test_block_relabellings_keep_families_together():
    families = ["a", "b", "a", "c", "b", "d", "c", "e"]
    orders = permutation.block_relabellings(families, 3000, named_rng("test"))
    assert (np.sort(orders, axis=1) == np.arange(8)).all()
    for order in orders[:300]:
        moved = [families[index] for index in order]
        assert all((families[i] == families[j]) == (moved[i] == moved[j]) for i in range(8) for j in range(8))
    # a, b, c: 3! arrangements and 2 orders inside each of them; d, e: 2! arrangements
    assert len(np.unique(orders, axis=0)) == 6 * 8 * 2


def test_block_relabelling_asks_for_more_than_family():
    """A similarity that only says "same family" is significant as such and not beyond family."""
    rng = np.random.default_rng(4)
    families = np.repeat(np.arange(4), 3)
    same = (families[:, None] == families[None, :]).astype(float)
    y = same + 0.5 * rng.normal(size=(12, 12))
    left, right = permutation.residual(y), permutation.residual(same)
    observed = np.array([(left * right).sum()])
    plain = permutation.null_correlations(left, right[None], permutation.relabellings(12, 999, named_rng("test")))
    blocks = permutation.null_correlations(left, right[None], permutation.block_relabellings(list(families), 999, named_rng("test")))
    assert permutation.p_values(observed, plain, False)[0] < 0.01
    assert permutation.p_values(observed, blocks, False)[0] == 1


def rejections(simulations: int, n: int, shared: bool) -> tuple[float, float]:
    """Share of rejections at 5 % under a null with strong margins: two-way permutation and naive Pearson."""
    rng = np.random.default_rng(5)
    off = ~np.eye(n, dtype=bool)
    two_way, naive = [], []
    for _ in range(simulations):
        strength = rng.normal(size=(n, 1))
        places = rng.normal(size=(2, n, 3))
        y, x = (-((one[:, None] - one[None]) ** 2).sum(axis=2) + rng.normal(size=(n, n)) for one in places)
        y, x = y + 3 * strength + 3 * rng.normal(size=n), x + (3 * strength if shared else 0)
        left, right = permutation.residual(y), permutation.residual(x)
        null = permutation.null_correlations(left, right[None], permutation.relabellings(n, 199, rng))
        two_way.append(permutation.p_values(np.array([(left * right).sum()]), null, False)[0] <= 0.05)
        naive.append(scipy.stats.pearsonr(y[off], x[off]).pvalue <= 0.05)
    return float(np.mean(two_way)), float(np.mean(naive))


@pytest.mark.parametrize("shared", [False, True])
def test_null_calibration(shared):
    two_way, naive = rejections(200, 14, shared)
    assert 0.01 <= two_way <= 0.10
    assert naive > 0.2


def test_power_on_a_planted_relationship():
    rng = np.random.default_rng(6)
    hits = []
    for _ in range(40):
        x = rng.normal(size=(20, 20))
        y = 0.26 * x + rng.normal(size=(20, 20)) + rng.normal(size=(20, 1)) + 2 * rng.normal(size=20)
        left, right = permutation.residual(y), permutation.residual(x)
        null = permutation.null_correlations(left, right[None], permutation.relabellings(20, 199, rng))
        hits.append(permutation.p_values(np.array([(left * right).sum()]), null, False)[0] <= 0.05)
    assert np.mean(hits) > 0.8


def test_jackknife_of_a_mean_is_its_t_interval():
    sample = np.random.default_rng(7).normal(size=12)
    left_out = np.array([np.delete(sample, index).mean() for index in range(12)])
    expected = scipy.stats.t.interval(0.95, 11, sample.mean(), scipy.stats.sem(sample))
    assert interval(sample.mean(), left_out) == pytest.approx(expected)


def test_correlation_interval_is_inside_minus_one_and_one_and_covers():
    rng = np.random.default_rng(8)
    covered = []
    for _ in range(40):
        x = rng.normal(size=(12, 12))
        y = x * np.sqrt(0.3) + rng.normal(size=(12, 12)) * np.sqrt(0.7)
        value = permutation.correlation(y, x)
        low, high = correlation_interval(value, [permutation.correlation(without(y, i), without(x, i)) for i in range(12)])
        assert -1 < low < value < high < 1
        covered.append(low <= np.sqrt(0.3) <= high)
    assert np.mean(covered) >= 0.88


def test_share_interval_is_the_t_interval_of_the_angle_turned_back():
    angles = np.random.default_rng(7).uniform(0.2, 0.9, size=12)
    left_out = np.array([np.delete(angles, index).mean() for index in range(12)])
    low, high = scipy.stats.t.interval(0.95, 11, angles.mean(), scipy.stats.sem(angles))
    assert share_interval(np.sin(angles.mean()) ** 2, np.sin(left_out) ** 2) == pytest.approx((np.sin(low) ** 2, np.sin(high) ** 2))


@pytest.mark.parametrize(("share", "spread"), [(0.0, 0.02), (0.003, 0.01), (0.995, 0.02), (1.0, 0.05)])
def test_share_interval_stays_inside_zero_and_one_and_around_its_share(share, spread):
    left_out = np.clip(share + spread * np.random.default_rng(9).normal(size=12), 0, 1)
    low, high = share_interval(share, left_out)
    assert 0 <= low <= share <= high <= 1 and low < high


def test_intervals_of_too_few_tasks_are_not_invented():
    assert np.isnan(share_interval(0.5, np.full(4, 0.5))).all()
    assert np.isnan(interval(0.5, np.full(4, 0.5))).all()
    assert np.isnan(correlation_interval(0.5, np.array([0.5, 0.4, 1.0, 0.5, 0.5, 0.6]))).all()


def test_residual_is_the_relationship_part():
    y = fixture()[0]
    relationship = np.nan_to_num(effects(y).relationship)
    assert permutation.residual(y) == pytest.approx(relationship / np.linalg.norm(relationship))


def test_holm_is_the_closed_test_of_bonferronis():
    """A hypothesis is rejected where every set of hypotheses that holds it is: its p is the largest of theirs."""
    rng = np.random.default_rng(5)
    for size in (1, 2, 5):
        p = rng.uniform(0, 0.3, size)
        sets = [subset for r in range(1, size + 1) for subset in combinations(range(size), r)]
        expected = [max(min(1, len(subset) * p[list(subset)].min()) for subset in sets if one in subset) for one in range(size)]
        assert permutation.holm(p) == pytest.approx(expected)
    assert permutation.holm(np.array([])).shape == (0,)
