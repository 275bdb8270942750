"""Regret, the static list and the common order, against enumeration and simple loops."""

from itertools import combinations, permutations

import numpy as np
import pytest

from promptatlas.analysis.statistics import permutation
from promptatlas.analysis.statistics.matrices import collect
from promptatlas.analysis.statistics.regret import no_preference, outdone, regrets, static_list
from promptatlas.analysis.statistics.seriation import common_order, profiles, seriate
from promptatlas.base.rng import named_rng
from synthetic_study import tasks_table, transfer_table
from tiers import mostly_slow


def expected_best(scores: np.ndarray, ranked_by: np.ndarray, k: int) -> float:
    """Best score among the k ranked highest, of one target with sources (m,)."""
    measured, predicted = (np.hstack([np.zeros((len(one) + 1, len(one))), np.append(one, 0.0)[:, None]]) for one in (scores, ranked_by))
    return float(scores.max() - regrets(measured, predicted, k)[-1])


def test_ties_are_averaged_over_all_orders():
    scores, ranks = np.array([0.3, 0.9, 0.5, 0.7, 0.1]), np.array([2.0, 1.0, 1.0, 1.0, 0.0])
    for k in range(1, 6):
        best = [scores[sorted(range(5), key=lambda i: (-ranks[i], order[i]))[:k]].max() for order in permutations(range(5))]
        assert expected_best(scores, ranks, k) == pytest.approx(np.mean(best))


def test_no_preference_is_the_mean_over_all_choices():
    scores = np.random.default_rng(0).normal(size=7)
    for k in (1, 3, 5):
        expected = np.mean([max(scores[list(chosen)]) for chosen in combinations(range(7), k)])
        assert expected_best(scores, np.zeros(7), k) == pytest.approx(expected)


def test_perfect_prediction_has_no_regret_and_the_diagonal_is_no_source():
    scores = np.random.default_rng(1).normal(size=(6, 6)) + 100 * np.eye(6)
    assert regrets(scores, scores, 1) == pytest.approx(np.zeros(6))
    worst = regrets(scores, -scores, 1)
    expected = [np.delete(scores[:, j], j).max() - np.delete(scores[:, j], j).min() for j in range(6)]
    assert worst == pytest.approx(expected)


def test_random_regret_is_best_minus_mean():
    scores = np.random.default_rng(2).normal(size=(6, 6))
    expected = [np.delete(scores[:, j], j).max() - np.delete(scores[:, j], j).mean() for j in range(6)]
    assert regrets(scores, no_preference(scores), 1) == pytest.approx(expected)


def test_static_list_never_looks_at_its_target():
    scores = np.random.default_rng(3).normal(size=(6, 6))
    changed = scores.copy()
    changed[:, 2] = np.random.default_rng(4).normal(size=6)
    assert static_list(changed)[:, 2] == pytest.approx(static_list(scores)[:, 2])
    standard = np.full((6, 6), np.nan)
    for j in range(6):
        rest = np.delete(np.arange(6), j)
        standard[rest, j] = (scores[rest, j] - scores[rest, j].mean()) / scores[rest, j].std()
    assert static_list(scores)[4, 1] == pytest.approx(np.mean([standard[4, j] for j in (0, 2, 3, 5)]))


def test_missing_sources_are_no_candidates():
    scores = np.arange(16.0).reshape(4, 4)
    scores[3, 0] = np.nan
    assert regrets(scores, -scores, 1)[0] == pytest.approx(scores[2, 0] - scores[1, 0])


def test_seriation_puts_like_tasks_together():
    rng = np.random.default_rng(5)
    group = rng.permutation(np.repeat(np.arange(3), 4))
    residual = (group[:, None] == group[None, :]) + 0.2 * rng.normal(size=(12, 12))
    order = seriate([residual])
    assert sorted(order) == list(range(12))
    assert (np.diff(group[order]) != 0).sum() == 2


def test_seriation_does_not_depend_on_the_order_of_the_tasks():
    rng = np.random.default_rng(6)
    residual = rng.normal(size=(7, 7))
    moved = rng.permutation(7)
    one, other = list(seriate([residual])), list(moved[seriate([residual[np.ix_(moved, moved)]])])
    assert other in (one, one[::-1])


def test_profiles_hold_what_is_given_and_received():
    matrix = np.arange(9.0).reshape(3, 3)
    assert (profiles([matrix])[1] == [3, 4, 5, 1, 4, 7]).all()


def test_a_task_without_cells_stands_behind_the_others_in_their_order():
    transfer, tasks = transfer_table(6), tasks_table(6)
    there = (transfer["source"] != "task_01") & (transfer["target"] != "task_01")
    alone = common_order(collect(transfer[there], tasks[tasks["task"] != "task_01"]))
    assert common_order(collect(transfer.assign(score=transfer["score"].where(there)), tasks)) == [*alone, "task_01"]


def test_stacks_of_predictions_equal_one_after_the_other_with_holes_and_ties():
    rng = np.random.default_rng(8)
    scores = np.where(rng.random((7, 7)) < 0.1, np.nan, rng.normal(size=(7, 7)))
    predicted = np.where(rng.random((5, 7, 7)) < 0.2, np.nan, rng.integers(0, 3, (5, 7, 7)).astype(float))
    for k in (1, 3, 5):
        assert regrets(scores, predicted, k) == pytest.approx(np.stack([regrets(scores, one, k) for one in predicted]), nan_ok=True)


NULLS = ("iid", "effects", "latent", "heavy", "families")


def no_better(kind: str, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Scores (n, n) and a measure that picks no better than the static list of the scores."""
    if kind == "effects":  # the measure is the list that other targets would give of the same sources: as good, not better
        strength = rng.normal(size=(n, 1))
        scores, others = (strength + 2 * rng.normal(size=n) + rng.normal(size=(n, n)) for _ in range(2))
        return scores, static_list(others)
    if kind == "latent":
        return tuple(-((one[:, None] - one[None]) ** 2).sum(axis=2) for one in rng.normal(size=(2, n, 3)))
    if kind == "heavy":
        return tuple(rng.standard_t(2.2, size=(2, n, n)))
    if kind == "families":
        kin = np.arange(n) // 4
        return tuple(one[kin][:, kin] + 0.3 * rng.normal(size=(n, n)) for one in rng.normal(size=(2, n // 4, n // 4)))
    return tuple(rng.normal(size=(2, n, n)))


def beaten(pairs, k: int) -> float:
    """Share of the (scores, measure) in which the measure is said to beat the static list at 5 %."""
    orders = permutation.relabellings(20, 99, named_rng("test"))
    return float(np.mean([outdone(scores, measure, static_list(scores), k, orders) <= 0.05 for scores, measure in pairs]))


@pytest.mark.parametrize("kind", mostly_slow(NULLS, NULLS[:2]))
def test_no_measure_beats_the_static_list_by_chance(kind):
    rng = np.random.default_rng(9)
    assert beaten([no_better(kind, 20, rng) for _ in range(150)], 1) <= 0.08


def test_a_measure_that_knows_who_helps_whom_beats_the_static_list():
    rng = np.random.default_rng(10)
    pairs = []
    for _ in range(40):
        measure = rng.normal(size=(20, 20))
        pairs.append((0.5 * rng.normal(size=(20, 1)) + 2 * measure + rng.normal(size=(20, 20)), measure))
    assert beaten(pairs, 1) > 0.8


def test_nothing_is_beaten_by_itself():
    scores = np.random.default_rng(11).normal(size=(8, 8))
    orders = permutation.relabellings(8, 99, named_rng("test"))
    assert outdone(scores, static_list(scores), static_list(scores), 1, orders) >= 0.5
