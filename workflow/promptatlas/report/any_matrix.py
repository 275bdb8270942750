"""The whole analysis of given matrices, from files to files. The command `analyse` and the library's function of that name are this."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd

from promptatlas.analysis.any_matrix import families, given, records, scales, similarities, table
from promptatlas.analysis.any_matrix.analyse import Analysis, analysis
from promptatlas.analysis.explained_words import sentence
from promptatlas.analysis.words import PARTS
from promptatlas.base import files
from promptatlas.base.errors import UserError
from promptatlas.base.messages import one_line, plain
from promptatlas.report.figures import any_matrix as figures
from promptatlas.report.figures.style import COLUMN, KINDS
from promptatlas.report.page import any_matrix as page
from promptatlas.runs import tables

OF_A_STUDY = ("cells", "prompts", "config.json", "provenance.json")
NAMES = ("transfer", "similarity", "tasks", "statistics", "explained", "contrasts", "effects", "comparison", "groups")
OURS = (
    *(f"tables/{name}.{ending}" for name in NAMES for ending in ("csv", "parquet")),
    *(f"figures/{name}.{ending}" for name in (*figures.NAMES, *(f"{COLUMN}/{name}" for name in figures.NAMES)) for ending in KINDS),
)

Source: TypeAlias = "str | Path | pd.DataFrame"
Sources: TypeAlias = "Source | Sequence[Source | tuple[str, Source]] | Mapping[str, Source]"


@dataclass(frozen=True)
class Report:
    """What came out. summary: the dict of summary.json; tables: by name, as they are written; files: what was written."""

    summary: dict[str, Any]
    tables: dict[str, pd.DataFrame]
    files: list[Path]


def analyse(
    matrix: Sources,
    similarity: Sources | None = None,
    output: str | Path | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    families_of: Source | None = None,
    baseline: float | str | None = None,
    ceiling: float | str | None = None,
    unit: str | None = None,
    lower_is_better: bool = False,
    transpose: bool = False,
    scale: str | None = None,
    primary: Sequence[str] = (),
    permutations: int = 9999,
) -> Report:
    """Analyse a matrix of scores by source and target, of whatever was transferred; no study is needed.

    matrix: a file (CSV or Parquet), a data frame, several of them, or a mapping with a name for each; long (a row per score, with
    `source`, `target`, `score` and, if there are, `seed`, `method`, `protocol`, `baseline`, `ceiling`, `n_test`) or square (sources as
    rows, targets as columns). Several are methods, and those of one name seeds of a method. similarity: likewise, larger is closer.
    output: the folder for tables, figures, summary.json and report.html; None: nothing is written.

    columns: role -> name of its column in a long table. families_of: a table with `task` and `family`. baseline, ceiling: a number, or
    the name of a source that is no target. unit: "share", "percent" or "other", where it is not what the numbers look like.
    transpose: rows of a square matrix are targets. scale: that of headlines. primary: measures named beforehand, whose tests are
    confirmatory.

    UserError, with what is wrong and what to do, for what cannot be read.
    """
    if permutations < 1:
        raise UserError(f"'permutations' is {permutations}; give a whole number of at least 1 (9999 is usual)")
    named = _named(matrix)
    found = gathered(
        named, columns=columns, baseline=baseline, ceiling=ceiling, unit=unit, lower_is_better=lower_is_better, transpose=transpose
    )
    known, left_out = scales.available(found)
    headline = scales.primary(known, left_out, scale)
    near = [(name, similarities.read(_table(one, name))) for name, one in _named(similarity)]
    closeness = similarities.gather(near, found.tasks, found.notes)
    if unknown := [name for name in primary if name not in set(closeness["measure"])]:
        raise UserError(f"there is no similarity '{unknown[0]}' to be confirmed; give its file by `--similarity {unknown[0]}=file`")
    kin = families.read(None if families_of is None else _table(families_of), found.tasks, found.notes)
    result = analysis(found, known, headline, left_out, closeness, kin, permutations, primary)
    written = [] if output is None else write(result, Path(output), title=" and ".join(dict.fromkeys(name for name, _ in named)))
    return Report(result.summary, result.tables, written)


def gathered(
    matrix: Sources,
    *,
    columns: Mapping[str, str] | None = None,
    baseline: float | str | None = None,
    ceiling: float | str | None = None,
    unit: str | None = None,
    lower_is_better: bool = False,
    transpose: bool = False,
) -> given.Given:
    """The matrices as `analyse` reads them, with the same arguments and errors."""
    read = [(name, _records(name, one, columns, transpose)) for name, one in _named(matrix)]
    if not read:
        raise UserError("there is no matrix to analyse; give one file or more")
    return given.gather(read, _text(baseline), _text(ceiling), unit, lower_is_better)


def write(result: Analysis, folder: Path, title: str) -> list[Path]:
    """Everything into `folder`: tables/, figures/, summary.json and report.html; the paths. What an earlier analysis left there and this
    one does not have is removed. UserError for the folder of a study."""
    if of_a_study := next((name for name in OF_A_STUDY if (folder / name).exists()), None):
        raise UserError(f"{folder} holds a study ({of_a_study}), whose tables and page would be lost; name another folder with `-o`")
    try:
        (folder / "tables").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder} cannot be made a folder ({one_line(error)}); name another with `-o`") from None
    written = []
    for name, frame in result.tables.items():
        if len(frame):
            paths = [folder / "tables" / f"{name}.{ending}" for ending in ("csv", "parquet")]
            tables.save(frame, paths)
            written += paths
    drawn, remarks = figures.draw(result, folder / "figures")
    written += drawn
    result.summary["notes"] += remarks
    for path, text in (
        (folder / "summary.json", json.dumps(result.summary, indent=1, ensure_ascii=False) + "\n"),
        (folder / "report.html", page.render(result, title)),
    ):
        files.replace(path, text.encode())
        written.append(path)
    for old in {path for pattern in OURS for path in folder.glob(pattern)} - {*written}:
        old.unlink()
    return written


def lines(summary: dict[str, Any]) -> list[str]:
    """The headlines of each matrix: where its differences come from and how well they would repeat, and what similarities explain."""
    told = []
    for one in summary["by_method"]:
        own = [
            row for row in summary["variance"]
            if row["response"] == summary["primary_response"] and (row["method"], row["protocol"]) == (one["method"], one["protocol"])
        ]  # fmt: skip
        shares = [(row["measure"], row["estimate"]) for row in own if row["test"] == "variance_share" and row["estimate"] is not None]
        if not shares:
            told.append(f"{plain(one['method'])}: where the differences come from cannot be told, {own[0]['reason']}.")
            continue
        parts = ", ".join(f"{100 * share:.0f} % {PARTS[part]}" for part, share in shares)
        reliability = next((row["estimate"] for row in own if row["test"] == "reliability"), None)
        noise = (
            "with the noise of its one seed"
            if one["n_seeds"] < 2
            else "not known"
            if reliability is None
            else f"reliability {reliability:.2f}"
        )
        told.append(f"{plain(one['method'])}: {parts} ({noise}).")
    return told + [sentence(one, plain, plain) for one in summary["explained"]]


def _named(sources: Sources | None) -> list[tuple[str, Source]]:
    """Each with its name: the one that it is given, else that of its file. Names may repeat."""
    if sources is None:
        return []
    if isinstance(sources, Mapping):
        return [(str(name), one) for name, one in sources.items()]
    if not isinstance(sources, (str, Path, pd.DataFrame, list, tuple)):
        raise UserError(f"a matrix is a file, a data frame with the tasks' names, or several of them, not {type(sources).__name__}")
    every = [sources] if isinstance(sources, (str, Path, pd.DataFrame)) else list(sources)
    return [one if isinstance(one, tuple) else ("matrix" if isinstance(one, pd.DataFrame) else Path(one).stem, one) for one in every]


def _table(source: Source, name: str = "") -> table.GivenTable:
    return (
        table.of_frame(source, f"the table '{name}'" if name else "the given table")
        if isinstance(source, pd.DataFrame)
        else table.read(Path(source))
    )


def _records(name: str, source: Source, columns: Mapping[str, str] | None, transpose: bool) -> records.Records:
    if not name.strip():
        raise UserError("a matrix has no name; write name=file with a name before the sign, or the file alone")
    found = records.of_table(_table(source, name), columns)
    return records.transposed(found) if transpose else found


def _text(value: float | str | None) -> str | None:
    return None if value is None else str(value)
