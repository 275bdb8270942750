"""The report: one self-contained HTML page.

The style sheet and the scripts beside this file are plain text; they and the data go into one file that
needs no network.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

import pandas as pd

from promptatlas.base.files import replace
from promptatlas.report.page import joint, markup, ways
from promptatlas.report.page.payload import payload

SCRIPTS = (
    "protocols.js",
    "data.js",
    "numbers.js",
    "elements.js",
    "scores.js",
    "other_study.js",
    "difference.js",
    "state.js",
    "draw.js",
    "shown.js",
    "colours.js",
    "lines.js",
    "grid.js",
    "grid_size.js",
    "grid_keys.js",
    "tip.js",
    "exports.js",
    "plots.js",
    "panel.js",
    "sections.js",
    "budget.js",
    "cautions.js",
    "pairs.js",
    "similarity.js",
    "explained.js",
    "published.js",
    "check.js",
    "methods.js",
    "choice.js",
    "choosing.js",
    "verdict.js",
    "study.js",
    "controls.js",
    "matrix_choices.js",
    "pair_numbers.js",
    *ways.SCRIPTS,
    "main.js",
)


def write(
    tables: dict[str, pd.DataFrame],
    config: dict,
    cells: Iterable[dict] | Callable[[], Iterable[dict]],
    path: Path,
    summary: dict,
    refresh: int | None = None,
) -> None:
    """Write the page at `path`.

    tables: transfer, similarity, tasks, tuning and pairs by name; config: the resolved configuration; cells: the dicts of the
    cell files, for the scores by class; summary: the dict of summary.json, from which all words take their numbers; refresh: seconds
    after which a browser reads the page again.
    """
    replace(path, render(payload(tables, config, cells, summary), refresh).encode())


def render(data: dict, refresh: int | None = None) -> str:
    """The page as text. ``<`` in the data is written as an escape, so that no class name can end the script."""
    titles = {one["name"]: one["title"] for one in data["tasks"]}
    shared = data["summary"].get("joint")
    return markup.render(
        "matrix.html",
        style=markup.part("page.css", "ways.css"),
        script=markup.part(*SCRIPTS),
        study=True,
        refresh=refresh,
        similar=True,
        several=True,
        dots=bool(data["similarity"]),
        manifold=len(data["matrices"]) > 1,
        joint=joint.section(shared, titles, data["config"]).html() if shared else "",
        data=markup.embedded(data),
    )
