"""Reports without scripts: the shell that all of them have, and what each says of the tasks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from promptatlas.analysis.words import method_title, way_title
from promptatlas.base.files import replace
from promptatlas.report.page.markup import Section, Table, TableCell, part, render, table
from promptatlas.runs.largest_class import SAME
from promptatlas.study.designs import LARGEST_CLASS
from promptatlas.tasks import metrics
from promptatlas.tasks.base_new import whole_of

FEW = 5
FAILED_CELL = TableCell(failed=True)
CARE = (
    "Published numbers come from the authors’ own runs, which crop and flip the training images at random and compute in half "
    "precision; here every image is seen as it is, in single precision. They are marked as published and never enter a measured "
    "number. Where other settings than this study’s are known, they stand beside them."
)
ONE_SEED = "With one seed they have no interval: what all tasks of a seed have in common cannot be told from it."
DERIVED = "† The mean or harmonic mean of published scores, not itself published."
OTHERS = "All other results are what they would be without these. The same command tries these again and nothing else."


def write(
    title: str,
    lead: str,
    sections: Sequence[Section],
    tasks: pd.DataFrame,
    config: Mapping,
    summary: Mapping,
    path: Path,
) -> None:
    """Write the page at `path`: the sections, and below them the table `tasks` and the resolved configuration."""
    study = {"odd": _odd(tasks), "table": _tasks(tasks, summary), "config": json.dumps(config, indent=1)}
    reduced = f" Computed in {config['precision']}." if "precision" in config else ""
    page = render(
        "static.html",
        style=part("page.css"),
        title=title,
        lead=lead + reduced,
        off=_off(summary, titles(tasks)),
        cautions=_cautions(summary, titles(tasks)),
        sections=[*sections, *_failed(summary["holes"], titles(tasks)), Section("study", "The study", "study.html", study)],
    )
    replace(path, page.encode())


def _failed(failed: Sequence[Mapping], titles: Mapping[str, str]) -> list[Section]:
    """What could not be computed, if anything: records of `statistics.failed`."""
    if not failed:
        return []
    told = [{"reason": one["reason"], "lines": _kept_back(one["results"], titles)} for one in failed]
    return [Section("holes", "What could not be computed", "failed.html", {"words": OTHERS, "reasons": told})]


def _kept_back(results: Iterable[Mapping], titles: Mapping[str, str]) -> list[tuple[str, str]]:
    """One line per method and prompt, with its tasks and their seeds."""
    lines: dict[str, list[str]] = {}
    for one in results:
        prompt = f"the prompt of {titles[one['prompt']]}" if one["prompt"] in titles else one["prompt"] and way_title(one["prompt"])
        seeds = f" (seed {', '.join(map(str, one['seeds']))})" if one["seeds"] else ""
        lines.setdefault(method_title(one["method"]) + (f", {prompt}" if prompt else ""), []).append(titles[one["task"]] + seeds)
    return [(name, ", ".join(tasks)) for name, tasks in lines.items()]


def counted(measured: int, every: int, what: str) -> str:
    """How many there are, and of how many where not all were measured: "4 of 5 tasks", "1 seed"."""
    return f"{measured if measured == every else f'{measured} of {every}'} {what if every == 1 else what + 's'}"


def titles(tasks: pd.DataFrame) -> dict[str, str]:
    """Titles of the tasks; a whole task is called as its parts without their ending."""
    titles = dict(zip(tasks["task"], tasks["title"], strict=True))
    return titles | {whole_of(name): title.removesuffix(", base classes") for name, title in titles.items() if "@base" in name}


def _off(summary: Mapping, titles: Mapping[str, str]) -> list[dict[str, str]]:
    """Tasks whose zero-shot score is far from what others measured."""
    return [
        {
            "title": titles.get(one["task"], one["task"]), "reference": one["reference"],
            "measured": f"{100 * one['measured']:.1f}", "expected": f"{100 * one['expected']:.1f}",
        }
        for one in summary["zero_shot_check"]
        if one["warning"]
    ]  # fmt: skip


def _cautions(summary: Mapping, titles: Mapping[str, str]) -> list[str]:
    """One line per kind of what makes scores worth less than they look, with the tasks it is about."""
    below = [one for one in summary.get("largest_class", ()) if one["none_above"]]
    pairs = dict.fromkeys(frozenset((one["source"], one["target"])) for one in summary.get("shared_images", ()))
    lines = {
        "No prompt scores more than always answering the largest class does": [
            f"{titles[one['task']]} ({'; '.join([percent(one['score']) + ' %', *filter(None, [one['remedy']])])})" for one in below
        ],
        "Tasks that share images": [" and ".join(sorted(titles[name] for name in pair)) for pair in pairs],
        "Data that need a look": [titles[one["task"]] for one in summary.get("odd_data", ())],
    }  # fmt: skip
    more = {what: f" and {len(which) - FEW} more" if len(which) > FEW else "" for what, which in lines.items()}
    return [f"{what}: {', '.join(which[:FEW])}{more[what]}." for what, which in lines.items() if which]


def largest_classes(summary: Mapping) -> dict[str, float]:
    """By task what always answering its largest class scores."""
    return {one["task"]: one["score"] for one in summary.get("largest_class", ())}


def below(value: float | None, blind: float | None) -> str:
    """What always answering the largest class scores, in percent, if a score is no better; empty if it is, or not known."""
    if value is None or blind is None or not np.isfinite(value) or value > blind + SAME:
        return ""
    return percent(blind)


def _tasks(tasks: pd.DataFrame, summary: Mapping) -> Table:
    probes = {one["task"]: one["linear_probe"] for one in summary["zero_shot_check"]}
    head = ("task", "classes", "test images", "metric", "chance", "largest class", "zero-shot", "linear probe", "split")
    rows = (
        [
            row.title, str(row.classes), str(row.n_test), metrics.title(row.metric), percent(row.chance),
            percent(getattr(row, LARGEST_CLASS, None)), percent(row.zero_shot),
            percent(probes.get(row.task)), row.split_source,
        ]
        for row in tasks.itertuples()
    )  # fmt: skip
    return table(head, rows, numeric={1, 2, 4, 5, 6, 7})


def _odd(tasks: pd.DataFrame) -> list[tuple[str, str]]:
    """Titles of tasks and what is odd about their data; tables of earlier versions say nothing of it."""
    rows = tasks[tasks["notes"] != ""].itertuples() if "notes" in tasks else ()
    return [(row.title, row.notes) for row in rows]


def score(value: float | None) -> TableCell:
    """A score that should be there, in percent."""
    return TableCell(percent(value)) if percent(value) else FAILED_CELL


def percent(value: float | None) -> str:
    return "" if value is None or not np.isfinite(value) else f"{100 * value:.1f}"


def points(value: float | None) -> str:
    """A difference with its sign, a true minus, and none for a rounded zero."""
    if value is None or not np.isfinite(value):
        return "–"
    text = f"{value:+.1f}"
    return (text if float(text) else "0.0").replace("-", "−")


def interval(one: Mapping) -> str:
    """`low` and `high` of a difference."""
    return "–" if one["low"] is None else f"{points(one['low'])} to {points(one['high'])}"


def intervals(comparison: Mapping, words: str) -> str:
    """What is to be said of the intervals of a dict of `statistics.methods.compare`: `words`, or why there are none."""
    return words if comparison["n_seeds"] > 1 else ONE_SEED
