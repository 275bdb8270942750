"""The table `explained`, correlations over the noise ceiling, and their words: planted truths, sets, and what cannot be told."""

import numpy as np
import pandas as pd
import pytest

from promptatlas.analysis import explained_words, statistics
from promptatlas.analysis.statistics import masked, nulls, together
from promptatlas.analysis.statistics.analyse import similarity_rows
from promptatlas.analysis.statistics.reliability import decompose
from promptatlas.analysis.statistics.summary import plain
from synthetic_study import similarity_table, tasks_table, transfer_table

N = 12
APART = [f"task {number}" for number in range(N)]


def made_up(seed=0, n=N, seeds=3):
    """Scores of which `near` explains most and `far` nothing, and `near` twice as `alike`."""
    rng = np.random.default_rng(seed)
    near, far, noise, alike = rng.normal(size=(4, n, n))
    scores = near + 0.5 * rng.normal(size=(n, n)) + 0.7 * rng.normal(size=(seeds, n, n)) + 3 * rng.normal(size=n)
    return scores, {"near": near, "far": far, "alike": near + 0.2 * alike, "noise": noise}


def table(scores, measures, families=APART, permutations=199, **given):
    return pd.DataFrame(together.explained_rows(scores, measures, families, permutations, **given))


def pick(rows, what, measure=""):
    (row,) = rows[(rows["what"] == what) & (rows["measure"] == measure)].to_dict("records")
    return row


def test_one_measure_is_the_two_way_test_squared():
    study = transfer_table(N), similarity_table(N), tasks_table(N)
    one = study[1][study[1]["measure"] == "vis_frechet"]
    alone = statistics.analyse(study[0], one, study[2], permutations=199).set_index(["response", "method", "test", "measure"])
    found = statistics.explain(study[0], one, study[2], permutations=199).set_index(["response", "method", "what", "measure"])
    for method in ("coop", "vpt"):
        old, new = alone.sort_index().loc["logit_gain", method], found.sort_index().loc["logit_gain", method]
        link = old.loc["two_way", "vis_frechet"]
        assert new.loc["coefficient", "vis_frechet"][["estimate", "p"]].tolist() == pytest.approx(link[["estimate", "p"]].tolist())
        assert new.loc["together", ""]["estimate"] == pytest.approx(link["estimate"] ** 2) and new.loc["together", ""]["p"] == link["p"]
        assert new.loc["coefficient_blocks", "vis_frechet"]["p"] == old.loc["two_way_blocks", "vis_frechet"]["p"]
        assert new.loc["ceiling", ""]["estimate"] == pytest.approx(old.loc["reliability", "relationship"]["estimate"])
        ratio = old.loc["disattenuated", "vis_frechet"]
        assert ratio["estimate"] == pytest.approx(link["estimate"] / old.loc["noise_ceiling", "relationship"]["estimate"])
        assert new.loc["of_ceiling", ""]["estimate"] == pytest.approx(ratio["estimate"] ** 2)


def test_what_was_planted_is_found_and_nothing_is_added_by_noise():
    scores, measures = made_up()
    rows = table(scores, {"near": measures["near"], "far": measures["far"]})
    assert pick(rows, "together")["p"] <= 0.01 and pick(rows, "together")["estimate"] > 0.5
    assert pick(rows, "coefficient", "near")["p"] <= 0.01 < 0.05 < pick(rows, "coefficient", "far")["p"]
    assert pick(rows, "adds", "far")["estimate"] < 0.05 and pick(rows, "adds", "near")["estimate"] > 0.5
    assert pick(rows, "by_chance")["estimate"] == pytest.approx(2 / 109, abs=0.02)
    found = rows.dropna(subset=["low"])
    assert ((found["low"] <= found["estimate"] + 1e-9) & (found["estimate"] <= found["high"] + 1e-9)).all() and len(found) >= 5
    assert (rows["n_cells"] == N * (N - 1)).all() and (rows["n_tasks"] == N).all()


def test_the_interval_leaves_out_one_task_at_a_time():
    scores, measures = made_up()
    pair = {name: measures[name] for name in ("near", "far")}
    rows = table(scores, pair)
    rest = []
    for task in range(N):
        keep = np.delete(np.arange(N), task)
        part = table(scores[:, keep[:, None], keep], {name: one[np.ix_(keep, keep)] for name, one in pair.items()}, APART[:-1], 9)
        rest.append(pick(part, "coefficient", "near")["estimate"])
    error = np.sqrt((N - 1) / N * ((np.array(rest) - np.mean(rest)) ** 2).sum())
    row = pick(rows, "coefficient", "near")
    assert (row["high"] - row["low"]) / 2 == pytest.approx(2.200985 * error, rel=1e-5)  # t of 11 degrees of freedom


def test_measures_alike_are_said_to_be_so_and_copies_are_left_out():
    scores, measures = made_up()
    rows = table(scores, {"near": measures["near"], "alike": measures["alike"], "again": 2 * measures["near"]})
    assert pick(rows, "coefficient", "again")["reason"] == together.INDISTINCT
    assert pick(rows, "inflation", "near")["estimate"] > 10
    assert pick(rows, "together")["estimate"] >= pick(rows, "alone", "near")["estimate"]


def test_what_cannot_be_told_has_a_reason():
    scores, measures = made_up()
    one_seed = table(scores[:1], {"near": measures["near"]})
    for what in ("ceiling", "of_ceiling"):
        assert pick(one_seed, what)["reason"].startswith("one seed") and np.isnan(pick(one_seed, what)["estimate"])
    of_prompts = table(scores, {"near": measures["near"]}, of_prompts={"near"})
    assert pick(of_prompts, "of_ceiling")["reason"].startswith("near: made of the same prompts")
    assert pick(of_prompts, "ceiling")["estimate"] == pytest.approx(decompose(scores).reliability)
    nothing = table(scores, {"near": measures["near"], "none": np.full((N, N), np.nan), "flat": np.ones((N, N))})
    assert pick(nothing, "coefficient", "none")["reason"] == "no value for any pair of tasks"
    assert pick(nothing, "coefficient", "flat")["reason"] == "the same for all pairs of tasks"
    assert np.isfinite(pick(nothing, "coefficient", "near")["estimate"])
    few = table(
        scores[:, :4, :4],
        {f"m{k}": one[:4, :4] for k, one in enumerate(measures.values())} | {"m4": measures["near"][:4, :4] ** 2},
        APART[:4],
    )
    assert pick(few, "together")["reason"] == "too few cells for so many measures"
    four = table(scores[:, :4, :4], {"near": measures["near"][:4, :4]}, APART[:4])
    assert np.isfinite(pick(four, "together")["estimate"]) and np.isnan(pick(four, "together")["low"])


def test_a_share_above_the_ceiling_is_shown_as_it_is_and_said():
    found = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        near = rng.normal(size=(6, 6))
        found.append(table(near + 2 * rng.normal(size=(2, 6, 6)), {"near": near}, APART[:6], 9))
    rows = pd.concat(found)
    rows = rows[rows["what"] == "of_ceiling"]
    above = rows["estimate"] > 1
    assert above.any() and (above == rows["reason"].str.startswith("above 1")).all()


def links(scores, measure, of_prompts=()):
    """The rows `disattenuated` and `two_way` of one measure."""
    rows = similarity_rows(scores, {"measure": measure}, APART, pd.Series(APART, index=APART), set(), 1, of_prompts)
    found = {row["test"]: row for row in rows}
    return found["disattenuated"], found["two_way"]


def test_links_over_the_ceiling_recover_what_was_planted():
    found = []
    for seed in range(40):
        scores, _, measure = nulls.planted(nulls.PlantedEffects(), N, 3, np.random.default_rng(seed))
        row, link = links(scores, measure)
        assert row["estimate"] == pytest.approx(link["estimate"] / np.sqrt(decompose(scores).reliability))
        found.append((row["estimate"], row["low"] <= 0.5 <= row["high"]))
    mean, held = np.mean(found, axis=0)
    assert mean == pytest.approx(0.5, abs=0.04) and held >= 0.9
    row, _ = links(scores, measure, {"measure"})
    assert np.isnan(row["estimate"]) and row["reason"].startswith("made of the same prompts")
    row, _ = links(scores[:1], measure)
    assert np.isnan(row["estimate"]) and row["reason"].startswith("one seed")


def test_the_interval_over_the_ceiling_leaves_a_task_out_of_both():
    scores, _, measure = nulls.planted(nulls.PlantedEffects(), N, 2, np.random.default_rng(3))
    rest = []
    for task in range(N):
        keep = np.delete(np.arange(N), task)
        part, near = scores[:, keep[:, None], keep], measure[np.ix_(keep, keep)]
        rest.append(masked.correlation(part.mean(axis=0), near) / np.sqrt(decompose(part).reliability))
    row, _ = links(scores, measure)
    error = np.sqrt((N - 1) / N * ((np.array(rest) - np.mean(rest)) ** 2).sum())
    assert (row["high"] - row["low"]) / 2 == pytest.approx(2.200985 * error, rel=1e-5)  # t of 11 degrees of freedom


def more_measures(n=N):
    """`similarity_table` with a stronger visual measure and one of prompts, by method and seed."""
    near = similarity_table(n)
    strong = near[near["measure"] == "vis_frechet"].copy()
    other = similarity_table(n, seed=9)
    strong["value"] += 5 * other.loc[other["measure"] == "lab_cover", "value"].to_numpy()
    prompts = [
        strong.assign(measure="pr_delta", family="prompt", method="coop", seed=seed, value=strong["value"] + seed) for seed in (1, 2)
    ]
    return pd.concat([strong.assign(measure="vis_weak"), near, *prompts])


def test_sets_name_one_measure_of_each_family_and_the_strongest_where_it_is_another():
    transfer, tasks, near = transfer_table(N), tasks_table(N), more_measures()
    found = statistics.explain(transfer, near, tasks, permutations=19)
    found = found[found["response"] == "logit_gain"]
    sets = {key: set(part["measure"]) - {""} for key, part in found.groupby(["method", "set"])}
    assert sets["coop", "families"] == {"vis_frechet", "lab_cover", "pr_delta"} and sets["vpt", "families"] == {"vis_frechet", "lab_cover"}
    assert ("coop", "strongest") not in sets
    other = statistics.explain(transfer, near, tasks, permutations=19, primary=["vis_weak"])
    other = other[(other["response"] == "logit_gain") & (other["method"] == "vpt")]
    assert set(other.loc[other["set"] == "families", "measure"]) == {"", "vis_weak", "lab_cover"}
    strongest = other[other["set"] == "strongest"]
    assert set(strongest["measure"]) == {"", "vis_frechet", "lab_cover"}
    assert strongest.loc[strongest["what"] == "coefficient", "p"].isna().all() and pick(strongest, "together")["p"] <= 0.05
    assert set(strongest.loc[strongest["what"] == "coefficient", "reason"]) == {together.CHOSEN}
    named = statistics.explain(transfer, near, tasks, permutations=19, together=["factor_overlap", "vis_w2"])
    named = named[(named["response"] == "logit_gain") & (named["method"] == "vpt")]
    assert set(named["set"]) == {"named"} and np.isfinite(pick(named, "coefficient", "factor_overlap")["estimate"])
    assert pick(named, "coefficient", "vis_w2")["reason"] == "no value for any pair of tasks"


def test_every_set_is_told_in_words_from_the_numbers_of_the_summary():
    scores, measures = made_up()
    rows = table(scores, {"near": measures["near"], "far": measures["far"], "alike": measures["alike"]}, [f"f{k // 2}" for k in range(N)])
    (one,) = plain(together.records(rows.assign(response="raw", method="coop", protocol="frozen", set="families"), "raw"))
    told = explained_words.sentence(one, str.upper, str.title)
    assert told.startswith(("COOP: Near explains", "COOP: Alike explains"))
    for number in (one["together"]["estimate"], one["ceiling"]["estimate"]):
        assert explained_words.percent(number) in told
    assert (
        "beside all others" in told
        and "say nearly the same" in told
        and "beyond family" in told
        and "None" not in told
        and "nan" not in told
    )
    single = plain(
        together.records(table(scores[:1], {"near": measures["near"]}).assign(response="raw", method="m", protocol="p", set="given"), "raw")
    )[0]
    told, share = explained_words.sentence(single, str, str), explained_words.percent(single["together"]["estimate"])
    assert "cannot be told: one seed" in told and told.startswith(f"m: near explains {share}")
    assert told.count("explains") == 1 and "ogether" not in told and "That is" not in told
    nothing = plain(
        together.records(
            table(scores, {"none": np.full((N, N), np.nan)}).assign(response="raw", method="m", protocol="p", set="given"), "raw"
        )
    )[0]
    assert (
        explained_words.sentence(nothing, str, str) == "m: what similarity explains cannot be told, none: no value for any pair of tasks."
    )


def test_the_summary_has_both_tables_on_the_primary_scale():
    study = transfer_table(8), similarity_table(8), tasks_table(8)
    found = statistics.analyse(*study, permutations=19)
    explained, contrasts = statistics.explain(*study, permutations=19), statistics.contrast(*study)
    summary = statistics.summary(study[0], study[1], found, study[2], explained=explained, contrasts=contrasts)
    assert [(one["method"], one["set"]) for one in summary["explained"]] == [("coop", "families"), ("vpt", "families")]
    assert {one["response"] for one in summary["contrasts"] if one["what"] != "gain"} == {"logit_gain"}
    assert {one["response"] for one in summary["contrasts"] if one["what"] == "gain"} == {"logit_gain", "raw"}
    assert all(one["disattenuated"]["estimate"] for one in summary["correlations"])
    bare = statistics.summary(study[0], study[1], found, study[2])
    assert bare["explained"] == [] and bare["contrasts"] == []
