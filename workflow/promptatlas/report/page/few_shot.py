"""The report of a study that compares methods on tasks of their own, in one self-contained HTML page without scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from promptatlas.analysis.statistics.methods import BASE
from promptatlas.analysis.words import method_title
from promptatlas.report.page import joint, static
from promptatlas.report.page.markup import Section, Table, TableCell, table

TITLE = "How good are few-shot methods on tasks of their own?"
WORDS = (
    "Scores in percent, means over seeds; the best of a task is bold. The differences are paired: the same task, the same few "
    "images, the same seed. {} Epochs, α and β are chosen on validation images alone."
)
INTERVALS = "Their intervals count tasks and seeds as crossed random samples, one interval at a time."
PAIRS = (
    "Row minus column, points. Bold where the interval leaves zero out; with so many pairs some of these are due to chance. "
    "Intervals show under the pointer."
)


def write(tasks: pd.DataFrame, config: Mapping, summary: Mapping, path: Path) -> None:
    """Write the page at `path`: the table `tasks`, the resolved configuration, the dict of summary.json."""
    titles, comparison = static.titles(tasks), summary["comparison"]
    words, scores = WORDS.format(static.intervals(comparison, INTERVALS)), _scores(comparison, titles, static.largest_classes(summary))
    sections = [
        _section("gains", "Gain over zero-shot", [words], _gains(comparison, summary["methods"])),
        _section("scores", "Scores", _left_out(comparison), scores),
        _section("pairs", "Each against each", [PAIRS], _pairs(comparison)),
    ]
    if summary["published_means"]:
        published = _section("published", "Beside what was published", [static.CARE], _published(summary["published_means"]))
        sections.insert(2, published)
    if summary["joint"]:
        sections.append(joint.section(summary["joint"], titles, config))
    static.write(TITLE, _lead(summary), sections, tasks, config, summary, path)


def _section(name: str, title: str, words: Sequence[str], table: Table) -> Section:
    return Section(name, title, "words_and_table.html", {"words": words, "table": table})


def _lead(summary: Mapping) -> str:
    missing, shots = summary["n_missing_scores"], summary["shots"][0]
    methods = static.counted(summary["n_methods_measured"], len(summary["methods"]), "method")
    tasks = static.counted(summary["n_tasks_measured"], len(summary["tasks"]), "task")
    seeds, scores = (
        static.counted(count, count, what) for count, what in ((len(summary["seeds"]), "seed"), (summary["n_scores"], "score"))
    )
    return (
        f"{methods} on {tasks} with {summary['backbone']}, {shots} {'image' if shots == 1 else 'images'} per class, {seeds}: {scores}."
        + (f" {missing} {'score is' if missing == 1 else 'scores are'} missing." if missing else "")
    )


def _gains(comparison: Mapping, methods: Sequence[str]) -> Table:
    head = ("method", "mean score, %", "mean rank", "over zero-shot, points", f"{100 * comparison['level']:.0f} % interval", "better on")
    rows: list[list[TableCell | str]] = [
        [
            method_title(one["method"]), static.percent(one["mean"]), f"{one['mean_rank']:.1f}",
            *(
                ["", "", ""] if one["method"] == BASE
                else [static.points(one["difference"]), static.interval(one), f"{one['better_on']} of {one['n_tasks']}"]
            ),
        ]
        for one in comparison["methods"]
    ]  # fmt: skip
    measured = {one["method"] for one in comparison["methods"]}
    rows += [[method_title(method), static.FAILED_CELL, "", "", "", ""] for method in methods if method not in measured]
    return table(head, rows, numeric={1, 2, 3, 4, 5})


def _scores(comparison: Mapping, titles: Mapping[str, str], blind: Mapping[str, float]) -> Table:
    """Tasks with a score of every method, and below them those that are left out of all comparisons."""
    methods = comparison["methods"]
    rows: list[list[TableCell | str]] = []
    for task in methods[0]["by_task"] if methods else ():
        best = max(one["by_task"][task] for one in methods)
        cells = [
            TableCell(static.percent(score), strong=score == best, below=static.below(score, blind.get(task)))
            for score in (one["by_task"][task] for one in methods)
        ]
        rows.append([titles.get(task, task), *cells])
    rows.extend(
        [titles.get(task, task), *(static.score(one["by_task_left_out"].get(task)) for one in methods)]
        for task in comparison["tasks_left_out"]
    )
    head = ["task", *(method_title(one["method"]) for one in methods)]
    return table(head, rows, numeric=range(1, len(head)))


def _published(means: Sequence[Mapping]) -> Table:
    """Means over all tasks, measured and published."""
    rows = [
        [
            method_title(one["method"]), static.percent(one["measured"]), f"{100 * one['score']:.2f}",
            *(one[key] for key in ("form", "reference", "note")),
        ]
        for one in means
    ]  # fmt: skip
    head = ("method", "measured, %", "published, %", "published as", "published by", "what differs")
    return table(head, rows, numeric={1, 2})


def _left_out(comparison: Mapping) -> list[str]:
    count = len(comparison["tasks_left_out"])
    if not count:
        return []
    which = "The last task stands" if count == 1 else f"The last {count} tasks stand"
    return [f"{which} in no mean and no difference, since a method has no score there."]


def _pairs(comparison: Mapping) -> Table:
    """Every method (row) beside every worse one (column)."""
    order = [one["method"] for one in comparison["methods"]]
    known = {(one["better"], one["worse"]): one for one in comparison["pairs"]}

    def cell(row: str, column: str) -> TableCell:
        if (row, column) not in known:
            return TableCell()
        one = known[row, column]
        hint = f"{static.interval(one)}, better on {one['better_on']} of {one['n_tasks']} tasks, {one['n_pairs']} pairs"
        return TableCell(static.points(one["difference"]), hint, strong=one["low"] is not None and one["low"] > 0)

    rows: list[list[TableCell | str]] = [[method_title(row), *(cell(row, column) for column in order[1:])] for row in order[:-1]]
    return table(["", *(method_title(one) for one in order[1:])], rows, numeric=range(1, len(order)))
