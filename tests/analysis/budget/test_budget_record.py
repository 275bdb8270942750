"""What to train when not everything can be, in summary.json and on the page, of studies and of any matrix."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from browser import CONFIG, browse, needs_browser
from promptatlas.analysis import statistics
from promptatlas.analysis.budget import gains, groups, record, sources
from promptatlas.analysis.budget.gains import GainsBySeed
from promptatlas.analysis.statistics.scales import seed_mean
from promptatlas.report import any_matrix, page
from synthetic_study import similarity_table, tasks_table, transfer_table, tuning_table

NAMES = tuple("abcdef")


def made_up(seeds=3, noise=3.0, tasks=NAMES, protocol="frozen") -> GainsBySeed:
    rng = np.random.default_rng(1)
    mean = rng.normal(-1, 6, (len(tasks), len(tasks)))
    return GainsBySeed(protocol, "coop", tasks, mean + noise * rng.standard_normal((seeds, *mean.shape)), "points", "the zero-shot prompt")


def test_it_is_what_the_functions_choose_and_judge():
    one = made_up()
    (found,) = record.records([one])
    mean = seed_mean(one.values)
    for row in found["sources"]:
        choice, judged = sources.choose_sources(mean, row["k"]), sources.judged(one.values, row["k"])
        assert row["gain"] == choice.value and [each["source"] for each in row["serves"]] == [NAMES[source] for source in choice.sources]
        assert (row["apparent"], row["held_out"], row["random"], row["as_good"]) == (
            judged.apparent, judged.held_out, judged.random, judged.as_good,
        )  # fmt: skip
        served = {target: each["source"] for each in row["serves"] for target in each["targets"]}
        assert served == {NAMES[target]: NAMES[source] for target, source in enumerate(choice.serves) if source != sources.NONE}
    most = len(sources.curve(mean)) - 1
    assert most == 4 and [row["k"] for row in found["sources"]] == [1, 2, 3], "a fifth source gains nothing"
    together = {tuple(each["tasks"]) for each in found["groups"]["groups"]} | {(name,) for name in found["groups"]["alone"]}
    assert together == {tuple(NAMES[task] for task in group) for group in groups.partition(mean)}
    assert found["groups"]["held_out"] == groups.judged(one.values).held_out and found["n_missing"] == 0


def test_a_prompt_of_the_target_itself_counts_nowhere():
    one = made_up()
    own = one.values + 1000 * np.eye(len(NAMES))
    again = GainsBySeed(one.protocol, one.method, one.tasks, own, one.unit, one.before)
    assert record.records([again]) == record.records([one])


def test_with_one_seed_what_a_choice_is_worth_elsewhere_is_not_known():
    (found,) = record.records([made_up(seeds=1)])
    assert np.isnan([found["sources"][0]["held_out"], found["groups"]["held_out"], found["sources"][0]["serves"][0]["often"]]).all()


def test_large_matrices_have_smaller_groups_and_very_large_ones_nothing():
    tasks = tuple(f"task {number}" for number in range(37))
    (found,) = record.records([made_up(seeds=1, tasks=tasks)])
    assert found["groups"]["largest"] == 2
    assert record.records([made_up(seeds=1, tasks=tuple(map(str, range(record.MOST_TASKS + 1))))]) == []


def test_where_nothing_gains_or_nothing_is_measured_nothing_is_chosen():
    one = made_up()
    worse = GainsBySeed(one.protocol, one.method, one.tasks, -np.abs(one.values) - 1, one.unit, one.before)
    (found,) = record.records([worse])
    assert found["sources"] == [] and found["groups"]["groups"] == [] and found["groups"]["alone"] == [*NAMES]
    missing = GainsBySeed(one.protocol, one.method, one.tasks, np.full_like(one.values, np.nan), one.unit, one.before)
    assert record.records([missing]) == []


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    transfer, tasks, similarity = transfer_table(6), tasks_table(6), similarity_table(6)
    tables = {"transfer": transfer, "tasks": tasks, "similarity": similarity, "tuning": tuning_table(6)}
    found = record.records(gains.of_tables(transfer, tasks))
    judged = statistics.analyse(transfer, similarity, tasks, permutations=9)
    summary = statistics.summary(transfer, similarity, judged, tasks, budget=found)
    path = tmp_path_factory.mktemp("budget") / "report.html"
    page.write(tables, CONFIG, [], path, summary)
    return found, path


def section(document: str) -> tuple[bool, str]:
    found = re.search(r'<section id="budget"([^>]*)>(.*?)</section>', document, re.S)
    words = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", found[2]))
    return "hidden" in found[1], words.replace("\u202f", " ").replace("\u2212", "-")


def points(number: float) -> str:
    return f"{number:+.1f}".replace("+0.0", "0.0").replace("-0.0", "0.0")


@needs_browser
def test_the_page_says_it_of_the_method_that_is_shown(written, tmp_path):
    found, path = written
    for one in found:
        hidden, words = section(browse(path, tmp_path, f"#method={one['method']}&protocol={one['protocol']}"))
        assert not hidden and f"mean over all {one['n_tasks']} targets" in words and "random sources there" in words
        for row in one["sources"]:
            assert f"{points(row['gain'])} points {points(row['held_out'])} points {points(row['random'])} points" in words
        assert f"All tasks: {points(one['groups']['gain'])} points" in words


@needs_browser
def test_of_a_matrix_with_a_baseline_the_page_says_it_and_without_one_it_is_silent(tmp_path):
    rows = [
        {"source": a, "target": b, "score": 0.5 + 0.01 * (i - j), "baseline": 0.5}
        for i, a in enumerate(NAMES)
        for j, b in enumerate(NAMES)
        if a != b
    ]
    for name, table in (("based", pd.DataFrame(rows)), ("bare", pd.DataFrame(rows).drop(columns="baseline"))):
        table.to_csv(tmp_path / f"{name}.csv", index=False)
        any_matrix.analyse(tmp_path / f"{name}.csv", output=tmp_path / name, permutations=9)
        known = json.loads((tmp_path / name / "summary.json").read_text())["budget"]
        hidden, words = section(browse(tmp_path / name / "report.html", tmp_path, ""))
        assert hidden is (name == "bare") and bool(known) is (name == "based")
        assert name == "bare" or "over the baseline of other tasks as sources" in words
