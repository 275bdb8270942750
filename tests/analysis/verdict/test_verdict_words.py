"""The verdict's sentences are right whatever there is: one seed, nothing that helps, nothing measured, a study that runs, any matrix."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from made_up_answers import columns
from promptatlas.analysis import statistics
from promptatlas.analysis.pairs.table import pairs
from promptatlas.analysis.verdict.words import _sure, topics
from promptatlas.report.any_matrix import analyse
from promptatlas.report.page.payload import names_of
from synthetic_study import similarity_table, tasks_table, transfer_table

N = 5
TITLES = {f"task_{place:02d}": f"Task {place}" for place in range(N)}


def told(summary, protocol="frozen", method="coop", names=None):
    """By topic its words; no number that is not there is in any of them."""
    found = topics(summary, protocol, method, names or names_of(TITLES))
    words = {one["topic"]: "".join(part if isinstance(part, str) else part["text"] for part in one["parts"]) for one in found}
    assert not [text for text in words.values() if re.search(r"\bNone\b(?! of)|\bnan\b|  |\+-", text) or text.count("(") != text.count(")")]
    json.dumps(found, allow_nan=False)
    return words


def summarised(transfer, with_pairs=True, **more):
    tasks, similarity = tasks_table(N), similarity_table(N)
    found = statistics.analyse(transfer, similarity, tasks, permutations=9)
    table = pairs(columns(transfer)) if with_pairs else None
    return statistics.summary(transfer, similarity, found, tasks, pairs=table, **more)


def changed(transfer, seed=None, **scores):
    """Prompts of other tasks with other scores: a function of what they are."""
    rows = transfer["source"].str.startswith("task") & (transfer["source"] != transfer["target"])
    return transfer.assign(score=transfer["score"].where(~rows, scores["score"](transfer["score"])))


def test_a_whole_study():
    transfer = transfer_table(N, source=0.6, pair=0.9)
    tasks, similarity = tasks_table(N), similarity_table(N)
    explained, contrasts = statistics.explain(transfer, similarity, tasks, 99), statistics.contrast(transfer, similarity, tasks)
    summary = summarised(transfer, explained=explained, contrasts=contrasts)
    words = told(summary)
    one = next(one for one in summary["verdict"]["by_method"] if one["method"] == "coop")
    assert words["Which pairs help"].startswith(f"CoOp: {one['n_helping']} of 20 pairs measured help: the source’s prompt beats both")
    assert (
        "in each of 3 seeds" in words["Which pairs help"]
        and "whichever of the two is harder to beat; in brackets 95\u202f% intervals over images and seeds." in words["Which pairs help"]
    )
    first = one["named"][0]
    named = (
        f"{TITLES[first['source']]} → {TITLES[first['target']]} ({first['gain']:+.1f} points [{first['low']:+.1f}, {first['high']:+.1f}]"
    )
    assert named.replace("-", "−") in words["Which pairs help"]
    assert f"would correlate {one['reliability']['estimate']:.2f}" in words["How sure that is"]
    share = summary["explained"][0]["together"]["estimate"]
    assert f"Similarity of tasks explains {100 * share:.{1 if share < 0.1 else 0}f}\u202f%" in words["What explains it"]
    assert "CoOp" in words["Which method"] and "VPT" in words["Which method"] and "points" in words["Which method"]
    assert "promptatlas recommend" in words["What next"]
    links = [part for one in topics(summary, "frozen", "coop", names_of(TITLES)) for part in one["parts"] if isinstance(part, dict)]
    place = {"protocol": "frozen", "method": "coop", "source": first["source"], "target": first["target"]}
    assert place | {"baseline": first["baseline"]} in [link.get("choose") for link in links]


def test_nothing_helps():
    transfer = changed(transfer_table(N), score=lambda score: 0.5 * score)
    words = told(summarised(transfer, contrasts=statistics.contrast(transfer, similarity_table(N), tasks_table(N))))
    assert words["Which pairs help"] == (
        "CoOp: no source helps another task. None of 20 pairs measured beats both zero-shot (the hand-written prompt)"
        " and the untuned prompt (as training starts), in each of 3 seeds."
    )
    assert "Not helped" not in words and "beyond doubt" not in words["How sure that is"]
    assert re.search(r"prompts lose \d+\.\d points against zero-shot\.", words["Which method"])


def test_everything_helps():
    words = told(summarised(changed(transfer_table(N), score=lambda score: 0.9 + 0.09 * score)))
    assert "20 of 20 pairs" in words["Which pairs help"] and words["Not helped"] == "Each of the 5 targets is helped by some source."
    assert "of the 16 that could be tested are beyond doubt" in words["How sure that is"]


def test_one_seed():
    words = told(summarised(transfer_table(N, seeds=(1,), pair=0.9)))
    first = words["Which pairs help"]
    assert re.match(r"CoOp: in \d+ of 20 pairs measured the source’s prompt beats both zero-shot \(the hand-written prompt\) and ", first)
    assert "in the one seed there is" in first and "over images alone" in first
    assert "with one seed nothing tells what they would give" in words["How sure that is"]
    assert words["What next"].startswith("Add seeds") and "correlate" not in words["How sure that is"]


@pytest.mark.parametrize(
    ("helping", "tested", "clear", "words"),
    [
        (1, 1, 1, "it is beyond doubt (adjusted p below .05)."),
        (1, 1, 0, "it is not beyond doubt (smallest adjusted p\u00a0=\u00a00.30)."),
        (4, 1, 1, "the one that could be tested is beyond doubt (adjusted p below .05)."),
        (4, 3, 0, "none of the 3 that could be tested is beyond doubt (smallest adjusted p\u00a0=\u00a00.30)."),
        (4, 4, 1, "1 of the 4 is beyond doubt (adjusted p below .05)."),
        (4, 4, 2, "2 of the 4 are beyond doubt (adjusted p below .05)."),
    ],
)
def test_how_sure_of_one_pair_or_several(helping, tested, clear, words):
    counts = {"n_helping": helping, "n_tested": tested, "n_clear": clear, "smallest_p": 0.3, "counts_seeds": True, "n_seeds": 3}
    assert _sure(counts) == [f"Some pairs look good by luck. Allowing for the number of pairs, {words}"]


@pytest.mark.parametrize(
    ("helping", "tested", "clear", "words"),
    [
        (4, 4, 0, "seeds; none of them is beyond doubt."),
        (4, 3, 1, "seeds; 1 of them is beyond doubt."),
        (4, 4, 2, "seeds; 2 of them are beyond doubt."),
        (4, 4, 4, "seeds; all of them are beyond doubt."),
        (1, 1, 1, "seeds; that is beyond doubt."),
        (1, 1, 0, "seeds; that is not beyond doubt."),
        (4, 0, 0, "seeds; whether that is luck is not tested."),
    ],
)
def test_the_number_of_pairs_stands_beside_how_sure_it_is(helping, tested, clear, words):
    summary = summarised(transfer_table(N, pair=0.9))
    one = next(one for one in summary["verdict"]["by_method"] if one["method"] == "coop")
    one |= {"n_helping": helping, "n_tested": tested, "n_clear": clear}
    assert f" {words}" in told(summary)["Which pairs help"]
    assert ("Least in doubt" in told(summary)["Which pairs help"]) == bool(tested and not clear)


def test_pairs_that_could_not_be_tested_have_their_reason():
    summary = summarised(transfer_table(N, pair=0.9))
    found = next(one for one in summary["pairs"] if one["method"] == "coop")
    found["reasons"] = [{"reason": "mAP is no mean", "n_pairs": 5}, {"reason": "another", "n_pairs": 1}]
    told_so = "6 of 20 pairs have no interval and could not be tested: mAP is no mean (and 1 other reason)."
    assert told_so in told(summary)["How sure that is"]
    found["reasons"] = []
    assert "no interval" not in told(summary)["How sure that is"]


def test_no_table_of_pairs():
    words = told(summarised(transfer_table(N, pair=0.9), with_pairs=False))
    assert "in brackets the range over seeds." in words["Which pairs help"]
    assert "about once in 8 cases" in words["How sure that is"]
    assert told(summarised(transfer_table(N, seeds=(4,), pair=0.9), with_pairs=False))["How sure that is"] == (
        "With one seed, how much of this is luck cannot be told."
    )


def test_nothing_is_measured_and_a_study_that_runs():
    empty = transfer_table(N).assign(score=np.nan)
    summary = summarised(empty, with_pairs=False)
    words = told(summary)
    assert words["Which pairs help"] == "CoOp: no pair of different tasks could be measured, with what it is compared with."
    assert words["What next"].startswith("150 cells are missing; “promptatlas status”")
    so_far = {"so_far": {"cells": 30, "all_cells": 70, "prompts": 4, "all_prompts": 30, "at": "now"}}
    words = told(summary | so_far)
    assert words["Which pairs help"] == "CoOp: no pair of different tasks is measured yet, with what it is compared with."
    assert words["What next"].startswith("30 of 70 cells are there; “promptatlas next”")
    some = transfer_table(N, pair=0.9)
    some = some[(some["target"] != "task_03") | (some["seed"] == 1)].reset_index(drop=True)
    words = told(summarised(some, with_pairs=False) | so_far)
    assert "of 16 pairs measured so far help" in words["Which pairs help"]
    assert "Not helped" not in words or "so far" in words["Not helped"]


def test_tuned_prompts_are_held_against_an_untrained_start():
    words = told(summarised(transfer_table(N, protocols=("init",), pair=0.9)), "init")
    assert "the untrained start (tuned as long)" in words["Which pairs help"] and "--tune 3" in words["What next"]


def test_a_summary_of_an_earlier_version_says_nothing():
    summary = summarised(transfer_table(N), with_pairs=False)
    del summary["verdict"]
    assert topics(summary, "frozen", "coop", names_of(TITLES)) == []


def given(baseline=None, seeds=3, **options):
    rng = np.random.default_rng(1)
    names = ["a", "b", "c", "d", "e"]
    rows = [
        ("m", seed, source, target, 50 * number + 1000)
        for seed in range(seeds) for source in names for target in names
        for number in [rng.normal(0.5, 1)]
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["method", "seed", "source", "target", "score"])
    return analyse(frame, baseline=baseline, permutations=9, **options)


@pytest.mark.parametrize("seeds", [1, 3])
def test_any_matrix_with_a_baseline(seeds):
    found = given(baseline=1010, seeds=seeds)
    [one] = found.summary["verdict"]["by_method"]
    table = found.tables["transfer"]
    gain = table[table["source"] != table["target"]].assign(gain=lambda rows: rows["raw"] - 1010).groupby(["source", "target"])["gain"]
    helping = gain.min()[gain.min() > 0].sort_values(ascending=False)
    assert one["n_helping"] == len(helping) and [(row["source"], row["target"]) for row in one["named"]] == [*helping.index][:5]
    assert found.summary["verdict"]["unit"] == "" and one["baselines"] == ["baseline"]
    words = told_of(found)
    assert "the source beats the baseline" in words["Which pairs help"] and "points" not in words["Which pairs help"]
    assert words["What next"].startswith("Give scores of more seeds" if seeds == 1 else "Choose a target")
    assert "--similarity FILE" in words["What explains it"]


def test_any_matrix_without_a_baseline_names_the_highest_scores():
    found = given()
    words = told_of(found)
    table = found.tables["transfer"]
    mean = table[table["source"] != table["target"]].groupby(["source", "target"])["raw"].mean().sort_values(ascending=False)
    source, target = mean.index[0]
    assert "nothing says what a score would be without a source" in words["Highest scores"]
    assert f"The highest scores: {source} → {target} ({mean.iloc[0]:.3g})" in words["Highest scores"]
    assert "How sure that is" in words and "Not helped" not in words


def told_of(found):
    from promptatlas.analysis.verdict.words import Names

    return told(found.summary, "matrix", found.summary["methods"][0], Names(str, str, lambda protocol, name: "the baseline", study=False))
