"""Which prompt for a target: sources of all methods in order, the hand-written prompt where it is to be kept, what similarities pick."""

import re
from html import unescape

import numpy as np
import pytest

from browser import CONFIG, browse, embedded, needs_browser
from made_up_answers import METRIC, columns
from promptatlas.analysis import statistics
from promptatlas.analysis.pairs.table import pairs
from promptatlas.report import page
from promptatlas.report.page.ranking import MOST
from synthetic_study import similarity_table, tasks_table, transfer_table, tuning_table

N = 8
BLIND = f"task_{N - 1:02d}"  # nothing is known of its single images
HOPELESS = "task_02"  # all prompts of other tasks are worse than the hand-written one


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


def test_lines_are_all_methods_sources_in_order(written):
    _, table, path = written
    ranking = embedded(path)["ranking"]["frozen"]
    for target, found in ranking.items():
        own = table[(table["target"] == target) & (table["kind"] != "own")].set_index(["method", "source"])
        assert found["sources"] == len(own) == 2 * N and len(found["lines"]) == MOST
        key = "gain" if target == BLIND else "prompt_gain"
        order = own[key].sort_values(ascending=False, kind="stable").head(MOST)
        assert [own.at[(line[0], line[1]), key] for line in found["lines"]] == pytest.approx([*order])
        for line in found["lines"]:
            row = own.loc[(line[0], line[1])]
            names = ("gain", "low", "high", "prompt_seed", "prompt_gain", "prompt_low", "prompt_high", "chance_best")
            known = ("gain",) if target == BLIND else names
            assert line[2:] == [pytest.approx(float(row[name]), rel=1e-4) if name in known else None for name in names]
        leads = own[own["decision"] != ""]
        assert found["decision"] == (None if target == BLIND else [leads["decision"].iloc[0], *leads.index[0]])
        assert found["reason"] == (METRIC if target == BLIND else "")
    assert ranking[HOPELESS]["decision"][0] == "keep"


def test_what_the_first_place_is_worth_is_told_by_a_seed_that_did_not_choose(written):
    transfer, _, path = written
    for target, found in embedded(path)["ranking"]["frozen"].items():
        own = transfer[(transfer["target"] == target) & ~transfer["source"].isin([target, "template"])]
        zero = transfer[(transfer["target"] == target) & (transfer["source"] == "template")]["score"].iloc[0]
        wide = own.pivot_table(index=["method", "source"], columns="seed", values="score")
        worth = []
        for seed in wide.columns:
            others = wide.drop(columns=seed).mean(axis=1)
            worth.append(wide.loc[np.isclose(others, others.max(), atol=1e-12), seed].mean() - zero)
        assert found["held_out"] == pytest.approx(100 * np.mean(worth), rel=1e-3, abs=1e-3)


def shown(path, tmp_path, address):
    document = re.sub(r"<script.*?</script>", "", browse(path, tmp_path, address), flags=re.S)
    part = document.partition('id="choosing-words"')[2].partition('id="ranking"')[0]
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", part))).replace("\u202f", " ")


def points(number):
    return f"{number:+.1f}".replace("-", "−")


@needs_browser
def test_the_hand_written_prompt_stands_first_where_it_is_to_be_kept(written, tmp_path):
    words = shown(written[2], tmp_path, f"#method=coop&ranked={HOPELESS}")
    assert "Keep the hand-written prompt" in words
    assert words.index("keep the hand-written prompt") < words.index(" 1 ")
    used = next(
        target for target, one in embedded(written[2])["ranking"]["frozen"].items() if one["decision"] and one["decision"][0] == "use"
    )
    words = shown(written[2], tmp_path, f"#method=coop&ranked={used}")
    assert "keep the hand-written" not in words and ("Use the prompt of" in words or "No other task is needed" in words)
    _, _, *numbers = embedded(written[2])["ranking"]["frozen"][used]["lines"][0]
    gain, low, high, _, expected, expected_low, expected_high, _ = numbers
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
        assert f"Task {int(pick[-2:])} {points(100 * (means[pick] - zero))} {cost}" in words


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
