"""The section of reports on joint adaptation (MVLPT, Table 2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from promptatlas.analysis.statistics.joint import FROZEN, JOINT, SCRATCH, SINGLE, way as called
from promptatlas.analysis.words import method_title, way_title
from promptatlas.report.page import static
from promptatlas.report.page.markup import Section, Table, TableCell, table
from promptatlas.study.multitask import LEAVE_ONE_OUT, ROWS
from promptatlas.study.protocols import INIT
from promptatlas.tasks import metrics

WORDS = (
    "Targets of a group share one prompt, and a prompt may start from one that was tuned on many tasks. Each way to have a "
    "prompt stands beside the target’s own prompt tuned from scratch: the same task, the same few images, the same seed. "
)
INTERVALS = "Intervals of the differences count tasks and seeds as crossed random samples."
LEFT_OUT = (
    "A prompt of other tasks was tuned on all tasks but the target; "
    "where it starts the prompt of a group, on all tasks but those of the group."
)
STARTLESS = "Since one group holds every task, no prompt of other tasks is left for it to start from, and there is no such row."
AVERAGES = "Where it says so, the start is the mean of the prompts of all seeds, parameter by parameter: every seed starts from the same."
BY_TASK = "Percent, mean ± standard deviation over seeds."
CARE = (
    "Published numbers come from the authors’ own runs and never enter a measured number. Their prompt of all tasks has seen every "
    "target, their groups are not known, and no group is printed that lowers a score, as if groups were chosen by test scores."
)
ORDER = [called(SCRATCH, SINGLE), called(SCRATCH, JOINT), *(called(source, how) for source in ROWS for how in (SINGLE, JOINT, FROZEN))]


def section(joint: Sequence[Mapping], titles: Mapping[str, str], config: Mapping) -> Section:
    """joint: records of `statistics.joint.compare_joint`; titles: of tasks by name; config: the resolved configuration."""
    tasks = sorted({task for one in joint for way in one["methods"] for task in way["deviation_by_task"]})
    data = {
        "words": f"{WORDS}{static.intervals(joint[0], INTERVALS)} {_care(joint[0])} {_source(config, titles)}",
        "methods": [
            {
                "title": method_title(one["method"]),
                "words": f"{_groups(one, titles, config)} {_epochs(one['method'], config)}",
                "table": _means(one),
            }
            for one in joint
        ],
        "by_task_words": BY_TASK,
        "tasks": [titles.get(task, task) for task in tasks],
        "blocks": [{"title": method_title(one["method"]), "rows": [*_rows(one, tasks)]} for one in joint],
        "care": _of_the_published(joint, titles),
    }
    return Section("joint", "Joint adaptation", "joint.html", data)


def _means(one: Mapping) -> Table:
    head = ("prompt", "mean score, %", "over its own from scratch, points", f"{100 * one['level']:.0f} % interval", "better on")
    rows = [
        [
            way_title(way["method"]), static.percent(way["mean"]), static.points(way["difference"]),
            static.interval(way), "–" if way["better_on"] is None else f"{way['better_on']} of {way['n_tasks']}",
        ]
        for way in one["methods"]
    ]  # fmt: skip
    return table(head, rows, numeric={1, 2, 3, 4})


def _of_the_published(joint: Sequence[Mapping], titles: Mapping[str, str]) -> str:
    """What is to be said of published numbers, if there are any."""
    if not any(one["published"] for one in joint):
        return ""
    derived = static.DERIVED if any(one["published"] and one["published"]["derived"] for one in joint) else ""
    return f"{CARE} {_other_metrics(joint, titles)} {derived}"


def _care(one: Mapping) -> str:
    among = "among the classes of all these tasks" if one["classes"] == "union" else "among the classes of its own task"
    return f"While a prompt is shared, an image is judged {among}."


def _source(config: Mapping, titles: Mapping[str, str]) -> str:
    """What the multitask source has seen."""
    given = config["multitask"]
    parts = [LEFT_OUT] if given == LEAVE_ONE_OUT else []
    if isinstance(given, list):
        parts.append(f"The source tasks, which are no targets here: {', '.join(titles.get(task, task) for task in given)}.")
    if given and config["union"]["average_seeds"]:
        parts.append(AVERAGES)
    return " ".join(parts)


def _groups(one: Mapping, titles: Mapping[str, str], config: Mapping) -> str:
    if not one["groups"]:
        return "No tasks share a prompt."
    named = "; ".join(", ".join(titles.get(task, task) for task in group) for group in one["groups"])
    shared, every = sum(map(len, one["groups"])), one["n_tasks"] + len(one["tasks_left_out"])
    left = len(one["tasks_left_out"])
    without = f" {left} {'is' if left == 1 else 'are'} left out of means, since a prompt has no score there." if left else ""
    startless = f" {STARTLESS}" if config["multitask"] == LEAVE_ONE_OUT and len(one["groups"][0]) == every else ""
    return f"{shared} of {every} tasks share a prompt with others: {named}.{without}{startless}"


def _epochs(method: str, config: Mapping) -> str:
    """How long each prompt of this section was tuned and, where the report has them too, those of protocol init."""
    own, source, init = config["settings"][method]["epochs"], config["union"]["source_epochs"], config["init"]["epochs"]
    words = f"Each prompt of a task or a group was tuned for {own} epochs, from any start"
    if config["multitask"]:
        words += f"; a prompt of many tasks before that for {own if source == 'method' else source}"
    if INIT.name not in config["protocols"]:
        return f"{words}."
    if init in ("method", own):
        return f"{words}. Protocol init tunes for as many, so from the same start it has the same prompt."
    return f"{words}. Protocol init tunes for {init}, so its scores are of other prompts than those here."


def _rows(one: Mapping, tasks: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Ways of a method, tasks and the average as columns: MVLPT's Table 2, and its own numbers below the measured ones."""
    for way in sorted(one["methods"], key=lambda way: ORDER.index(way["method"])):
        known = way["by_task"] | way["by_task_left_out"]
        cells = [_cell(known.get(task), way["deviation_by_task"].get(task)) for task in tasks]
        average = _cell(way["mean"], way["deviation"])
        name = way_title(way["method"])
        yield {"name": name, "published": False, "cells": [*(cell if cell.text else static.FAILED_CELL for cell in cells), average]}
    for way in one["published"]["ways"] if one["published"] else ():
        cells = [_cell(way["by_task"].get(task)) for task in tasks]
        average = _cell(way["mean"], way["deviation"])
        average = replace(average, derived=bool(average.text and one["published"]["derived"]))
        name = f"published: {way_title(way['method'])} ({one['published']['reference']})"
        yield {"name": name, "published": True, "cells": [*cells, average]}


def _cell(score: float | None, deviation: float | None = None) -> TableCell:
    if score is None:
        return TableCell()
    return TableCell(f"{100 * score:.2f}" + ("" if deviation is None else f" ± {100 * deviation:.2f}"))


def _other_metrics(joint: Sequence[Mapping], titles: Mapping[str, str]) -> str:
    """Tasks that the paper scores otherwise, which its averages hold all the same."""
    other = {task: both for one in joint if one["published"] for task, both in one["published"]["other_metric"].items()}
    if not other:
        return ""
    named = [
        f"{titles.get(task, task)} ({metrics.title(here)} here, {metrics.title(there)} there)" for task, (here, there) in other.items()
    ]
    return f"Not comparable, nor the averages as far as they hold them: {'; '.join(named)}."
