"""The page of a study as far as it is done: from the cells, prompts and tables that are there now, in the study's precision.

Nothing is computed that jobs compute, and nothing is written but the page: similarity and what follows from it appears once its
tables are there.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from promptatlas.analysis import statistics
from promptatlas.analysis.budget import gains, record
from promptatlas.analysis.pairs.of_study import columns
from promptatlas.analysis.pairs.table import pairs
from promptatlas.base.errors import UserError
from promptatlas.base.files import replace
from promptatlas.base.progress import Say
from promptatlas.records import cells
from promptatlas.report import page
from promptatlas.report.page import markup
from promptatlas.report.page.study_data import StudyData
from promptatlas.runs import changes, one_precision, still_to_come, tables
from promptatlas.runs.asked import PLAINLY, Asked
from promptatlas.runs.one_precision import Present
from promptatlas.study.designs import EXPLAINED
from promptatlas.study.multitask import ROWS
from promptatlas.study.study import Study
from promptatlas.tasks.overlaps import overlaps

EVERY = 60  # seconds
SIMILARITY = {
    "measure": str, "family": str, "directed": bool, "source": str, "target": str, "method": str, "seed": "Int64", "value": float,
}  # fmt: skip


@dataclass(frozen=True)
class SoFar:
    """How many cells, and how many prompts, of a study there are, and how many it is to have."""

    cells: int
    all_cells: int
    prompts: int
    all_prompts: int

    @classmethod
    def of(cls, study: Study, there: Present) -> "SoFar":
        cell_files, prompts = study.all_cells, study.all_prompts
        return cls(sum(map(there, cell_files)), len(cell_files), sum(map(there, prompts)), len(prompts))

    @property
    def done(self) -> bool:
        return self.cells == self.all_cells

    def told(self, study: Study, path: Path) -> str:
        """In a sentence, with the place of the page."""
        return f"{study.name}: {self}; the page is {path}"

    def __str__(self) -> str:
        return f"{self.cells:,} of {self.all_cells:,} cells, {self.prompts:,} of {self.all_prompts:,} prompts"


def write(study: Study, path: Path, refresh: int | None = None, asked: Asked = PLAINLY, present: Present | None = None) -> SoFar:
    """Write the page at `path`; how far the study is. refresh: seconds after which a browser reads the page again; asked: how one asks
    for the study; present: what is there, if it was looked at before.

    UserError for a study of another design than a matrix, and before there is any cell.
    """
    if study.design.ending is not EXPLAINED:
        raise UserError(f"a study with `design: {study.design.name}` has its page when it is done; the matrix alone has one before")
    there = present or Present(study)
    progress = SoFar.of(study, there)
    known = _tables(study, there)
    if not known["transfer"]["score"].notna().any():
        raise UserError(f"{study.name} has nothing to show yet, it has {progress}; once a cell is measured there is a page")
    now = {"at": time.strftime("%Y-%m-%d %H:%M"), "running": _running(study), "ahead": str(still_to_come.still_to_come(study, there))}
    summary = _summary(study, known, progress.done) | {"so_far": asdict(progress) | now}
    page.write(
        tables={name: known[name] for name in ("transfer", "similarity", "statistics", "tasks", "tuning", "pairs")},
        config=study.description | {"results": study.config["results"]},
        cells=(cells.read(place) for place in study.all_cells if there(place)),
        path=path,
        summary=summary,
        refresh=refresh,
        beside=StudyData.study(study, asked),
    )
    return progress


def first(study: Study, path: Path, asked: Asked = PLAINLY) -> str:
    """Write the page at `path`, or a sentence in its place if there is nothing to show, so that a run goes on; what to tell."""
    try:
        return write(study, path, asked=asked).told(study, path)
    except UserError as why:  # everything that is there by now failed
        replace(path, markup.render("nothing_yet.html", study=study.name, why=str(why)).encode())
        return str(why)


def watch(study: Study, path: Path, say: Say, wait: Callable[[float], None] = time.sleep, asked: Asked = PLAINLY) -> None:
    """Write the page at `path` again whenever there is more to show, until all cells are there."""
    before, there = None, Present(study)
    while True:
        progress = SoFar.of(study, there)
        if progress != before:
            try:
                say(write(study, path, None if progress.done else EVERY, asked, there).told(study, path))
            except UserError as why:  # nothing is measured yet, or a file is just being replaced
                say(str(why))
        if lines := _running(study):
            say("\n".join(["running now:", *(f"  {line}" for line in lines), f"  {still_to_come.still_to_come(study, there)}"]).rstrip())
        if progress.done:
            return
        before = progress
        wait(EVERY)


def _running(study: Study) -> list[str]:
    """What runs now, and how far it is."""
    return [str(job) for job in still_to_come.jobs(study)]


def _tables(study: Study, there: Present) -> dict[str, pd.DataFrame]:
    """By name those that the page shows: what jobs measured from their files, what is made of many of them from tables that are there."""
    transfer = tables.transfer_table(study, there)
    shared = _made(study, "shared_images", overlaps({}))
    similarity = _made(study, "similarity", pd.DataFrame(columns=list(SIMILARITY)).astype(SIMILARITY))
    tasks = tables.tasks_table(study, transfer, shared, there)
    baselines = tables.baselines_table(study, transfer, there)
    given = study.config["statistics"]
    return {
        "transfer": transfer,
        "shared": shared,
        "similarity": similarity,
        "tasks": tasks,
        "baselines": baselines,
        "methods": tables.methods_table(transfer, baselines),
        "tuning": tables.tuning_table(study, there),
        "pairs": pairs(columns(study, transfer)),
        "statistics": statistics.analyse(transfer, similarity, tasks, given["permutations"], given["primary"], baselines),
    }


def _summary(study: Study, known: Mapping[str, pd.DataFrame], done: bool) -> dict[str, Any]:
    """done: whether all cells are there; before, what to train is not to be chosen by them."""
    return statistics.summary(
        known["transfer"],
        known["similarity"],
        known["statistics"],
        known["tasks"],
        known["baselines"],
        permutations=study.config["statistics"]["permutations"],
        methods=known["methods"],
        sources=ROWS,
        shared=known["shared"],
        pairs=known["pairs"],
        budget=record.records(gains.of_tables(known["transfer"], known["tasks"])) if done else (),
        **{name: _made(study, name, None) for name in ("joint", "choice", "explained", "contrasts")},
    )


def _made(study: Study, name: str, otherwise: Any) -> Any:
    """A table that a rule has made by now, or `otherwise`; one of another precision waits to be made again."""
    path = study.paths.table(name)[0]
    made = path in study.tables and path.exists() and one_precision.KEY not in changes.of_configuration(study)
    return pd.read_parquet(path) if made else otherwise
