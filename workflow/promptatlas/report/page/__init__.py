"""The report: one self-contained HTML page.

The style sheet and the scripts beside this file are plain text; they and the data go into one file that
needs no network.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

import pandas as pd

from promptatlas.base.files import replace
from promptatlas.report.page import cell_evidence, joint, markup, scripts
from promptatlas.report.page.folded import fold
from promptatlas.report.page.payload import later, payload
from promptatlas.report.page.study_data import StudyData


def write(
    tables: dict[str, pd.DataFrame],
    config: dict,
    cells: Iterable[dict] | Callable[[], Iterable[dict]],
    path: Path,
    summary: dict,
    refresh: int | None = None,
    beside: StudyData | None = None,
) -> None:
    """Write the page at `path`.

    tables: transfer, similarity, tasks, tuning and pairs by name; config: the resolved configuration; cells: the dicts of the
    cell files, for what is told of single cells; summary: the dict of summary.json, from which all words take their numbers; refresh:
    seconds after which a browser reads the page again; beside: what the study has beside these.
    """
    beside = beside or StudyData()
    gathered, labels = cell_evidence.gathered(cells), beside.labels()
    shown = beside.shown(gathered, labels)
    classes = {"names": gathered.names, "counts": cell_evidence.class_counts(labels, gathered.names)}
    data = payload(tables, config, classes, summary, beside.origin)
    evidence = later(cell_evidence.told(gathered, labels, shown), tables["tuning"])
    replace(path, render(data, evidence, beside.thumbnails(shown), refresh).encode())


def render(data: dict, evidence: dict, images: dict, refresh: int | None = None) -> str:
    """The page as text. ``<`` in the data is written as an escape, so that no class name can end the script.

    evidence, images: what the page reads when a cell is opened.
    """
    titles = {one["name"]: one["title"] for one in data["tasks"]}
    shared = data["summary"].get("joint")
    return markup.render(
        "matrix.html",
        style=markup.part("page.css", "ways.css", "cell.css"),
        script=markup.part(*scripts.OF_STUDY),
        study=True,
        refresh=refresh,
        similar=True,
        several=True,
        dots=bool(data["similarity"]),
        manifold=len(data["matrices"]) > 1,
        joint=joint.section(shared, titles, data["config"]).html() if shared else "",
        data=markup.embedded(fold(data)),
        later=markup.embedded(evidence),
        images=markup.embedded(images),
    )
