"""The report of a protocol: tables as papers print them, in one self-contained HTML page without scripts.

Knows nothing of how the numbers were computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from promptatlas.analysis.paper_protocols import AVERAGE, HARMONIC, MEASURED, PUBLISHED, SCORE, ZERO_SHOT
from promptatlas.analysis.words import method_title
from promptatlas.report.page import static
from promptatlas.study.designs import DESIGNS
from promptatlas.tasks.halves import BASE, NEW, part_name

MEASURES = {BASE: "base", NEW: "new", HARMONIC: "H"}
HOVER = (
    "Numbers are percent, means over seeds; their standard deviation shows under the pointer and is in <code>tables/protocol.csv</code>."
)


def write(table: pd.DataFrame, tasks: pd.DataFrame, config: Mapping, summary: Mapping, path: Path) -> None:
    """Write the page at `path`: the tables `protocol` and `tasks`, the resolved configuration, the dict of summary.json."""
    table = table.iloc[np.argsort([_place(method, config["methods"]) for method in table["method"]], kind="stable")]
    titles, design = static.titles(tasks), DESIGNS[summary["design"]]
    scores = static.Section(
        "scores",
        "Scores",
        f"<p class='words'>{escape(design.words)} {HOVER}</p>"
        f'<div class="scroll">{protocol_table(table, titles, design.name, static.largest_classes(summary))}</div>'
        + "".join(f'<p class="words quiet">{escape(text)}</p>' for text in _of_the_published(table)),
    )
    lead = _lead(summary, config["methods"])
    static.write(design.question, lead, [scores], tasks, config, summary, path)


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
        f"{methods} on {tasks} with {summary['backbone']}, {summary['shots'][0]} pictures per class, {seeds}: {measured}"
        f"{f', and {missing} missing' if missing else ''}."
    )


def protocol_table(table: pd.DataFrame, titles: Mapping[str, str], design: str, blind: Mapping[str, float]) -> str:
    """Percent: methods within tasks for base-to-new, targets as columns otherwise; published rows below measured ones.

    blind: by task what always answering the largest class scores; what does not beat it is marked.
    """
    return _by_task(table, titles, blind) if DESIGNS[design].in_parts else _by_target(table, titles, blind)


def _cells(table: pd.DataFrame) -> dict[tuple[bool, str, str, str, str], Any]:
    """Rows of the table by whether they were measured, method, source, target and measure."""
    return {(row.origin == MEASURED, row.method, row.source, row.target, row.measure): row for row in table.itertuples()}


def _by_task(table: pd.DataFrame, titles: Mapping[str, str], blind: Mapping[str, float]) -> str:
    """A block per task, the average first; rows are methods, columns base, new and H, measured and published."""
    known, printed = _cells(table), (table["origin"] != MEASURED).any()
    groups = {"measured": True, **({"published": False} if printed else {})}
    head = "".join(f'<th colspan="3" scope="colgroup">{name}</th>' for name in groups)
    second = "".join(f'<th class="n" scope="col">{MEASURES[measure]}</th>' for _ in groups for measure in MEASURES)
    last = '<th rowspan="2" scope="col">published by</th>' if printed else ""
    rows = []
    targets = dict.fromkeys(table.loc[table["origin"] == MEASURED, "target"])
    for target in [AVERAGE, *(name for name in targets if name != AVERAGE)]:
        name = "Average" if target == AVERAGE else titles.get(target, target)
        rows.append(f'<tr class="group"><td colspan="{2 + 3 * len(groups)}">{escape(name)}</td></tr>')
        for method in dict.fromkeys(table["method"]):
            cells = [
                _cell(known.get((own, method, "", target, measure)), blind.get(part_name(target, measure)))
                for own in groups.values()
                for measure in MEASURES
            ]
            by = f'<td class="quiet">{_by(known.get((False, method, "", target, BASE)))}</td>' if printed else ""
            rows.append(f'<tr><th scope="row">{escape(method_title(method))}</th>{"".join(cells)}{by}</tr>')
    return (
        f'<table><thead><tr><th rowspan="2" scope="col">method</th>{head}{last}</tr><tr>{second}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def _by_target(table: pd.DataFrame, titles: Mapping[str, str], blind: Mapping[str, float]) -> str:
    """A row per method and source, and below it the published one; columns are targets, the average last."""
    targets = list(dict.fromkeys(table.loc[(table["origin"] == MEASURED) & (table["target"] != AVERAGE), "target"]))
    averaged = (table["target"] == AVERAGE).any()
    columns = [*targets, *([AVERAGE] if averaged else [])]
    names = [titles.get(name, name) for name in targets] + (["Average"] if averaged else [])
    head = "".join(f'<th class="n" scope="col">{escape(name)}</th>' for name in names)
    known = _cells(table)
    rows = []
    for method, source in dict.fromkeys(zip(table["method"], table["source"], strict=True)):
        for own in (True, False):
            part = [known.get((own, method, source, target, SCORE)) for target in columns]
            if not any(part):
                continue
            cells = [_cell(one, blind.get(target)) for one, target in zip(part, columns, strict=True)]
            by = "measured" if own else f"published: {_by(next(filter(None, part)))}"
            rows.append(
                f'<tr{"" if own else " class=quiet"}><th scope="row">{escape(method_title(method))}</th>'
                f"<td>{by}</td><td>{escape(titles.get(source, source))}</td>{''.join(cells)}</tr>"
            )
    return (
        f'<table><thead><tr><th scope="col">method</th><th></th><th scope="col">source</th>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def _by(row: Any) -> str:
    """Who published a score, and with which other settings."""
    return "" if row is None else escape("; ".join(filter(None, (row.reference, row.note))))


def _cell(row: Any, blind: float | None) -> str:
    """A number in percent, with its deviation over seeds, or what was made of published ones, for who hovers over it.

    blind: what always answering the largest class of the measured task scores, if there is one such task.
    """
    if row is None:
        return '<td class="n"></td>'
    if not np.isfinite(row.score):
        return f'<td class="n">{static.HOLE}</td>'
    if row.origin not in (MEASURED, PUBLISHED):
        return f'<td class="n" title="{row.origin}"><sup>†</sup>{100 * row.score:.2f}</td>'
    hint = f' title="standard deviation over seeds {100 * row.deviation:.2f}"' if np.isfinite(row.deviation) else ""
    mark = static.below(row.score, blind) if row.origin == MEASURED else ""
    return f'<td class="n"{hint}>{mark}{100 * row.score:.2f}</td>'
