"""A file with a table as it stands: CSV by comma, semicolon or tab, or Parquet. Knows nothing of what is in its columns."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from promptatlas.base import text_files
from promptatlas.base.errors import UserError
from promptatlas.base.messages import one_line, plain

MOST_MB = 400
DELIMITERS = (",", ";", "\t", "|")
LOOKED_AT = 20  # lines from which the delimiter is told
WAY_OUT = "give CSV, with columns by comma, semicolon or tab, or Parquet"


@dataclass(frozen=True)
class GivenTable:
    """file: as sentences name it; rows: as many cells each as `head`, text or numbers; lines: where each row stands in the file."""

    file: str
    head: list[str]
    rows: list[list[Any]]
    lines: Sequence[int]

    def at(self, row: int, column: int | str) -> str:
        """A cell, for a sentence: file, line and column."""
        name = column if isinstance(column, str) else self.head[column]
        return f"{self.file}, line {self.lines[row]}, column '{plain(name)}'"


def read(path: Path) -> GivenTable:
    """UserError, naming the file and what to do, for what is no table."""
    try:
        size = path.stat().st_size / 1e6
        if size > MOST_MB:
            raise UserError(
                f"{path} has {size:,.0f} MB, more than the {MOST_MB} MB that are read; leave out columns and rows that are not needed"
            )
        with path.open("rb") as file:
            begins = file.read(4)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror or one_line(error)}); {WAY_OUT}") from None
    if begins == b"PAR1":
        try:
            return of_frame(pd.read_parquet(path), str(path))
        except UserError:
            raise
        except Exception as error:  # of any type, as pyarrow has many
            raise UserError(f"{path} is no whole Parquet file ({one_line(error, 80)}); write it again") from None
    if begins[:2] == b"PK":
        raise UserError(f"{path} is a workbook or an archive; save its table as CSV")
    return of_text(text_files.read(path), str(path))


def of_frame(frame: pd.DataFrame, file: str) -> GivenTable:
    """Of a data frame; an index with names in it is its first column."""
    if not isinstance(frame.index, pd.RangeIndex) or list(frame.index) == list(frame.columns):
        frame = frame.reset_index()
    head = [" ".join(map(str, name)) if isinstance(name, tuple) else str(name).strip() for name in frame.columns]
    rows = frame.astype(object).where(frame.notna(), None).to_numpy().tolist()
    return _checked(GivenTable(file, head, rows, range(1, len(rows) + 1)))


def of_text(text: str, file: str) -> GivenTable:
    """Of CSV; lines before the head that begin with # are notes, empty lines are none."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    skipped = 0
    while skipped < len(lines) and (not lines[skipped].strip() or lines[skipped].lstrip().lower().startswith(("#", "sep="))):
        skipped += 1
    if skipped == len(lines):
        raise UserError(f"{file} is empty; {WAY_OUT}")
    delimiter = _delimiter(lines[skipped : skipped + LOOKED_AT], file)
    reader = csv.reader(io.StringIO("\n".join(lines[skipped:])), delimiter=delimiter, strict=True, skipinitialspace=True)
    head: list[str] = []
    rows: list[list[str]] = []
    places: list[int] = []
    try:
        for row in reader:
            line = skipped + reader.line_num
            if not any(cell.strip() for cell in row):
                continue
            if not head:
                head = [cell.strip() for cell in row]
                continue
            if not rows and len(row) == len(head) + 1 and row[-1].strip():  # as R writes a matrix: nothing above the names
                head = ["", *head]
            if len(row) > len(head) and not any(cell.strip() for cell in row[len(head) :]):
                row = row[: len(head)]
            if len(row) != len(head):
                raise UserError(
                    f"{file}, line {line}, has {len(row)} cells where the first line has {len(head)}; where numbers have a decimal comma, "
                    "separate columns by semicolons, and put names with a comma in quotes"
                )
            rows.append([cell.strip() for cell in row])
            places.append(line)
    except csv.Error as error:
        raise UserError(f"{file}, line {skipped + reader.line_num}, is no CSV ({one_line(error, 80)}); look at its quotes") from None
    return _checked(GivenTable(file, head, [[*row] for row in rows], places))


def _delimiter(lines: Sequence[str], file: str) -> str:
    """The sign that splits most lines into as many cells as the first; of several, the one with the most cells."""

    def cells(sign: str) -> list[int]:
        try:
            return [len(row) for row in csv.reader(lines, delimiter=sign, skipinitialspace=True) if row]
        except csv.Error:
            return [0]

    counts = {sign: found for sign in DELIMITERS if (found := cells(sign)) and found[0] > 1}
    if not counts:
        raise UserError(f"{file} has one column only; {WAY_OUT}")
    return max(counts, key=lambda sign: (sum(count == counts[sign][0] for count in counts[sign]) / len(counts[sign]), counts[sign][0]))


def _checked(table: GivenTable) -> GivenTable:
    if not table.rows:
        raise UserError(f"{table.file} has a first line and nothing below it; {WAY_OUT}")
    return table
