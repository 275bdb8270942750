"""The report of given matrices: the page that studies have, without the sections that need a study."""

from dataclasses import asdict
from typing import Any

import numpy as np

from promptatlas.analysis.any_matrix.analyse import Analysis
from promptatlas.analysis.any_matrix.given import PROTOCOL, GivenMatrix
from promptatlas.analysis.any_matrix.scales import RELATIONSHIP, limits
from promptatlas.analysis.verdict.words import Names
from promptatlas.analysis.words import CONTROLS, PARTS
from promptatlas.report.colours import colour_of
from promptatlas.report.figures.any_matrix import methods, views
from promptatlas.report.page import markup, scripts
from promptatlas.report.page.payload import explained, similarities, verdict
from promptatlas.report.page.plain import plain


def render(analysis: Analysis, title: str) -> str:
    """The page as text."""
    data = payload(analysis, title)
    return markup.render(
        "matrix.html",
        style=markup.part("page.css", "ways.css"),
        script=markup.part(*scripts.OF_GIVEN_MATRIX),
        study=False,
        similar=bool(data["similarity"]),
        several=bool(data["summary"]["agreement"]),
        dots=bool(data["similarity"]),
        manifold=len(data["matrices"]) > 1,
        joint="",
        data=markup.embedded(data),
        later="",
        images="",
    )


def payload(analysis: Analysis, title: str) -> dict[str, Any]:
    """What the page shows; in `matrices`, scores by seed are on the scale of headlines."""
    given, summary = analysis.given, analysis.summary
    tasks, shown = analysis.tables["tasks"], views(analysis)
    edges = {name: [plain(edge) for edge in limits(values, view)] for name, values, _, view in shown}
    rows = {row: row for one in given.matrices for row in one.rows}
    words = {
        "methods": {},
        "metrics": {},
        "measures": {},
        "protocols": {
            name: {"title": "" if name == PROTOCOL else name, "tunes": False, "row_titles": rows, "parts": PARTS}
            for name in summary["protocols"]
        },
        "views": {name: asdict(view) for name, _, _, view in shown},
        "controls": CONTROLS,
    }
    return {
        "study": title,
        "tasks": [{"name": row.task, "title": row.task, "family": row.family} for row in tasks.itertuples()],
        "words": words,
        "methods": summary["methods"],
        "colours": {name: colour_of(name, methods(analysis)) for name in methods(analysis)},
        "protocols": summary["protocols"],
        "views": [name for name, _, _, _ in shown],
        "order": summary["order"],
        "limits": dict.fromkeys(summary["protocols"], edges),
        "matrices": {
            f"{one.protocol}/{one.method}": {"views": _views(shown, place)} | _by_seed(analysis, one)
            for place, one in enumerate(given.matrices)
        },
        "similarity": similarities(analysis.tables["similarity"], given.tasks),
        "explained": explained(summary, str, str),
        "failed": {},
        "ranking": {},
        "verdict": verdict(summary, Names(str, str, lambda protocol, name: "the baseline", study=False)),
        "summary": summary,
    }


def _views(shown: list, place: int) -> dict[str, Any]:
    return {
        name: {"values": plain(values[place]), "rows": {row: plain(beside) for row, beside in rows[place].items()}}
        for name, values, rows, _ in shown
        if name == RELATIONSHIP or np.isfinite(values[place]).any()
    }


def _by_seed(analysis: Analysis, one: GivenMatrix) -> dict[str, Any]:
    scale = analysis.primary
    every = np.concatenate([scale.matrix(one), *(row[:, None] for row in scale.rows(one).values())], axis=1)
    return {
        "sources": [*one.tasks, *one.rows],
        "seeds": {seed: plain(values) for seed, values in zip(one.seeds, every, strict=True)},
    }
