"""The report of a protocol: tables as papers print them, in one self-contained HTML page without scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from promptatlas.analysis.paper_protocols import AVERAGE, HARMONIC, MEASURED, PUBLISHED, SCORE, ZERO_SHOT
from promptatlas.analysis.words import method_title
from promptatlas.base import messages
from promptatlas.report.page import static
from promptatlas.report.page.markup import Section, TableCell
from promptatlas.study.designs import DESIGNS
from promptatlas.tasks.base_new import BASE, NEW, subset_name

MEASURES = {BASE: "base", NEW: "new", HARMONIC: "H"}


def write(table: pd.DataFrame, tasks: pd.DataFrame, config: Mapping, summary: Mapping, path: Path) -> None:
    """Write the page at `path`: the tables `protocol` and `tasks`, the resolved configuration, the dict of summary.json."""
    table = table.iloc[np.argsort([_place(method, config["methods"]) for method in table["method"]], kind="stable")]
    titles, design = static.titles(tasks), DESIGNS[summary["design"]]
    shown = protocol_table(table, titles, design.name, static.largest_classes(summary))
    scores = {"words": design.words, "published": _of_the_published(table), **shown}
    lead = _lead(summary, config["methods"])
    static.write(design.question, lead, [Section("scores", "Scores", "protocol.html", scores)], tasks, config, summary, path)


def _of_the_published(table: pd.DataFrame) -> list[str]:
    """What is to be said of numbers that were not measured, if there are any."""
    origins = set(table["origin"]) - {MEASURED}
    return ([static.CARE] if origins else []) + ([static.DERIVED] if origins - {PUBLISHED} else [])


def _place(method: str, wanted: Sequence[str]) -> int:
    """Zero-shot first, then the methods in the order of the configuration."""
    return wanted.index(method) if method in wanted and method != ZERO_SHOT else -1


def _lead(summary: Mapping, wanted: Sequence[str]) -> str:
    methods = ", ".join(map(method_title, sorted(summary["methods"], key=lambda method: _place(method, wanted))))
    cells, missing = summary["n_cells"], summary["n_missing_cells"]
    tasks = static.counted(summary["n_tasks_measured"], len(summary["tasks"]), "task")
    seeds, measured = (static.counted(count, count, what) for count, what in ((len(summary["seeds"]), "seed"), (cells, "measurement")))
    return (
        f"{methods} on {tasks} with {summary['backbone']}, {messages.counted(summary['shots'][0], 'image')} per class, {seeds}: {measured}"
        f"{f', and {missing} missing' if missing else ''}."
    )


def protocol_table(table: pd.DataFrame, titles: Mapping[str, str], design: str, blind: Mapping[str, float]) -> dict[str, Any]:
    """What its template is filled in with.

    Percent: methods within tasks for base-to-new, targets as columns otherwise; published rows below measured ones.

    blind: by task what always answering the largest class scores; what does not beat it is marked.
    """
    return _by_task(table, titles, blind) if DESIGNS[design].in_base_and_new else _by_target(table, titles, blind)


def _cells(table: pd.DataFrame) -> dict[tuple[bool, str, str, str, str], Any]:
    """Rows of the table by whether they were measured, method, source, target and measure."""
    return {(row.origin == MEASURED, row.method, row.source, row.target, row.measure): row for row in table.itertuples()}


def _by_task(table: pd.DataFrame, titles: Mapping[str, str], blind: Mapping[str, float]) -> dict[str, Any]:
    """A block per task, the average first; rows are methods, columns base, new and H, measured and published."""
    known, printed = _cells(table), (table["origin"] != MEASURED).any()
    groups = {"measured": True, **({"published": False} if printed else {})}
    blocks: list[dict[str, Any]] = []
    targets = dict.fromkeys(table.loc[table["origin"] == MEASURED, "target"])
    for target in [AVERAGE, *(name for name in targets if name != AVERAGE)]:
        name = "Average" if target == AVERAGE else titles.get(target, target)
        rows = []
        for method in dict.fromkeys(table["method"]):
            cells = [
                _cell(known.get((own, method, "", target, measure)), blind.get(subset_name(target, measure)))
                for own in groups.values()
                for measure in MEASURES
            ]
            by = _by(known.get((False, method, "", target, BASE)))
            rows.append({"method": method_title(method), "cells": cells, "by": by})
        blocks.append({"title": name, "rows": rows})
    names = {"groups": [*groups], "printed": printed, "measures": [*MEASURES.values()]}
    return {"layout": "protocol_by_task.html", "blocks": blocks, **names}


def _by_target(table: pd.DataFrame, titles: Mapping[str, str], blind: Mapping[str, float]) -> dict[str, Any]:
    """A row per method and source, and below it the published one; columns are targets, the average last."""
    targets = list(dict.fromkeys(table.loc[(table["origin"] == MEASURED) & (table["target"] != AVERAGE), "target"]))
    averaged = (table["target"] == AVERAGE).any()
    columns = [*targets, *([AVERAGE] if averaged else [])]
    names = [titles.get(name, name) for name in targets] + (["Average"] if averaged else [])
    known = _cells(table)
    rows = []
    for method, source in dict.fromkeys(zip(table["method"], table["source"], strict=True)):
        for own in (True, False):
            part = [known.get((own, method, source, target, SCORE)) for target in columns]
            if not any(part):
                continue
            cells = [_cell(one, blind.get(target)) for one, target in zip(part, columns, strict=True)]
            by = "measured" if own else f"published: {_by(next(filter(None, part)))}"
            row = {"own": own, "method": method_title(method), "by": by, "source": titles.get(source, source), "cells": cells}
            rows.append(row)
    return {"layout": "protocol_by_target.html", "targets": names, "rows": rows}


def _by(row: Any) -> str:
    """Who published a score, and with which other settings."""
    return "" if row is None else "; ".join(filter(None, (row.reference, row.note)))


def _cell(row: Any, blind: float | None) -> TableCell:
    """A number in percent, with its deviation over seeds, or what was made of published ones, for who hovers over it.

    blind: what always answering the largest class of the measured task scores, if there is one such task.
    """
    if row is None:
        return TableCell()
    if not np.isfinite(row.score):
        return static.FAILED_CELL
    if row.origin not in (MEASURED, PUBLISHED):
        return TableCell(f"{100 * row.score:.2f}", row.origin, derived=True)
    hint = f"standard deviation over seeds {100 * row.deviation:.2f}" if np.isfinite(row.deviation) else ""
    below = static.below(row.score, blind) if row.origin == MEASURED else ""
    return TableCell(f"{100 * row.score:.2f}", hint, below=below)
