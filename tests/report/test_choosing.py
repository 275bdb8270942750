"""Which prompt for a target: sources of all methods in order, the zero-shot prompt where it is to be kept, what similarities pick."""

import re
from html import unescape

import numpy as np
import pandas as pd
import pytest

from browser import CONFIG, browse, embedded, needs_browser
from made_up_answers import METRIC, columns
from promptatlas.analysis import statistics
from promptatlas.analysis.pairs.table import pairs
from promptatlas.report import page
from promptatlas.report.page.pair_columns import OVER
from promptatlas.report.page.ranking import MOST
from synthetic_study import similarity_table, tasks_table, transfer_table, tuning_table

N = 8
BLIND = f"task_{N - 1:02d}"  # nothing is known of its single images
HOPELESS = "task_02"  # all prompts of other tasks are worse than the zero-shot one


def made(**changes):
    transfer = transfer_table(N, pair=0.9, **changes)
    worse = (transfer["target"] == HOPELESS) & ~transfer["source"].isin(["template", HOPELESS])
    transfer["score"] = transfer["score"].where(~worse, 0.4 * transfer["score"])
    return transfer, pairs(columns(transfer))


def write(path, transfer, table):
    tasks, similarity = tasks_table(N), similarity_table(N)
    summary = statistics.summary(transfer, similarity, statistics.analyse(transfer, similarity, tasks, permutations=9), tasks, pairs=table)
    tables = {"transfer": transfer, "tasks": tasks, "similarity": similarity, "tuning": tuning_table(N)}
    page.write(tables | ({} if table is None else {"pairs": table}), CONFIG, [], path, summary)
    return path


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    transfer, table = made()
    return transfer, table, write(tmp_path_factory.mktemp("choosing") / "report.html", transfer, table)


def test_files_are_those_of_all_methods_in_order(written):
    _, table, path = written
    ranking = embedded(path)["ranking"]["frozen"]
    assert set(ranking) == set(table["target"])
    for target, found in ranking.items():
        own = table[(table["target"] == target) & table["prompt_gain"].notna()].set_index(["method", "source"])
        assert len(found["files"]) == min(MOST, len(own)) == (0 if target == BLIND else MOST)
        order = own["prompt_gain"].sort_values(ascending=False, kind="stable").head(MOST)
        assert [own.at[(line[0], line[1]), "prompt_gain"] for line in found["files"]] == pytest.approx([*order])
        for line in found["files"]:
            row = own.loc[(line[0], line[1])]
            names = ("prompt_seed", "prompt_gain", "prompt_low", "prompt_high", "chance_best")
            assert line[2:] == [pytest.approx(float(row[name]), rel=1e-4) for name in names]
        leads = table[(table["target"] == target) & (table["decision"] != "")].set_index(["method", "source"])
        assert found["decision"] == (None if target == BLIND else [leads["decision"].iloc[0], *leads.index[0]])
        assert found["reason"] == (METRIC if target == BLIND else "")
    assert ranking[HOPELESS]["decision"][0] == "keep"


def wide_gains(transfer, target, baseline):
    """By method and source of a target, its gains by seed over a baseline, points."""
    own = transfer[transfer["target"] == target].pivot_table(index=["method", "source"], columns="seed", values="score")
    names = [name for name in own.index if name[1] not in (target, "template")]
    tasks = [name for name in names if name[1] != "scratch"]
    zero = transfer[(transfer["target"] == target) & (transfer["source"] == "template")]["score"].iloc[0]
    over = {
        "zero_shot": lambda method: zero,
        "untuned": lambda method: own.loc[(method, "scratch")],
        "own": lambda method: own.loc[(method, target)],
        "average": lambda method: own.loc[[name for name in tasks if name[0] == method]].mean(),
    }[baseline]
    return 100 * pd.DataFrame({name: own.loc[name] - over(name[0]) for name in names}).T


def worth_of_first(wide):
    """Of what the mean of the other seeds puts first, in the seed left out, mean over seeds."""
    worth = []
    for seed in wide.columns:
        others = wide.drop(columns=seed).mean(axis=1)
        worth.append(wide.loc[np.isclose(others, others.max(), atol=1e-9), seed].mean())
    return np.mean(worth)


READ = """([target, baseline, seeds]) => {
  set({ranked: target, baseline, seeds, method: "coop"});
  const best = bestSources(target);
  return {every: targetSources(target).map(one => [one.method, one.source, one.gain, one.low, one.high]),
    held: document.getElementById("choosing-words").innerText.match(/gains (\\S+) points over zero-shot here/)[1],
    best: best.map(one => [one.source, one.apparent]),
    held_best: best[0].heldOut, words: document.getElementById("choosing-words").innerText,
    table: document.getElementById("choosing").innerText, row: document.querySelector("#best tbody tr:nth-child(2)").innerText,
    ranked: document.querySelector("#ranking svg").getAttribute("aria-label")};
}"""


@needs_browser
def test_lists_and_places_follow_baseline_and_seeds(written, show):
    transfer, table, path = written
    page_shown = show(path, "#order=name")
    for baseline, seeds in [("zero_shot", None), ("untuned", None), ("own", None), ("average", None), ("untuned", "1,3")]:
        found = page_shown.evaluate(READ, ["task_01", baseline, seeds])
        wide = wide_gains(transfer, "task_01", baseline)[[1, 3] if seeds else [1, 2, 3]]
        means = wide.mean(axis=1)
        assert len(found["every"]) == 2 * N and {tuple(one[:2]) for one in found["every"]} == set(means.index)
        zero = wide_gains(transfer, "task_01", "zero_shot")[wide.columns]
        order = zero.mean(axis=1).sort_values(ascending=False, kind="stable")
        assert [one[2] for one in found["every"]] == pytest.approx([*means[order.index]], abs=2e-3)
        assert float(found["held"].replace("−", "-")) == pytest.approx(worth_of_first(zero), abs=0.053)
        coop = wide.loc["coop"].drop("scratch")
        first = coop.mean(axis=1).sort_values(ascending=False).head(3)
        assert [one[1] for one in found["best"]] == pytest.approx([*first], abs=2e-3) and found["best"][0][0] == first.index[0]
        assert found["held_best"] == pytest.approx(worth_of_first(coop), abs=2e-3)
        ends = coop.loc[first.index[0]]
        said = f"{round(first.iloc[0]):+d} [{round(ends.min()):+d}, {round(ends.max()):+d}] place: {round(found['held_best']):+d}"
        assert said.replace("-", "−").replace("+0", "0") in " ".join(found["row"].split())
        rows = table[table["target"] == "task_01"].set_index(["method", "source"])
        for method, source, _, low, high in found["every"]:
            begin = OVER[baseline]
            known = None if seeds else [rows.at[(method, source), f"{begin}{end}"] for end in ("low", "high")]
            assert [low, high] == ([None, None] if known is None or np.isnan(known[0]) else [pytest.approx(one, abs=2e-3) for one in known])
        judged = "chance of being best" in found["table"]
        assert ("mean score, %" in found["table"]) == (seeds is not None), "of several methods gains over their own do not stand in order"
        assert judged == (seeds is None) and (seeds is None or "prompts of all seeds together" in found["words"])


@needs_browser
def test_the_means_of_the_page_are_those_of_the_summary(written, show):
    """What is worked out on the page for any choice is for the first one what summary.json has."""
    summary = embedded(written[2])["summary"]
    told = next(one for one in summary["by_method"] if one["method"] == "coop")["best_sources"]
    found = show(written[2], "#method=coop").evaluate(
        "SUMMARY.order.map(target => [target, bestSources(target).map(one => [one.source, one.apparent, one.heldOut])])"
    )
    for target, best in found:
        expected = next(one["sources"] for one in told["targets"] if one["target"] == target)
        assert [one[0] for one in best] == [one["source"] for one in expected]
        for one, known in zip(best, expected, strict=True):
            assert one[1:] == [pytest.approx(known["apparent"], abs=2e-3), pytest.approx(known["held_out"], abs=2e-3)]


def shown(path, tmp_path, address):
    document = re.sub(r"<script.*?</script>", "", browse(path, tmp_path, address), flags=re.S)
    part = document.partition('id="choosing-words"')[2].partition('id="ranking"')[0]
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", part))).replace("\u202f", " ")


def points(number):
    return f"{number:+.1f}".replace("-", "−")


@needs_browser
def test_the_hand_written_prompt_stands_first_where_it_is_to_be_kept(written, tmp_path):
    words = shown(written[2], tmp_path, f"#method=coop&ranked={HOPELESS}")
    assert "Keep the zero-shot prompt" in words
    assert words.index("keep the zero-shot prompt") < words.index(" 1 ")
    used = next(
        target for target, one in embedded(written[2])["ranking"]["frozen"].items() if one["decision"] and one["decision"][0] == "use"
    )
    words = shown(written[2], tmp_path, f"#method=coop&ranked={used}")
    words, _, picks = words.partition("What each similarity would have picked")
    assert (
        "keep the zero-shot prompt" in picks
        and "keep the zero-shot" not in words
        and ("Use the prompt of" in words or "No other task is needed" in words)
    )
    method, source, _, expected, expected_low, expected_high, _ = embedded(written[2])["ranking"]["frozen"][used]["files"][0]
    row = written[1].set_index(["method", "source", "target"]).loc[(method, source, used)]
    gain, low, high = row["gain"], row["low"], row["high"]
    assert f"{points(expected)} [{points(expected_low)}, {points(expected_high)}]" in words
    assert f"{points(gain)} [{points(low)}, {points(high)}]" in words and "in the seed left out" in words


@needs_browser
def test_what_each_similarity_picks_and_costs(written, tmp_path):
    transfer, _, path = written
    words = shown(path, tmp_path, "#method=vpt&ranked=task_01")
    own = transfer[(transfer["method"] == "vpt") & (transfer["target"] == "task_01") & transfer["source"].str.startswith("task")]
    means = own[own["source"] != "task_01"].groupby("source")["score"].mean()
    zero = tasks_table(N).set_index("task").at["task_01", "zero_shot"]
    near = similarity_table(N)
    for measure in ("vis_frechet", "lab_cover"):
        close = near[(near["measure"] == measure) & (near["target"] == "task_01") & (near["source"] != "task_01")].set_index("source")[
            "value"
        ]
        pick = close.idxmax()
        cost = points(100 * (means[pick] - means.max())) if pick != means.idxmax() else "0.0"
        gain = points(100 * (means[pick] - zero))
        assert f"Task {int(pick[-2:])} {gain} {cost} {gain}" in words, (
            "over zero-shot it is what it gains over keeping the zero-shot prompt"
        )
    top = points(100 * (means.max() - zero))
    assert f"the best source, known afterwards Task {int(means.idxmax()[-2:])} {top} 0.0 {top}" in words
    assert f"keep the zero-shot prompt – 0.0 {points(-100 * (means.max() - zero))} 0.0" in words


@needs_browser
def test_what_cannot_be_told_is_said(written, tmp_path):
    words = shown(written[2], tmp_path, f"#ranked={BLIND}")
    assert f"How likely that is to be the best cannot be told: {METRIC}." in words and "chance of being best" not in words
    one = write(tmp_path / "one.html", *made(seeds=(3,)))
    words = shown(one, tmp_path, "#ranked=task_01")
    assert "With one seed nothing tells whether the source is good or was lucky." in words and "in the seed left out" not in words
    without = write(tmp_path / "without.html", made()[0], None)
    words = shown(without, tmp_path, "#ranked=task_01")
    assert "comes first by the mean over seeds" in words and "Infinity" not in words and "NaN" not in words and "undefined" not in words
