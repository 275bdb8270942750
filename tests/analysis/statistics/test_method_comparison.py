"""Methods side by side: means, ranks and intervals against simple references and known truths."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from promptatlas.analysis.statistics.crossed import crossed_interval, over_tasks
from promptatlas.analysis.statistics.methods import compare
from promptatlas.runs.tables import METHODS, methods_table
from synthetic_study import baselines_table, tasks_table, transfer_table


@pytest.fixture(scope="module")
def table():
    return methods_table(transfer_table(6), baselines_table(tasks_table(6)))


def test_a_prompt_counts_on_its_own_task_and_baselines_beside_it(table):
    transfer = transfer_table(6)
    assert list(table.columns) == METHODS
    assert set(table["method"]) == {"coop", "vpt", "linear_probe", "zero_shot"}
    own = table[table["method"] == "vpt"]
    wanted = transfer.query("method == 'vpt' and source == target").sort_values(["target", "seed"])
    assert own["score"].tolist() == wanted["score"].tolist() and own["task"].tolist() == wanted["target"].tolist()
    chance = tasks_table(6).set_index("task")["chance"]
    assert (table["chance"] == table["task"].map(chance)).all()


def test_without_the_frozen_protocol_the_same_prompts_are_found_in_the_other(table):
    cells = transfer_table(6)
    own = (cells["source"] == cells["target"]) & (cells["protocol"] == "frozen")
    tuned = cells[own].assign(protocol="init", source="scratch")
    assert methods_table(tuned, baselines_table(tasks_table(6)), dict.fromkeys(["coop", "vpt"], "init")).equals(table)
    shorter = methods_table(tuned, baselines_table(tasks_table(6)), {"coop": "init"})
    assert set(table["method"]) - set(shorter["method"]) == {"vpt"}


def test_means_ranks_and_differences_equal_those_by_hand(table):
    found = compare(table)
    wide = table.pivot_table(index="task", columns="method", values="score")
    order = wide.mean().sort_values(ascending=False)
    assert [one["method"] for one in found["methods"]] == list(order.index)
    assert [one["mean"] for one in found["methods"]] == pytest.approx(list(order))
    ranks = wide.rank(axis=1, ascending=False).mean()
    for one in found["methods"]:
        assert one["mean_rank"] == pytest.approx(ranks[one["method"]])
        assert one["by_task"] == pytest.approx(wide[one["method"]].to_dict())
    for pair in found["pairs"]:
        gap = 100 * (wide[pair["better"]] - wide[pair["worse"]])
        assert pair["difference"] == pytest.approx(gap.mean()) and pair["better_on"] == (gap > 0).sum()
        assert pair["low"] < pair["difference"] < pair["high"]
    assert len(found["pairs"]) == 6


def test_only_tasks_on_which_every_method_is_measured_count(table):
    found = compare(table[~((table["method"] == "vpt") & (table["task"] == "task_02"))])
    assert found["tasks_left_out"] == ["task_02"] and found["n_tasks"] == 5
    assert all("task_02" not in one["by_task"] for one in found["methods"])


def test_one_seed_has_no_interval_and_methods_without_seeds_have_that_of_a_t_test(table):
    """What all tasks of a seed have in common cannot be told from one seed; zero-shot and chance know no seed."""
    assert np.isnan(crossed_interval(np.random.default_rng(0).normal(2, 5, (12, 1)))).all()
    one = compare(table[table["seed"].isna() | (table["seed"] == 1)])
    assert all(np.isnan([pair["low"], pair["high"]]).all() for pair in one["pairs"])
    assert all(np.isfinite(pair["difference"]) for pair in one["pairs"])
    zero = table[table["method"] == "zero_shot"]
    guess = zero.assign(method="guess", score=zero["score"] - np.linspace(0.1, 0.3, len(zero)))
    pair = compare(pd.concat([zero, guess]))["pairs"][0]
    wanted = stats.ttest_1samp(100 * np.linspace(0.1, 0.3, len(zero)), 0).confidence_interval(0.95)
    assert (pair["low"], pair["high"]) == pytest.approx((wanted.low, wanted.high))
    assert np.isnan(over_tasks(np.array([1.0, 2.0]))).all()


def test_the_halves_of_tasks_and_of_seeds_are_added_in_squares():
    values = np.random.default_rng(0).normal(2, 5, (12, 4))
    base_new = [stats.t.ppf(0.975, len(means) - 1) * stats.sem(means) for means in (values.mean(axis=1), values.mean(axis=0))]
    assert crossed_interval(values) == pytest.approx((values.mean() - np.hypot(*base_new), values.mean() + np.hypot(*base_new)))


def test_a_missing_value_costs_that_value_alone():
    values = np.random.default_rng(0).normal(2, 5, (12, 4))
    whole = crossed_interval(values)
    values[3, 1] = np.nan
    holed = crossed_interval(values)
    by_task = np.nanmean(values, axis=1)
    assert np.mean(holed) == pytest.approx(by_task.mean()) and np.diff(holed) == pytest.approx(np.diff(whole), rel=0.25)
    padded = np.vstack([np.hstack([values, np.full((12, 1), np.nan)]), np.full((1, 5), np.nan)])
    assert crossed_interval(padded) == pytest.approx(holed)


def test_too_few_tasks_give_no_interval():
    assert np.isnan(crossed_interval(np.ones((2, 3)))).all()


def test_equal_differences_have_an_interval_of_no_width():
    assert crossed_interval(np.full((5, 3), 2.0)) == pytest.approx((2.0, 2.0))


@pytest.mark.parametrize("seeds", [2, 3])
@pytest.mark.parametrize(
    ("task", "seed", "noise"),
    [(3, 0, 1), (3, 3, 1), (0.3, 1, 1), (0, 0.5, 1), (0, 0, 1)],
    ids=["tasks", "both", "seeds", "seeds_in_noise", "noise"],
)
def test_intervals_hold_the_truth_as_often_as_they_say(task, seed, noise, seeds):
    """Also where a whole seed is better or worse on all tasks, and two seeds happen to be alike: a t interval over tasks alone
    fails there, and one t for both (Satterthwaite) holds the truth in 87 of 100 cases with two seeds."""
    rng, held, runs = np.random.default_rng(1), 0, 1500
    for _ in range(runs):
        values = rng.normal(0, task, (20, 1)) + rng.normal(0, seed, (1, seeds)) + rng.normal(0, noise, (20, seeds))
        low, high = crossed_interval(values)
        held += low <= 0 <= high
    assert 0.94 <= held / runs <= 0.999


def test_a_method_without_a_seed_is_compared_with_every_seed():
    rows = [("zero_shot", task, None, 0.5) for task in "abc"]
    rows += [("coop", task, seed, 0.5 + gain) for task, gain in zip("abc", (0.1, 0.2, 0.3), strict=True) for seed in (1, 2)]
    table = pd.DataFrame(rows, columns=["method", "task", "seed", "score"]).astype({"seed": "Int64"})
    found = compare(table.assign(shots=4))
    coop = found["methods"][0]
    wanted = stats.ttest_1samp([10, 20, 30], 0).confidence_interval(0.95)
    assert (coop["low"], coop["high"]) == pytest.approx((wanted.low, wanted.high)) and found["shots"] == [4]


def test_a_task_of_which_nothing_could_be_measured_is_left_out_by_name(table):
    """Where some method failed, what the others have there is told beside."""
    missing = table.assign(score=table["score"].where(~((table["method"] == "vpt") & (table["task"] == "task_02"))))
    missing.loc[missing["task"] == "task_03", "score"] = np.nan
    found = compare(missing)
    assert found["tasks_left_out"] == ["task_02", "task_03"] and found["n_tasks"] == 4
    wide = table.pivot_table(index="task", columns="method", values="score")
    for one in found["methods"]:
        wanted = {} if one["method"] == "vpt" else {"task_02": wide.loc["task_02", one["method"]]}
        assert one["by_task_left_out"] == pytest.approx(wanted)


def by_hand(table: pd.DataFrame, one: str, other: str) -> pd.Series:
    """Mean difference in points by task, over the pairs of the same task and seed."""
    wide = table[table["seed"].notna()].pivot_table(index=["task", "seed"], columns="method", values="score")
    return 100 * (wide[one] - wide[other]).groupby(level="task").mean()


GONE = {
    "a seed lacks one task": [("vpt", "task_02", 2)],
    "seeds differ between tasks": [("vpt", f"task_0{task}", 1 + task % 3) for task in range(6)],
    "both methods lack another": [("vpt", "task_01", 1), ("coop", "task_01", 3), ("coop", "task_04", 1)],
    "a seed has one task left": [("vpt", f"task_0{task}", 3) for task in range(5)],
}


@pytest.mark.parametrize("gone", GONE)
def test_a_seed_that_lacks_a_task_counts_on_the_others(table, gone):
    """And the comparison says of how many pairs, tasks and seeds it is."""
    keys = pd.MultiIndex.from_frame(table[["method", "task", "seed"]].astype({"seed": object}))
    holed = table.assign(score=table["score"].where(~keys.isin(GONE[gone])))
    found = compare(holed)
    pair = next(one for one in found["pairs"] if {one["better"], one["worse"]} == {"coop", "vpt"})
    gaps = by_hand(holed, pair["better"], pair["worse"])
    assert pair["difference"] == pytest.approx(gaps.mean()) and pair["better_on"] == (gaps > 0).sum()
    assert pair["n_pairs"] == 6 * 3 - len(GONE[gone]) and (pair["n_tasks"], pair["n_seeds"]) == (6, 3)
    assert pair["low"] < pair["difference"] < pair["high"]
    assert found["tasks_left_out"] == [] and found["n_seeds"] == 3
    whole = next(one for one in compare(table)["pairs"] if one["better"] == pair["better"])
    assert whole["n_pairs"] == 18


def test_tasks_without_a_common_seed_are_in_no_difference(table):
    other = {"vpt": 1, "coop": 2}
    gone = (table["task"] == "task_03") & (table["seed"] != table["method"].map(other)) & table["method"].isin(other)
    pair = next(one for one in compare(table[~gone])["pairs"] if {one["better"], one["worse"]} == {"coop", "vpt"})
    assert (pair["n_tasks"], pair["n_pairs"], pair["n_seeds"]) == (5, 15, 3)


def test_seeds_are_counted_where_anything_was_measured(table):
    failed = table.assign(score=table["score"].where(table["seed"].fillna(0) != 3))
    assert compare(failed)["n_seeds"] == 2 and compare(failed)["pairs"][0]["n_seeds"] == 2
    nothing = compare(table.assign(score=np.nan))
    assert nothing["n_tasks"] == 0 and nothing["n_seeds"] == 0 and nothing["methods"] == [] == nothing["pairs"]


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_tasks_have_differences_and_from_three_on_an_interval(n):
    found = compare(methods_table(transfer_table(n), baselines_table(tasks_table(n))))
    assert all(pair["n_tasks"] == n and pair["n_pairs"] == 3 * n for pair in found["pairs"] if "zero_shot" not in pair.values())
    assert all(np.isfinite(pair["difference"]) and np.isfinite(pair["low"]) == (n == 3) for pair in found["pairs"])
