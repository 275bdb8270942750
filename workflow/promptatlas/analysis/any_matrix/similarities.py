"""Matrices of similarity that are given beside the scores, as the table `similarity` of a study has them."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from promptatlas.analysis.any_matrix.columns import simple
from promptatlas.analysis.any_matrix.records import Records, of_table
from promptatlas.analysis.any_matrix.table import GivenTable
from promptatlas.base.errors import UserError
from promptatlas.base.messages import plain, some

FAMILY = "given"
COLUMNS = ("measure", "family", "directed", "source", "target", "method", "seed", "value")


def read(table: GivenTable) -> Records:
    """A file of similarities; its column `measure`, if it has one, tells measures apart, as in the tables of a study."""
    return of_table(table, {"method": "measure"} if "measure" in table.head else None)


def gather(files: Sequence[tuple[str, Records]], tasks: Sequence[str], notes: list[str]) -> pd.DataFrame:
    """One row per measure and ordered pair of `tasks`; larger is closer. files: with the measure's name, which a file's own column
    `measure` or `method` goes before. What was understood is added to `notes`.

    UserError for names that are none of the tasks', and for pairs that stand twice.
    """
    parts = [part for name, records in files for part in _measures(name, records, tasks, notes)]
    names = [str(part["measure"].iloc[0]) for part in parts]
    if twice := [name for name in names if names.count(name) > 1]:
        raise UserError(f"two similarities are called '{plain(twice[0])}'; give each a name of its own, as in `--similarity name=file`")
    return pd.concat(parts, ignore_index=True)[list(COLUMNS)] if parts else pd.DataFrame(columns=list(COLUMNS))


def _measures(name: str, records: Records, tasks: Sequence[str], notes: list[str]) -> list[pd.DataFrame]:
    table = records.table
    keys = ["method", "source", "target"]
    if (twice := table.duplicated(keys)).any():
        row = table[twice].iloc[0]
        raise UserError(
            f"{records.file}, line {row['line']}: {plain(row['source'])} -> {plain(row['target'])} stands there again; remove one, or tell "
            "measures apart by a column 'measure'"
        )
    known, given = set(tasks), set(table["source"]) | set(table["target"])
    if len(known & given) < 2:
        raise UserError(
            f"{records.file} has {len(known & given)} of the tasks; it needs the names of the matrix, such as {some(map(plain, tasks), 3)}"
        )
    if lacking := sorted(known - given):
        called = {simple(other): other for other in sorted(given - known)}
        if near := next((task for task in lacking if simple(task) in called), None):
            raise UserError(f"{records.file}: '{plain(called[simple(near)])}' is called '{plain(near)}' in the matrix; write both alike")
        notes.append(f"{records.file}: nothing on {some(map(plain, lacking), 6)}.")
    return [_measure(measure or name, part, tasks, notes, records.file) for measure, part in table.groupby("method", sort=False)]


def _measure(name: str, part: pd.DataFrame, tasks: Sequence[str], notes: list[str], file: str) -> pd.DataFrame:
    values = part.pivot(index="source", columns="target", values="score").reindex(index=list(tasks), columns=list(tasks)).to_numpy(float)
    own = np.eye(len(tasks), dtype=bool)
    if not np.isfinite(values[~own]).any():
        raise UserError(f"{file}: '{plain(name)}' has no value for any pair of the tasks")
    if np.isnan(values[~own]).sum() and (half := _half(values, own)) is not None:
        values = half
        notes.append(f"{file}: one half of '{plain(name)}' is given; the other is taken to be the same.")
    if _is_distance(values, own):
        values = -values
        notes.append(
            f"{file}: '{plain(name)}' is zero for a task and itself and above zero else, so it is read as a distance and turned (times -1)."
        )
    source, target = np.meshgrid([*tasks], [*tasks], indexing="ij")
    there = np.isfinite(values) & np.isfinite(values.T)
    directed = not np.allclose(values[there], values.T[there])
    about: Mapping = {"measure": name, "family": FAMILY, "directed": directed, "method": "", "seed": pd.NA}
    return pd.DataFrame({"source": source.ravel(), "target": target.ravel(), "value": values.ravel()}).assign(**about)


def _half(values: np.ndarray, own: np.ndarray) -> np.ndarray | None:
    """The whole matrix where of each pair one direction is given, else None."""
    there = np.isfinite(values) & ~own
    if (there & there.T).any():
        return None
    return np.where(np.isfinite(values), values, values.T)


def _is_distance(values: np.ndarray, own: np.ndarray) -> bool:
    others = values[~own]
    return bool(np.all(np.diagonal(values) == 0) and (others[np.isfinite(others)] > 0).all())
