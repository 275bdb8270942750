"""Scales and dense matrices against a cell-by-cell re-statement of their formulas."""

import numpy as np
import pandas as pd
import pytest

from promptatlas.analysis.statistics.analyse import analyse
from promptatlas.analysis.statistics.matrices import collect
from promptatlas.analysis.statistics.scales import calibration_rows, matrix, seed_mean
from promptatlas.analysis.statistics.summary import perfection_gaps
from promptatlas.analysis.statistics.views import VIEWS, colour_limits, shown
from promptatlas.base.errors import UserError
from synthetic_study import similarity_table, task_names, tasks_table, transfer_table

N = 5


@pytest.fixture(scope="module")
def transfer():
    return transfer_table(N, seeds=(1, 2))


@pytest.fixture(scope="module")
def scores(transfer):
    return collect(transfer, tasks_table(N))[0]


def test_rows_are_sources_and_columns_are_targets(transfer, scores):
    assert scores.score.shape == (2, N, N) and scores.tasks == tuple(sorted(scores.tasks))
    row = transfer.query("method == 'coop' and source == 'task_03' and target == 'task_01' and seed == 2")
    assert scores.score[1, 3, 1] == row["score"].item()


def naive(transfer, scale, source, target, seed):
    mine = transfer[(transfer.method == "coop") & (transfer.seed == seed) & (transfer.target == target)].set_index("source")
    score, chance, count = mine.loc[source, ["score", "chance", "n_test"]].astype(float)
    zero = mine.loc["template", "score"]

    def log_odds(share):
        return np.log((share * count + 0.5) / (count - share * count + 0.5))

    return {
        "raw": score,
        "chance_corrected": (score - chance) / (1 - chance),
        "column_ratio": score / mine.drop(["scratch", "template"])["score"].max(),
        "gain_points": 100 * (score - zero),
        "logit_gain": log_odds(score) - log_odds(zero),
        "perfection_gap": (score - zero) / (1 - zero),
    }[scale]


@pytest.mark.parametrize("scale", ["raw", "chance_corrected", "column_ratio", "gain_points", "logit_gain", "perfection_gap"])
def test_scale_equals_its_formula_in_every_cell(transfer, scores, scale):
    expected = [[[naive(transfer, scale, i, j, seed) for j in scores.tasks] for i in scores.tasks] for seed in (1, 2)]
    assert matrix(scores, scale) == pytest.approx(np.array(expected))
    row = calibration_rows(scores, scale)["scratch"]
    assert row == pytest.approx(np.array([[naive(transfer, scale, "scratch", j, seed) for j in scores.tasks] for seed in (1, 2)]))


def test_gain_over_scratch_pairs_seeds(transfer):
    """Each cell less the row `scratch` of the same seed and target; nothing where either is missing."""
    start = transfer["source"] == "scratch"
    uneven = transfer.assign(score=transfer["score"].where(~start, transfer["score"] + 0.05 * transfer["seed"]))
    uneven = uneven[~(start & (uneven["target"] == "task_01") & (uneven["seed"] == 2))]
    scores = collect(uneven, tasks_table(N))[0]
    mine = uneven[uneven["method"] == scores.method].set_index(["seed", "source", "target"])["score"]

    def gain(seed, source, target):
        return 100 * (mine[seed, source, target] - mine.get((seed, "scratch", target), np.nan))

    expected = [[[gain(seed, i, j) for j in scores.tasks] for i in scores.tasks] for seed in (1, 2)]
    assert matrix(scores, "over_scratch") == pytest.approx(np.array(expected), nan_ok=True)
    assert np.isnan(matrix(scores, "over_scratch")[1, :, 1]).all()
    row = calibration_rows(scores, "over_scratch")["template"]
    assert row == pytest.approx(np.array([[gain(seed, "template", j) for j in scores.tasks] for seed in (1, 2)]), nan_ok=True)


def test_perfect_and_empty_scores_have_finite_log_odds(transfer):
    edge = transfer.assign(score=transfer["score"].where(transfer["source"] != "task_00", 1.0))
    edge["score"] = edge["score"].where(edge["source"] != "task_01", 0.0)
    assert np.isfinite(matrix(collect(edge, tasks_table(N))[0], "logit_gain")).all()


def test_zero_shot_falls_back_to_the_tasks_table(transfer):
    bare = transfer[transfer["source"] != "template"]
    assert collect(bare, tasks_table(N))[0].zero_shot == pytest.approx(tasks_table(N)["zero_shot"])


def test_missing_cells_stay_missing_and_other_seeds_serve(transfer):
    cell = (transfer.method == "coop") & (transfer.source == "task_00") & (transfer.target == "task_01")
    one = collect(transfer[~(cell & (transfer.seed == 1))], tasks_table(N))[0]
    assert np.isnan(one.score[0, 0, 1]) and seed_mean(one.score)[0, 1] == one.score[1, 0, 1]
    none = collect(transfer[~cell], tasks_table(N))[0]
    assert np.isnan(seed_mean(none.score)[0, 1]) and np.isnan(shown(none, "gain_points")[0][0, 1])


def test_colour_limits_are_shared_and_symmetric(transfer):
    group = collect(transfer, tasks_table(N))
    low, high = colour_limits(group, "gain_points")
    assert low == -high and high > 0
    assert {view: colour_limits(group, view) for view in VIEWS if not VIEWS[view].diverging} == dict.fromkeys(
        ("chance_corrected", "column_ratio", "raw"), (0.0, 1.0)
    )


def test_a_cell_given_twice_is_a_clear_error(transfer):
    with pytest.raises(UserError, match="twice"):
        collect(pd.concat([transfer, transfer.iloc[:1]]), tasks_table(N))


def test_an_unknown_target_is_a_clear_error(transfer):
    with pytest.raises(UserError, match="task_04"):
        collect(transfer, tasks_table(N).iloc[:-1])


def test_where_guessing_is_perfect_nothing_is_corrected_for_it(transfer):
    sure = transfer.assign(chance=transfer["chance"].where(transfer["target"] != "task_02", 1.0))
    scores = collect(sure, tasks_table(N))[0]
    corrected = matrix(scores, "chance_corrected")
    assert np.isnan(corrected[:, :, 2]).all() and np.isfinite(np.delete(corrected, 2, axis=2)).all()


def test_what_is_infinite_enters_no_mean():
    values = np.array([[1.0, np.inf, np.nan], [3.0, 2.0, np.nan]])
    assert seed_mean(values) == pytest.approx(np.array([2.0, 2.0, np.nan]), nan_ok=True)


def probes(n, scores):
    rows = [("linear_probe", name, seed, score + 0.01 * seed) for name, score in zip(task_names(n), scores, strict=True) for seed in (1, 3)]
    return pd.DataFrame([*rows, ("zero_shot", "task_00", 1, 0.1)], columns=["method", "target", "seed", "score"])


def test_the_perfection_gap_to_the_probe_has_its_mean_over_seeds_as_ceiling(transfer):
    """Missing for a target whose zero-shot score reaches it, and for one without a probe."""
    own = [0.97, 0.96, 0.0, 0.95, np.nan]
    scores = collect(transfer, tasks_table(N), probes(N, own))[0]
    gap = matrix(scores, "perfection_gap_probe")
    expected = (scores.score - scores.zero_shot) / (np.array(own) + 0.02 - scores.zero_shot)
    assert gap[:, :, [0, 1, 3]] == pytest.approx(expected[:, :, [0, 1, 3]]) and np.isnan(gap[:, :, [2, 4]]).all()


def test_a_perfection_gap_is_missing_where_zero_shot_is_perfect_and_the_summary_names_the_target(transfer):
    perfect = transfer.assign(score=transfer["score"].where((transfer["source"] != "template") | (transfer["target"] != "task_02"), 1.0))
    collected = collect(perfect, tasks_table(N), probes(N, [0.97, 0.0, 0.96, 0.95, 0.97]))
    gap = matrix(collected[0], "perfection_gap")
    assert np.isnan(gap[:, :, 2]).all() and np.isfinite(np.delete(gap, 2, axis=2)).all()
    assert perfection_gaps(collected) == {
        "perfection_gap": {"ceiling": "1", "undefined": ["task_02"]},
        "perfection_gap_probe": {"ceiling": "score of the linear probe", "undefined": ["task_01", "task_02"]},
    }


def test_a_probe_brings_rows_of_its_own_and_changes_no_other():
    study = transfer_table(6), similarity_table(6), tasks_table(6)
    without = analyse(*study, permutations=9)
    found = analyse(*study, permutations=9, baselines=probes(6, [0.97] * 6))
    assert set(without["response"]) == set(found["response"]) - {"perfection_gap_probe"}
    pd.testing.assert_frame_equal(found[found["response"] != "perfection_gap_probe"].reset_index(drop=True), without)
    confirmed = found[found["confirmatory"]]
    assert set(confirmed["response"]) == {"logit_gain"} and confirmed["p_holm"].notna().all()
