"""Next cells: beliefs against the normal distribution conditioned cell by cell, closed cases, and a finished matrix measured again."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from promptatlas.analysis.budget.cells import SPREADS, believed, first_cells, next_cells, simulated
from promptatlas.base.errors import UserError

N = 6


def matrix(seed: int, n: int = N, noise: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(0, 2, (n, 1)) + rng.normal(-1, 3, (1, n)) + rng.normal(0, noise, (n, n))


def partly(gains: np.ndarray, share: float, seed: int = 0) -> np.ndarray:
    return np.where(np.random.default_rng(seed).random(gains.shape) < share, gains, np.nan)


def conditioned(gains: np.ndarray, similarity: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of every cell off the diagonal, from the covariances of all cells, by the likeliest spreads of the grid."""
    cells = [(i, j) for i, j in product(range(len(gains)), repeat=2) if i != j]
    values = np.array([gains[cell] for cell in cells])
    there = np.isfinite(values)
    standard = (values[there] - values[there].mean()) / values[there].std()
    source, target = np.array(cells).T
    near = np.zeros(len(cells))
    if similarity is not None:
        near = np.array([similarity[cell] for cell in cells])
        near = (near - near.mean()) / near.std()
    best = (-np.inf, np.empty(0), np.empty(0))
    for of_source, of_target, of_near in product(SPREADS["source"], SPREADS["target"], SPREADS["similarity"]):
        shared = of_source * (source[:, None] == source) + of_target * (target[:, None] == target) + of_near * np.outer(near, near)
        own = shared[np.ix_(there, there)] + np.eye(there.sum())
        spread = standard @ np.linalg.solve(own, standard) / there.sum()
        likely = multivariate_normal.logpdf(standard, cov=spread * own)
        if likely > best[0] + 1e-9:
            across = shared[:, there]
            mean = across @ np.linalg.solve(own, standard)
            variance = spread * (np.diag(shared) + 1 - np.einsum("ij,ji->i", across, np.linalg.solve(own, across.T)))
            best = likely, values[there].mean() + values[there].std() * mean, variance * values[there].std() ** 2
    out = np.full((2, *gains.shape), np.nan)
    out[0, source, target], out[1, source, target] = best[1:]
    return out[0], out[1]


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("near", [False, True])
def test_beliefs_are_the_conditional_normal_distribution(seed, near):
    gains, similarity = partly(matrix(seed), 0.4, seed), np.random.default_rng(seed).normal(size=(N, N)) if near else None
    mean, variance = conditioned(gains, similarity)
    found = believed(gains, [similarity] if near else [], draws=20_000)
    unknown = np.isnan(gains) & ~np.eye(N, dtype=bool)
    np.testing.assert_allclose(found.mean[unknown], mean[unknown], atol=1e-8)
    np.testing.assert_allclose(found.draws.mean(axis=0)[unknown], mean[unknown], atol=0.06 * np.sqrt(variance[unknown].max()))
    np.testing.assert_allclose(found.draws.var(axis=0)[unknown], variance[unknown], rtol=0.07)
    known = np.isfinite(gains) & ~np.eye(N, dtype=bool)
    assert (found.mean[known] == gains[known]).all() and (found.draws[:, known] == gains[known]).all()


def test_an_additive_matrix_is_known_from_few_cells():
    gains = matrix(3, 12, noise=0.0)
    found = believed(partly(gains, 0.4, 1)).mean
    off = ~np.eye(12, dtype=bool)
    assert np.abs(found - gains)[off].max() < 0.15 * gains.std()


def test_the_first_cell_has_the_largest_expected_improvement():
    """By its closed form, of a normal distribution over the best that a target has."""
    gains = partly(matrix(5), 0.5, 5)
    mean, variance = conditioned(gains, None)
    spread, best = np.sqrt(variance), np.fmax(np.nanmax(np.where(np.eye(N, dtype=bool), np.nan, gains), axis=0), 0)
    closed = (mean - best) * norm.cdf((mean - best) / spread) + spread * norm.pdf((mean - best) / spread)
    closed[np.isfinite(gains)] = np.nan
    first = next_cells(gains, 1)[0]
    assert first.improvement == pytest.approx(closed[first.source, first.target], rel=0.35)
    assert closed[first.source, first.target] > 0.8 * np.nanmax(closed)


def test_a_batch_promises_more_together_than_the_cells_that_promise_most_alone():
    """Two cells of one target cannot both become its best source."""
    gains = partly(matrix(4, 9), 0.3, 4)
    off = np.where(np.eye(9, dtype=bool), np.nan, gains)
    best, draws = np.fmax(np.nanmax(off, axis=0), 0), believed(gains).draws

    def together(cells):
        known = np.broadcast_to(best, (len(draws), 9)).copy()
        for source, target in cells:
            known[:, target] = np.maximum(known[:, target], draws[:, source, target])
        return (known - best).mean(axis=0).sum()

    batch = next_cells(gains, 8)
    alone = np.where(np.isnan(gains) & ~np.eye(9, dtype=bool), np.maximum(draws - best, 0).mean(axis=0), -1)
    highest = np.argsort(-alone, axis=None)[:8]
    chosen = [(one.source, one.target) for one in batch]
    assert sum(one.improvement for one in batch) == pytest.approx(together(chosen))
    assert together(chosen) > together(list(zip(*np.unravel_index(highest, (9, 9)), strict=True))) + 1e-6


def test_a_cell_is_named_once_and_only_if_it_can_be_measured():
    gains, possible = partly(matrix(6, 7), 0.5), np.random.default_rng(7).random((7, 7)) < 0.6
    left = np.isnan(gains) & possible & ~np.eye(7, dtype=bool)
    batch = [(one.source, one.target) for one in next_cells(gains, 100, possible)]
    assert sorted(batch) == sorted(map(tuple, np.argwhere(left).tolist())) and len(batch) > 3
    assert next_cells(matrix(6, 7), 5) == []


def test_targets_that_the_hand_written_prompt_serves_best_wait():
    """Nothing helps target 0, whose sources all lose 50 points: there is no need to know which of them loses least."""
    gains = matrix(8, 8)
    gains -= gains.mean()
    gains[:, 0] = -50
    gains = partly(gains, 0.6, 8)
    gains[1:3, 0] = np.nan
    left = int((np.isnan(gains) & ~np.eye(8, dtype=bool)).sum())
    order = [one.target for one in next_cells(gains, left)]
    assert order[-1] == 0 and sum(target == 0 for target in order[: left // 2]) == 0


def test_the_same_matrix_has_the_same_next_cells_whatever_else_is_drawn():
    gains = partly(matrix(9), 0.5)
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    first = next_cells(gains, 4)
    assert (np.random.get_state()[1] == before).all()
    np.random.rand(3)
    assert next_cells(gains, 4) == first
    assert [(one.source, one.target) for one in next_cells(gains * 1000, 4)] == [(one.source, one.target) for one in first]


def test_a_similarity_that_tells_all_is_made_use_of():
    gains = matrix(10, 12, noise=3.0)
    table = simulated(gains, [gains], repeats=4, step=0.2, floor=-np.inf)
    blind = simulated(gains, repeats=4, step=0.2, floor=-np.inf)
    first = table["measured"] == table["measured"].min()
    assert table[first]["regret"].mean() < 0.5 * blind[first]["regret"].mean()


@pytest.mark.parametrize("floor", [0.0, -np.inf])
def test_the_best_sources_are_known_sooner_than_by_chance_and_at_last(floor):
    gains = matrix(11, 14, noise=2.0)
    np.fill_diagonal(gains, 100)
    table = simulated(gains, repeats=6, step=0.1, floor=floor)
    mean = table.groupby(["order", "measured"])["regret"].mean()
    shares = sorted(table["measured"].unique())
    assert shares[0] == pytest.approx(0.1, abs=0.01) and shares[-1] == 1 and len(table) == 6 * 2 * len(shares)
    assert mean["next"][shares[0]] == mean["random"][shares[0]] > mean["random"][shares[4]] > 0
    assert mean["next"].mean() < 0.85 * mean["random"].mean()
    assert mean["next"][1.0] == mean["random"][1.0] == 0 and (table[["regret", "regret_of_measured"]] >= 0).all(axis=None)


def test_cells_that_are_missing_for_good_are_never_measured():
    gains = partly(matrix(12, 8), 0.8)
    gains[:, 3] = np.nan
    table = simulated(gains, repeats=2, step=0.3)
    assert table["measured"].max() == 1 and table[table["measured"] == 1]["regret"].max() == 0


@pytest.mark.parametrize("alike", [0.0, 3.0])
def test_gains_that_are_all_alike_are_no_error(alike):
    gains = partly(np.full((5, 5), alike), 0.6)
    assert len(next_cells(gains, 3)) == 3 and np.allclose(believed(gains).mean[~np.eye(5, dtype=bool)], alike, atol=1e-3)
    assert np.isfinite(believed(gains, [np.ones((5, 5)), np.full((5, 5), np.nan)]).draws[:, 0, 1]).all()


def test_too_little_is_told():
    with pytest.raises(UserError, match="at least 3"):
        next_cells(np.full((4, 4), np.nan), 2)
    with pytest.raises(UserError, match="infinite"):
        next_cells(np.where(np.arange(16).reshape(4, 4) == 1, np.inf, 1.0), 2)
    with pytest.raises(UserError, match="similarity"):
        believed(np.ones((4, 4)), [np.where(np.arange(16).reshape(4, 4) == 1, np.inf, 1.0)])


def test_the_first_cells_cover_sources_and_targets_evenly():
    """Whatever is there already: counts of rows and of columns differ by one at most, while cells are free."""
    possible, there = ~np.eye(7, dtype=bool), np.zeros((7, 7), dtype=bool)
    for count in (7, 14, 21):
        for one in first_cells(there, 7, possible):
            assert possible[one.source, one.target] and not there[one.source, one.target] and np.isnan(one.improvement)
            there[one.source, one.target] = True
        assert there.sum() == count and np.ptp(there.sum(axis=0)) <= 1 and np.ptp(there.sum(axis=1)) <= 1
    assert len(first_cells(there, 99, possible)) == 42 - 21
    some = np.zeros((7, 7), dtype=bool)
    some[2, 3] = True
    assert [(one.source, one.target) for one in first_cells(np.zeros((7, 7), dtype=bool), 5, some)] == [(2, 3)]
