"""Folders of images with a metadata.csv, .jsonl or .parquet, as `datasets` reads them: a row per image, its path under `file_name`."""

import csv
import io
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from promptatlas.base import text_files
from promptatlas.base.errors import UserError
from promptatlas.base.messages import counted, first_line, plain, printable, some
from promptatlas.tasks.readers.assemble import Part
from promptatlas.tasks.readers.files import Files, folders, images, require, stamp, stat
from promptatlas.tasks.readers.formats.columns import BESIDE, LABELS
from promptatlas.tasks.readers.formats.given import GivenData
from promptatlas.tasks.readers.formats.splits import split_of
from promptatlas.tasks.readers.inside import as_here, bare, require_inside, short
from promptatlas.tasks.readers.marks import are_marks, number_notes, of_values

FORM = "metadata.csv, metadata.jsonl or metadata.parquet beside the images, with `file_name`, `label` and perhaps `split`"
ENDINGS = (".csv", ".jsonl", ".parquet")
KEYS = ("root", "label")
NAMES = ("metadata.csv", "metadata.jsonl", BESIDE)
PATH, SPLIT = "file_name", "split"
FEW = 3
LOOKED_AT = 10  # lines, of which some may lack their label


class ListedImage(NamedTuple):
    """number: of the line that the row ends on; in parquet, which has no lines, of the row, from 1."""

    number: int
    path: str
    label: Any
    split: str


def recognised(path: Path) -> bool:
    return path.is_dir() and any(_has_labels(file) for file in _files(path).values())


def groups(place: GivenData) -> Mapping[str, tuple[Path, list[ListedImage]]]:
    """Rows by the folder of their file; of a single file by its column `split`, or by the folders of the images where these are called
    like splits."""
    files = _files(place.path)
    if not files:
        raise UserError(f"{place.path} has no {', '.join(NAMES[:-1])} or {NAMES[-1]}; put it beside the images")
    found = {name: (file, _rows(file, place.label)) for name, file in files.items()}
    if len(found) > 1:
        for folder, (file, rows) in found.items():
            if odd := [row for row in rows if row.split and split_of(row.split) != split_of(folder)]:
                raise UserError(
                    f"{_place(file, odd[0].number)}: the split is {plain(odd[0].split)} in the folder {plain(folder)}; correct it, or "
                    f"leave the column `{SPLIT}` out"
                )
        return found
    file, rows = next(iter(found.values()))
    if rows[0].split:
        by_column: dict[str, list[ListedImage]] = {}
        for row in rows:
            by_column.setdefault(row.split, []).append(row)
        return {name: (file, listed) for name, listed in by_column.items()}
    by_folder: dict[str, list[ListedImage]] = {}
    for row in rows:
        folder, slash, _ = bare(row.path).partition("/")
        by_folder.setdefault(folder if slash else "", []).append(row)
    return {name: (file, listed) for name, listed in by_folder.items()} if all(map(split_of, by_folder)) else found


def parts(place: GivenData, groups: Mapping[str, tuple[Path, list[ListedImage]]]) -> tuple[dict[str, Part], Sequence[str]]:
    """The listed images with the labels of their rows. UserError names file and line."""
    found, notes = {}, []
    missing: dict[Path, list[str]] = {}
    marks = are_marks((([row.label for row in rows], 0) for _, rows in groups.values()), str(place.path))
    for name, (file, rows) in groups.items():
        root = place.root or file.parent
        require_inside([row.path for row in rows], root, file, [_unit(file, row.number) for row in rows])
        paths = [as_here(row.path, root) for row in rows]
        files, absent = stat(root, paths)
        numbers_of = {path: row.number for path, row in zip(paths, rows, strict=True)}
        missing.setdefault(file, []).extend(f"{path} ({_unit(file, numbers_of[path])})" for path in absent)
        labels, names = of_values([row.label for row in rows], (), str(file), marks, _told(file, rows))
        found[name] = Part(Files(root, paths), labels, names, stamp(files))
    for file, told in missing.items():
        require(told, str(file), place.root or file.parent, "put them there or correct the list")
    for file in dict.fromkeys(file for file, _ in groups.values()):
        listed = {os.path.normpath(as_here(row.path, file.parent)) for other, rows in groups.values() if other == file for row in rows}
        others = [one.path for one in images(file.parent) if one.path not in listed] if not place.root else []
        if others and len(groups) == len(_files(place.path)):
            are = "is" if len(others) == 1 else "are"
            notes.append(
                f"{counted(len(others), 'image')} that {file.name} does not list {are} left out: {some(map(printable, others), FEW)}"
            )
    return found, [*notes, *number_notes((part.names for part in found.values()), "in the column of labels")]


def beside(place: GivenData) -> list[Path]:
    """None: these are folders."""
    return []


def _told(file: Path, rows: Sequence[ListedImage]) -> Callable[[int], str]:
    return lambda position: f"{_place(file, rows[position].number)}: {plain(rows[position].path)}"


def _place(file: Path, number: int) -> str:
    return f"{file}, {_unit(file, number)}"


def _unit(file: Path, *numbers: int) -> str:
    """Such as "line 3" or "lines 2 and 3"; of parquet "row 3"."""
    unit = "row" if file.suffix == ".parquet" else "line"
    return f"{unit}{'s' if len(numbers) > 1 else ''} {' and '.join(map(str, numbers))}"


def _files(path: Path) -> dict[str, Path]:
    """By the name of its folder: in the folder itself, or in those below it."""
    own = next((path / name for name in NAMES if (path / name).is_file()), None)
    if own:
        return {path.name: own}
    return {inner: path / inner / name for inner in folders(path) for name in NAMES if (path / inner / name).is_file()}


def _has_labels(file: Path) -> bool:
    columns = _columns(file)
    return PATH in columns and bool({*LABELS} & {*columns})


def _columns(file: Path) -> list[str]:
    """What the header or the first lines have; nothing if they cannot be read."""
    if file.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            return list(pq.read_schema(file).names)
        except (OSError, ValueError, pa.ArrowException):
            return []
    try:
        with open(file, encoding="utf-8-sig", errors="replace") as lines:
            first = list(islice(lines, 1 if file.suffix == ".csv" else LOOKED_AT))
    except OSError:
        return []
    if file.suffix == ".csv":
        return [name.strip().strip('"') for line in first for name in line.split(",")]
    return [key for line in first for key in _keys(line)]


def _keys(line: str) -> list[str]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return []
    return list(found) if isinstance(found, dict) else []


def _rows(file: Path, wanted: str) -> list[ListedImage]:
    rows: list[ListedImage] = []
    seen: dict[str, int] = {}
    listed = list({".csv": _of_table, ".jsonl": _of_lines, ".parquet": _of_columns}[file.suffix](file))
    label = wanted or _label_of([row for _, row in listed], file)
    for number, row in listed:
        path, value = row.get(PATH), row.get(label)
        if not isinstance(path, str) or not path:
            raise UserError(f"{_place(file, number)}: there is no `{PATH}`; add the path of the image")
        if value is None or value == "":
            raise UserError(f"{_place(file, number)}: {plain(path)} has no `{label}`; add it, or leave the image out")
        if (same := bare(path)) in seen:
            raise UserError(f"{file}: {_unit(file, seen[same], number)} are both of {plain(path)}; give each image once")
        seen[same] = number
        rows.append(ListedImage(number, path, value, _split_of_row(row, label)))
    if not rows:
        raise UserError(f"{file} lists no image; it needs a row for each, with `{PATH}` and `label`")
    if any(row.split for row in rows) and (without := [row for row in rows if not row.split]):
        raise UserError(
            f"{_place(file, without[0].number)}: {plain(without[0].path)} has no `{SPLIT}`, as others have; add it, such as train"
        )
    return rows


def _split_of_row(row: Mapping[str, Any], label: str) -> str:
    """What the row's `split` says, if it has one that is not its label."""
    value = next((row[key] for key in row if key.strip().casefold() == SPLIT and key != label), None)
    return "" if value is None else str(value).strip().casefold()


def _label_of(rows: Sequence[Mapping[str, Any]], file: Path) -> str:
    """The key of labels in the first row that has one."""
    row = next((row for row in rows if {*LABELS} & {*row}), next(iter(rows), {}))
    usual = [name for name in LABELS if name in row]
    if rows and len(usual) != 1:
        raise UserError(f"{file} has {some(map(plain, row), 6)}; say in `label` which of them holds the class")
    return usual[0] if usual else ""


def _of_table(file: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text_files.required(file), newline=""), strict=True)
    try:
        for row in reader:
            yield reader.line_num, {key: value.strip() if isinstance(value, str) else value for key, value in row.items() if key}
    except csv.Error as error:
        raise UserError(f"{file}, line {reader.line_num}: is no table ({error}); save it as CSV") from None


def _of_lines(file: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(text_files.required(file).split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            raise UserError(f"{file}, line {number}: {short(line[:40])} is no JSON object; write one on each line")
        yield number, row


def _of_columns(file: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        yield from enumerate(pq.read_table(file).to_pylist(), 1)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise UserError(f"{file} cannot be read ({first_line(error)}); fetch or save it anew") from None
