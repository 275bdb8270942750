"""The section on new data says what the table `choice` says, and is not there without one."""

import re
from dataclasses import replace

import pytest

from browser import CONFIG, browse, embedded, needs_browser
from promptatlas.analysis import statistics
from promptatlas.analysis.choice.book import book
from promptatlas.analysis.choice.evidence import Candidate
from promptatlas.report import page
from synthetic_evidence import study as evidences
from synthetic_study import similarity_table, tasks_table, transfer_table, tuning_table


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    transfer, tasks, similarity = transfer_table(6), tasks_table(6), similarity_table(6)
    vpt = [replace(one, candidates=tuple(Candidate("vpt", *file[1:]) for file in one.candidates)) for one in evidences(number=1)]
    tables = {"transfer": transfer, "tasks": tasks, "similarity": similarity, "tuning": tuning_table(6)}
    choice = book([*evidences(), *evidences(images=16), *vpt])
    found = statistics.analyse(transfer, similarity, tasks, permutations=9)
    summary = statistics.summary(transfer, similarity, found, tasks, choice=choice)
    path = tmp_path_factory.mktemp("choice") / "report.html"
    page.write(tables, CONFIG, [], path, summary)
    return choice, path


def section(document: str) -> tuple[bool, str]:
    found = re.search(r'<section id="choice"([^>]*)>(.*?)</section>', document, re.S)
    return "hidden" in found[1], re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", found[2]))


def row(table, method, rule, or_none, shots=15, candidates="all_seeds"):
    some = table[(table["method"] == method) & (table["candidates"] == candidates) & (table["shots"] == shots)]
    return some[(some["rule"] == rule) & (some["or_none"] == or_none)].iloc[0]


def points(number: float) -> str:
    return f"{number:+.1f}".replace("-", "−")


def test_the_page_has_the_whole_table(written):
    table, path = written
    data = embedded(path)["summary"]["choice"]
    assert len(data) == len(table) and set(data[0]) == set(table.columns)
    assert [one["regret_1"] for one in data] == pytest.approx(table["regret_1"].tolist(), rel=1e-4)


@needs_browser
@pytest.mark.parametrize("method", ["coop", "vpt"])
def test_words_and_rows_are_those_of_the_method(written, tmp_path, method):
    table, path = written
    hidden, words = section(browse(path, tmp_path, f"#method={method}"))
    decided, tried = row(table, method, "try", True), row(table, method, "try", False)
    assert not hidden and "Which prompt for new data" in words and "on each of 7 tasks in turn" in words
    assert f"it gains {points(decided['gain'])} points [{points(decided['gain_low'])}, {points(decided['gain_high'])}]" in words
    assert f"above {decided['margin']:.2f} standard errors" in words
    assert f"is {tried['regret_1']:.1f} [" in words and "points below the best of 12" in words
    assert f"{100 * decided['used']:.0f} %" in words.replace("\u202f", " ")
    assert "measure: good" in words and "images and measures together" in words and "in other seeds" in words


@needs_browser
def test_few_and_many_images_have_rows_of_their_own(written, tmp_path):
    table, path = written
    _, words = section(browse(path, tmp_path, "#method=coop"))
    for shots in (4, 15):
        one = row(table, "coop", "try", True, shots)
        low, high = (f"{max(one[f'regret_1_{end}'], 0):.1f}" for end in ("low", "high"))
        assert f"by the margin {shots} {one['regret_1']:.1f} [{low}, {high}]" in words
    assert words.count("any prompt –") == 2, "what does not look at images is the same for all numbers of them"


@needs_browser
def test_without_a_table_there_is_no_section(tmp_path):
    transfer, tasks, similarity = transfer_table(4), tasks_table(4), similarity_table(4)
    summary = statistics.summary(transfer, similarity, statistics.analyse(transfer, similarity, tasks, permutations=9), tasks)
    tables = {"transfer": transfer, "tasks": tasks, "similarity": similarity, "tuning": tuning_table(4)}
    page.write(tables, CONFIG, [], tmp_path / "report.html", summary)
    assert section(browse(tmp_path / "report.html", tmp_path))[0]
    assert embedded(tmp_path / "report.html")["summary"]["choice"] == []
