"""One record per score, from a long table (a row per score) or a square one (a row per source, a column per target)."""

import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from promptatlas.analysis.any_matrix import columns, numbers
from promptatlas.analysis.any_matrix.table import GivenTable
from promptatlas.base.errors import UserError
from promptatlas.base.messages import plain, shown, some

NUMBERS = ("score", "baseline", "ceiling", "n_test")
TEXTS = ("method", "protocol", "seed", "source", "target")
LONG = "a long table has columns for source, target and score (say which by `--columns source=... target=... score=...`)"
SQUARE = "a square one has the tasks' names in its first column and in its first line"


@dataclass
class Records:
    """table: the columns `TEXTS` ("" where the file has none) and `NUMBERS`, and `line`, where each stands in its file.

    file: as sentences name it; notes: what was understood, in sentences; percent: whether numbers have percent signs; score: what the
    column of scores is called; unused: columns of the file that are not read.
    """

    file: str
    table: pd.DataFrame
    notes: list[str] = field(default_factory=list)
    percent: bool = False
    score: str = ""
    unused: tuple[str, ...] = ()
    square: bool = False


def of_table(table: GivenTable, given: Mapping[str, str] | None = None) -> Records:
    """The records of a file. given: role -> name of its column, for a long one. UserError for what cannot be understood."""
    found = columns.roles(table.head, given or {}, table.file)
    if "source" in found and "target" in found:
        found = found if "score" in found else found | {"score": _only_numbers(table, found)}
    if all(role in found for role in columns.NEEDED):
        return _long(table, found)
    if given:
        lacking = [role for role in columns.NEEDED if role not in found]
        raise UserError(f"{table.file}: no column is known for {some(lacking, 3)}; {LONG}")
    if {name for name in table.head[1:] if name} & {_text(row[0]) for row in table.rows}:
        return _square(table)
    raise UserError(f"{table.file} is no matrix that can be read: {LONG}, {SQUARE}; it has the columns {some(map(plain, table.head), 8)}")


def _only_numbers(table: GivenTable, found: Mapping[str, int]) -> int:
    """The one column, of those without a role, that holds numbers."""
    free = [place for place in range(len(table.head)) if place not in found.values()]
    fitting = [place for place in free if _holds_numbers(row[place] for row in table.rows[:200])]
    if len(fitting) == 1:
        return fitting[0]
    which = some((plain(table.head[place]) for place in fitting), 6)
    told = f"any of {which} could be the score" if fitting else "no column holds scores"
    raise UserError(f"{table.file}: {told}; say which it is by `--columns score=...`")


def _holds_numbers(cells: Any) -> bool:
    try:
        return any(np.isfinite([numbers.read(cell)[0] for cell in cells]))
    except ValueError:
        return False


def _long(table: GivenTable, found: Mapping[str, int]) -> Records:
    texts = {role: [_text(row[found[role]]) for row in table.rows] if role in found else [""] * len(table.rows) for role in TEXTS}
    for role in ("source", "target"):
        if "" in texts[role]:
            raise UserError(f"{table.at(texts[role].index(''), found[role])}, has no name; give one or leave the row out")
    records = Records(table.file, pd.DataFrame(texts, dtype=object), score=table.head[found["score"]])
    commas = False
    for role in NUMBERS:
        values, percent, comma = _numbers(table, found.get(role))
        records.table[role], commas = values, commas or comma
        records.percent |= percent
    records.table["line"] = list(table.lines)
    named = {role: table.head[place] for role, place in found.items()}
    told = ", ".join(f"{role} from '{plain(name)}'" for role, name in named.items() if role != name)
    records.unused = tuple(name for place, name in enumerate(table.head) if place not in found.values() and name)
    if told:
        records.notes.append(f"{table.file}: {told}.")
    if records.unused:
        records.notes.append(f"{table.file}: not used: {some(map(plain, records.unused), 8)}.")
    if commas:
        records.notes.append(f"{table.file}: numbers have decimal commas.")
    return records


def _square(table: GivenTable) -> Records:
    targets, sources = table.head[1:], [_text(row[0]) for row in table.rows]
    for what, names in (("columns", targets), ("rows", sources)):
        if "" in names:
            raise UserError(
                f"{table.file}: one of the {what} has no name; every row and every column of a square matrix needs its task's name"
            )
        if twice := [name for name, count in Counter(map(_same, names)).items() if count > 1]:
            raise UserError(
                f"{table.file}: two {what} are called '{plain(twice[0])}'; give each task one {what[:-1]}, and seeds as files of their own"
            )
    every = [_numbers(table, place) for place in range(1, len(table.head))]
    frame = pd.DataFrame({role: pd.Series([""] * (len(sources) * len(targets)), dtype=object) for role in TEXTS})
    frame["source"] = np.repeat(np.array(sources, dtype=object), len(targets))
    frame["target"] = np.tile(np.array(targets, dtype=object), len(sources))
    frame["score"] = np.stack([values for values, _, _ in every], axis=1).ravel()
    for role in NUMBERS[1:]:
        frame[role] = np.nan
    frame["line"] = np.repeat(list(table.lines), len(targets))
    signs = [percent for _, percent, _ in every]
    notes = [f"{table.file}: rows are read as sources, columns as targets."]
    if any(comma for _, _, comma in every):
        notes.append(f"{table.file}: numbers have decimal commas.")
    return Records(table.file, frame, notes, any(signs), square=True)


def _numbers(table: GivenTable, place: int | None) -> tuple[np.ndarray, bool, bool]:
    """The numbers of a column, NaN where there are none; whether they have percent signs, and whether decimal commas."""
    values, percent, comma = np.full(len(table.rows), np.nan), [], False
    if place is None:
        return values, False, False
    for number, row in enumerate(table.rows):
        try:
            values[number], sign, decimal = numbers.read(row[place])
        except ValueError as error:
            raise UserError(
                f"{table.at(number, place)}: {shown(row[place])} {error}; write numbers such as 0.53, and nothing where none was measured"
            ) from None
        comma |= decimal
        if np.isfinite(values[number]):
            percent.append(sign)
            if sign != percent[0]:
                raise UserError(
                    f"{table.at(number, place)}: some numbers have a percent sign and this or others have none; write all alike"
                )
    return values, bool(percent and percent[0]), comma


def _text(cell: Any) -> str:
    """A name as it is compared: its signs composed, without space around; whole numbers without a point."""
    if cell is None or (isinstance(cell, float) and np.isnan(cell)):
        return ""
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    return _same(str(cell))


def _same(name: str) -> str:
    return unicodedata.normalize("NFC", " ".join(name.split()))


def transposed(records: Records) -> Records:
    """A square matrix whose rows are targets."""
    if not records.square:
        raise UserError(f"{records.file} is a long table, whose columns say what is source and what target; leave `--transpose` out")
    table = records.table.rename(columns={"source": "target", "target": "source"})
    notes = [f"{records.file}: rows are read as targets, columns as sources.", *records.notes[1:]]
    return replace(records, table=table, notes=notes)
