"""The table `statistics` and summary.json of made-up studies with planted effects."""

import json
import math

import numpy as np
import pandas as pd
import pytest

from promptatlas.analysis import statistics
from promptatlas.analysis.statistics import permutation
from promptatlas.analysis.statistics.matrices import collect
from promptatlas.analysis.statistics.scales import matrix, seed_mean
from promptatlas.base.errors import UserError
from synthetic_study import FAMILIES, similarity_table, tasks_table, transfer_table
from tiers import mostly_slow

N = 14


@pytest.fixture(scope="module")
def study():
    return transfer_table(N), similarity_table(N), tasks_table(N)


@pytest.fixture(scope="module")
def table(study):
    return statistics.analyse(*study, permutations=999)


@pytest.fixture(scope="module")
def summary(study, table):
    transfer, similarity, tasks = study
    return statistics.summary(transfer, similarity, table, tasks)


def pick(table, **wanted):
    return table[np.logical_and.reduce([table[key] == value for key, value in wanted.items()])]


def test_columns_are_those_of_the_contract(table):
    assert list(table.columns) == [
        "response", "method", "protocol", "measure", "estimate", "low", "high", "p", "test", "n_tasks", "n_permutations",
        "confirmatory", "p_holm", "n_cells", "reason",
    ]  # fmt: skip
    assert table["estimate"].notna().all() and (table["reason"] == "").all()
    assert (table["n_cells"] > 0).all()
    assert table["p"].dropna().between(0, 1).all()
    inside = table.dropna(subset=["low"])
    assert ((inside["low"] <= inside["estimate"] + 1e-12) & (inside["estimate"] <= inside["high"] + 1e-12)).all()


def test_planted_relationship_is_found_and_noise_is_not(table):
    rows = pick(table, test="two_way", response="logit_gain", method="coop").set_index("measure")
    assert rows.loc["vis_frechet", "p"] <= 0.002 and rows.loc["vis_frechet", "low"] > 0.2
    assert rows.loc["lab_cover", "p"] > 0.01 and abs(rows.loc["lab_cover", "estimate"]) < 0.25


def test_correlation_in_the_table_is_that_of_the_matrices(study, table):
    transfer, similarity, tasks = study
    response = seed_mean(matrix(collect(transfer, tasks)[0], "logit_gain"))
    names = sorted(tasks["task"])
    close = similarity[similarity.measure == "vis_frechet"].pivot(index="source", columns="target", values="value")
    expected = permutation.correlation(response, close.loc[names, names].to_numpy())
    found = pick(table, test="two_way", response="logit_gain", method="coop", measure="vis_frechet")["estimate"].item()
    assert found == pytest.approx(expected)


def test_truth_is_tested_but_is_no_measure_to_correct_for(table):
    assert "factor_overlap" in set(pick(table, test="two_way")["measure"])
    assert "factor_overlap" not in set(pick(table, test="two_way_max_t")["measure"])


def test_only_declared_measures_on_the_primary_scale_are_confirmatory(study, table):
    confirmed = table[table["confirmatory"]]
    assert set(confirmed["measure"]) == {"vis_frechet", "lab_cover"}
    assert set(confirmed["response"]) == {"logit_gain"} and set(confirmed["test"]) == {"two_way"}
    other = statistics.analyse(*study, permutations=9, primary=["lab_cover"])
    assert set(other[other["confirmatory"]]["measure"]) == {"lab_cover"}


def test_gain_in_points_and_raw_score_have_the_same_relationship_part(study):
    transfer, _, tasks = study
    scores = collect(transfer, tasks)[0]
    one, other = (permutation.residual(seed_mean(matrix(scores, scale))) for scale in ("raw", "gain_points"))
    assert one == pytest.approx(other)


@pytest.mark.slow
def test_variance_shares_follow_the_planted_effects():
    rows = []
    for seed in range(6):
        planted = transfer_table(16, methods=("coop",), source=0.3, target=0.6, pair=0.4, noise=0.3, seed=seed)
        found = statistics.analyse(planted, similarity_table(16), tasks_table(16), permutations=1)
        rows.append(pick(found, test="variance_share", response="logit_gain").set_index("measure")["estimate"])
    total = 0.3**2 + 0.6**2 + 0.4**2 + 0.3**2
    expected = pd.Series({"target": 0.6**2, "source": 0.3**2, "relationship": 0.4**2, "seed": 0.3**2}) / total
    assert pd.concat(rows, axis=1).mean(axis=1)[expected.index].to_numpy() == pytest.approx(expected.to_numpy(), abs=0.1)


def test_methods_that_share_the_planted_relationship_agree(table):
    row = pick(table, test="agreement", response="logit_gain")
    assert row["method"].tolist() == ["coop~vpt"] and row["estimate"].item() > 0.8 and row["p"].item() <= 0.002


def test_a_good_measure_beats_random_picks(table):
    rows = pick(table, test="regret@1_share", method="coop").set_index("measure")["estimate"]
    assert rows["ctrl_random"] == pytest.approx(1) and rows["vis_frechet"] < 0.8


def test_results_do_not_depend_on_row_order_and_repeat(study, table):
    transfer, similarity, tasks = study
    shuffled = [one.sample(frac=1, random_state=1) for one in (transfer, similarity, tasks)]
    again = statistics.analyse(*shuffled, permutations=999)
    keys = ["response", "method", "protocol", "measure", "test"]
    one, other = (frame.sort_values(keys).reset_index(drop=True) for frame in (table, again))
    pd.testing.assert_frame_equal(one[["estimate", "low", "high", "p"]], other[["estimate", "low", "high", "p"]])


def test_tasks_without_enough_cells_are_left_out_and_counted(study):
    transfer, similarity, tasks = study
    missing = transfer[~((transfer.source == "task_03") & (transfer.target != "task_03"))]
    found = pick(statistics.analyse(missing, similarity, tasks, permutations=9), test="two_way")
    assert set(found["n_tasks"]) == {N - 1}


def test_a_few_missing_cells_change_little(study, table):
    transfer, similarity, tasks = study
    missing = (transfer.source == "task_03") & (transfer.target == "task_05")
    found = statistics.analyse(transfer[~missing], similarity, tasks, permutations=99)
    wanted = {"test": "two_way", "response": "logit_gain", "method": "coop", "measure": "vis_frechet"}
    assert pick(found, **wanted)["estimate"].item() == pytest.approx(pick(table, **wanted)["estimate"].item(), abs=0.05)
    keys = ["response", "method", "test", "measure"]
    before, after = (one[one["test"].isin(["variance_share", "reliability"])].set_index(keys)["estimate"] for one in (table, found))
    assert after[before.index].to_numpy() == pytest.approx(before.to_numpy(), abs=0.03)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_small_studies_give_what_can_be_given(n):
    found = statistics.analyse(transfer_table(n), similarity_table(n), tasks_table(n), permutations=99)
    tried = pick(found, test="two_way")
    assert (tried["estimate"].notna() == (n >= 4)).all() and ((tried["reason"] == "") == (n >= 4)).all()
    assert set(tried["measure"]) == {"vis_frechet", "lab_cover", "factor_overlap"}
    assert statistics.summary(transfer_table(n), similarity_table(n), found, tasks_table(n))["n_tasks"] == n


def test_constant_scores_and_measures_are_listed_with_their_reason(study):
    transfer, similarity, tasks = study
    flat = transfer.assign(score=0.5)
    found = statistics.analyse(flat, similarity, tasks, permutations=9)
    for test in ("two_way", "agreement", "variance_share"):
        rows = pick(found, test=test, response="raw")
        assert rows["estimate"].isna().all() and set(rows["reason"]) == {"all scores are the same"}, test
    assert (found["estimate"].isna() == (found["reason"] != "")).all()
    told = statistics.summary(flat, similarity, found, tasks)
    assert told["correlations"] == [] and {one["reason"] for one in told["not_tested"]} == set(pick(found, test="two_way")["reason"])
    alike = similarity.assign(value=similarity["value"].where(similarity["measure"] != "lab_cover", 1.0))
    found = pick(statistics.analyse(transfer, alike, tasks, permutations=9), test="two_way").set_index("measure")
    assert found.loc[["vis_frechet", "factor_overlap"], "estimate"].notna().all()
    assert found.loc["lab_cover", "estimate"].isna().all() and set(found.loc["lab_cover", "reason"]) == {"the same for all pairs of tasks"}


def test_no_permutations_is_a_clear_error(study):
    with pytest.raises(UserError, match="permutations"):
        statistics.analyse(*study, permutations=0)


def test_summary_is_plain_json_and_counts_cells(summary, study):
    json.dumps(summary, allow_nan=False)
    assert summary["n_cells"] == N * N * 2 * 3 and summary["n_calibration_cells"] == 2 * N * 2 * 3
    assert summary["n_missing_cells"] == 0 and sorted(summary["order"]) == sorted(study[2]["task"])


def test_summary_numbers_equal_simple_group_means(summary, study):
    transfer, _, tasks = study
    assert summary["zero_shot_chance_corrected_mean"] == pytest.approx(0.3)
    own = transfer[(transfer.source == transfer.target) & (transfer.method == "vpt")]
    zero = tasks.set_index("task")["zero_shot"]
    gain = 100 * (own.groupby("target")["score"].mean() - zero)
    entry = next(one for one in summary["by_method"] if one["method"] == "vpt")
    assert entry["own_gain_points_mean"] == pytest.approx(gain.mean())
    assert entry["own_gain_points_worst"] == pytest.approx(gain.min())


def test_starts_from_other_tasks_are_held_against_one_from_scratch(study, summary):
    transfer, similarity, tasks = study
    tuned = transfer.assign(protocol="init")
    found = statistics.analyse(tuned, similarity, tasks, permutations=9)
    entry = statistics.summary(tuned, similarity, found, tasks)["by_method"][0]
    own = tuned[tuned.method == entry["method"]].groupby(["source", "target"])["score"].mean().unstack()
    names = sorted(tasks["task"])
    gap = 100 * (own.loc[names, names] - own.loc["scratch", names])
    others = gap.to_numpy()[~np.eye(len(names), dtype=bool)]
    over = entry["over_scratch"]
    assert over["points_mean"] == pytest.approx(others.mean()) and over["helps_share"] == pytest.approx((others > 0).mean())
    assert over["low"] < over["points_mean"] < over["high"]
    assert all(one["over_scratch"] is None for one in summary["by_method"])


def test_summary_names_the_tasks_at_ceiling(study):
    transfer, similarity, tasks = study
    top = transfer.assign(score=transfer["score"].where(~((transfer.source == transfer.target) & (transfer.target == "task_02")), 1.0))
    found = statistics.analyse(top, similarity, tasks, permutations=9)
    assert statistics.summary(top, similarity, found, tasks)["tasks_at_ceiling"] == ["task_02"]


def test_summary_prints_the_statistics_it_was_given(summary, table):
    for record in summary["correlations"]:
        row = pick(table, test="two_way", **{key: record[key] for key in ("response", "method", "protocol", "measure")}).iloc[0]
        assert record["estimate"] == pytest.approx(row["estimate"]) and record["p"] == pytest.approx(row["p"])
    assert len(FAMILIES) < N and all(record["p_blocks"] is not None for record in summary["correlations"])


def test_holm_allows_for_all_confirmatory_tests_and_for_no_other(table):
    """Each counts with the larger of its two p: by renaming any task, and beyond family."""
    confirmed = table[table["confirmatory"]]
    assert len(confirmed) == 4  # two methods, two primary measures
    keys = ["response", "method", "protocol", "measure"]
    beyond = pick(table, test="two_way_blocks").set_index(keys)["p"]
    both = [max(row["p"], beyond[tuple(row[key] for key in keys)]) for _, row in confirmed.iterrows()]
    assert confirmed["p_holm"].to_numpy() == pytest.approx(permutation.holm(np.array(both)))
    assert table.loc[~table["confirmatory"], "p_holm"].isna().all()


def families_alone(n=15, size=3) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """A study in which transfer and all measures know who is of one family, and nothing else in common."""
    family = np.arange(n) // size
    shared = 2.0 * (family[:, None] == family[None, :])
    tasks = tasks_table(n).assign(family=[f"kind {one}" for one in family])
    transfer, similarity = transfer_table(n, methods=("coop",), pair=0.0), similarity_table(n)
    place = {name: index for index, name in enumerate(tasks["task"])}
    pairs = [(place.get(one), place[other]) for one, other in zip(transfer["source"], transfer["target"], strict=True)]
    moved = np.array([0.0 if i is None else shared[i, j] for i, j in pairs])
    odds = np.log(transfer["score"] / (1 - transfer["score"])) + moved
    values = [shared[place[one], place[other]] for one, other in zip(similarity["source"], similarity["target"], strict=True)]
    close = np.random.default_rng(0).normal(size=len(values)) + np.array(values)
    return transfer.assign(score=1 / (1 + np.exp(-odds))), similarity.assign(value=close), tasks


def test_what_families_alone_explain_is_neither_established_nor_marked():
    transfer, similarity, tasks = families_alone()
    found = statistics.analyse(transfer, similarity, tasks, permutations=999)
    records = [one for one in statistics.summary(transfer, similarity, found, tasks)["correlations"] if one["response"] == "logit_gain"]
    assert len(records) == 3 and all(one["p"] < 0.01 and one["p_blocks"] > 0.05 for one in records)
    assert not any(one["established"] or one["significant"] for one in records)
    assert all(one["p_holm"] >= one["p_blocks"] for one in records if one["confirmatory"])
    apart = tasks.assign(family="own")
    found = statistics.analyse(transfer, similarity, apart, permutations=999)
    told = statistics.summary(transfer, similarity, found, apart)
    assert any(one["established"] for one in told["correlations"]) and not told["families"]["beyond"]


@pytest.mark.parametrize("family", mostly_slow(["own", "", None, "birds"], ["own", "birds"]), ids=["own", "empty", "missing", "one"])
def test_without_families_that_repeat_there_is_no_test_beyond_them(study, family):
    """Tasks without a family are each their own; with one family for all, renaming inside it is renaming any task."""
    transfer, similarity, tasks = study
    alone = tasks.assign(family=family)
    found = statistics.analyse(transfer, similarity, alone, permutations=99)
    assert not any("blocks" in test for test in found["test"])
    told = statistics.summary(transfer, similarity, found, alone)
    assert told["families"] == {"n": 1 if family == "birds" else N, "beyond": False, "smallest_p": None}
    assert all(one["p_blocks"] is None for one in [*told["correlations"], *told["agreement"]])
    assert any(one["established"] for one in told["correlations"])


def test_a_family_given_for_some_own_tasks_is_asked_for(study):
    transfer, similarity, tasks = study
    some = tasks.assign(family=["birds"] * 3 + ["own"] * (N - 3))
    found = statistics.analyse(transfer, similarity, some, permutations=99)
    assert {"two_way_blocks", "two_way_blocks_min_p", "agreement_blocks"} <= set(found["test"])
    told = statistics.summary(transfer, similarity, found, some)["families"]
    assert told == {"n": N - 2, "beyond": True, "smallest_p": pytest.approx(1 / (math.factorial(3) * math.factorial(N - 3)))}


def test_only_a_confirmatory_link_is_called_established(summary):
    for record in summary["correlations"]:
        confirmed = record["confirmatory"] and record["response"] == "logit_gain"
        assert record["established"] == (confirmed and record["p_holm"] < 0.05)
    established = {(one["method"], one["measure"]) for one in summary["correlations"] if one["established"]}
    assert established == {("coop", "vis_frechet"), ("vpt", "vis_frechet")}


def test_very_sparse_similarity_gives_no_interval_but_an_estimate(study):
    """Most tasks have a value for two others only, so leaving one task out leaves too few cells of its neighbours."""
    transfer, similarity, tasks = study
    names = sorted(tasks["task"])
    place = {name: index for index, name in enumerate(names)}
    apart = (similarity["target"].map(place) - similarity["source"].map(place)) % N
    kept = apart.isin([1, 2]) | ((apart == 5) & (similarity["source"] < names[3]))
    sparse = similarity[(similarity["measure"] != "vis_frechet") | kept]
    found = statistics.analyse(transfer, sparse, tasks, permutations=9)
    row = pick(found, test="two_way", response="logit_gain", method="coop", measure="vis_frechet").iloc[0]
    assert np.isfinite([row["estimate"], row["p"]]).all() and np.isnan([row["low"], row["high"]]).all()
    statistics.summary(transfer, sparse, found, tasks)


def test_starts_of_one_seed_have_no_interval(study):
    """What all tasks of a seed have in common cannot be told from one seed."""
    transfer, similarity, tasks = study
    tuned = transfer[transfer["seed"] == 1].assign(protocol="init")
    found = statistics.analyse(tuned, similarity, tasks, permutations=9)
    over = statistics.summary(tuned, similarity, found, tasks)["by_method"][0]["over_scratch"]
    assert over["low"] is None and over["high"] is None and over["points_mean"] is not None


def test_every_p_of_the_page_has_a_test_of_its_own_in_the_calibration(table):
    """A test that is added to the table `statistics` is added to `promptatlas calibrate` as well."""
    tested = set(table.loc[table["p"].notna(), "test"])
    assert tested == {
        "two_way", "two_way_max_t", "two_way_blocks", "two_way_blocks_min_p", "agreement", "agreement_blocks",
        "regret@1", "regret@3", "regret@5",
    }  # fmt: skip
