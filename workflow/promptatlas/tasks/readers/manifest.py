"""A list of images with labels and splits in one JSON file, as CoOp publishes its splits; also for one's own data.

{"train": [["cat/1.jpg", 0, "cat"], ...], "val": ..., "test": ...}; a multi-label row has lists: ["1.jpg", [0, 2],
["cat", "dog"]]. Rows keep their order, since CoOp's draws depend on it. Paths may be written as Windows does, with \\.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from promptatlas.base import text_files
from promptatlas.base.errors import UserError
from promptatlas.base.messages import shown
from promptatlas.base.place import page
from promptatlas.tasks.readers import table
from promptatlas.tasks.readers.assemble import Part
from promptatlas.tasks.readers.files import File, Files, require, stamp, stat
from promptatlas.tasks.readers.inside import as_here, may_be_inside, require_inside, short
from promptatlas.tasks.seen import Look, single

NEEDED = ("train", "test")
KEYS = {"train": "train", "val": "validation", "validation": "validation", "test": "test"}
ROW = '["path", 0, "class name"], or ["path", [0, 2], ["one class", "another"]] if an image can show several'


def path(source: dict, data_root: Path) -> Path:
    """Where the source's manifest lies."""
    return Path(data_root) / os.path.expanduser(str(source["manifest"]))


def read(source: dict, data_root: Path, root: Path, needed: Sequence[str] = NEEDED) -> dict[str, list[Part]]:
    """The parts of every split of the manifest, or of `table.ALL`; its paths are relative to `root` and must not lead out of it.

    needed: the splits without which it is none.
    """
    file, content, names, multilabel = _looked_into(source, data_root, needed)
    order = {label: position for position, label in enumerate(sorted(names))}
    listed = tuple(names[label] for label in sorted(names))
    paths = {split: [row[0] for row in rows] for split, rows in content.items()}
    files = _files(paths, root, file)
    return {split: [_part(rows, root, files[split], order, listed, multilabel)] for split, rows in content.items()}


def classes(source: dict, data_root: Path) -> tuple[tuple[str, ...], bool]:
    """The names of the classes in the order of their labels, and whether rows have lists of them."""
    _, _, names, multilabel = _looked_into(source, data_root)
    return tuple(names[label] for label in sorted(names)), multilabel


def _looked_into(source: dict, data_root: Path, needed: Sequence[str] = NEEDED) -> tuple[Path, dict[str, list], dict[int, str], bool]:
    """The manifest, its rows by split, the name of each label, and whether rows have lists of labels."""
    file = path(source, data_root)
    content = _content(source, file, needed)
    first = next(iter(content.values())) if table.ALL in content else content["train"]
    multilabel = isinstance(first[0][1], list)
    return file, content, _names(content, file, multilabel), multilabel


def look(source: dict, data_root: Path, root: Path) -> Look:
    """The list, and the files that it names as far as they are there."""
    file = path(source, data_root)
    try:
        content = _rows_of_table(source, file) if table.is_table(file) else json.loads(text_files.read(file))
        listed = (row[0] for rows in content.values() for row in rows)
        named = dict.fromkeys(as_here(path, root) for path in listed if may_be_inside(path, root))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, UserError):
        named = {}  # reading it says what is wrong
    found = {name: single(os.path.join(root, name)) for name in named} | {f"the list {file.name}": single(file)}
    return {name: seen for name, seen in found.items() if seen}


def _rows_of_table(source: dict, file: Path) -> dict[str, list]:
    return table.rows(file, str(source.get("label", "")), str(source.get("image", "")))


def _content(source: dict, file: Path, needed: Sequence[str]) -> dict[str, list]:
    """Rows by our names of the splits."""
    try:
        if table.is_table(file):
            content = _rows_of_table(source, file)
        else:
            content = json.loads(text_files.required(file), object_pairs_hook=lambda pairs: _once(pairs, file))
    except (ValueError, RecursionError):
        raise UserError(f"{file} is not a JSON file; {page('data.md')} has the format of a list") from None
    if table.is_table(file) and [*content] == [table.ALL]:
        return content
    if table.is_table(file) and not set(needed) <= set(content):
        missing = " and ".join(key for key in needed if key not in content)
        raise UserError(f"{file} has no rows of the split {missing}; add some, or leave the column `split` out")
    if not isinstance(content, dict) or not set(needed) <= set(content) or set(content) - set(KEYS):
        must, may = ([f'"{key}"' for key in ("train", "val", "test") if (key in needed) == wanted] for wanted in (True, False))
        raise UserError(f"{file} must be an object with {', '.join(must)} and perhaps {', '.join(may)}, each a list of rows")
    splits: dict[str, list] = {}
    for key, rows in content.items():
        if KEYS[key] in splits:
            raise UserError(f'{file} has both "val" and "validation"; keep one')
        if not isinstance(rows, list):
            raise UserError(f"{file}: {key!r} must be a list of rows {ROW}")
        for number, row in enumerate(rows):
            if not (isinstance(row, list) and len(row) == 3 and isinstance(row[0], str) and row[0]):
                raise UserError(f"{file}: row {number} of {key!r} is {short(row)}, but a row is {ROW}")
        if rows or KEYS[key] in needed:
            splits[KEYS[key]] = rows
    for key in needed:
        if not splits[key]:
            raise UserError(f"{file} has no {key} images at all; add rows to {key!r}")
    return splits


def _once(pairs: list[tuple[str, object]], file: Path) -> dict[str, object]:
    """An object of the file; of a key that it has twice JSON keeps the last value and drops the others without a word."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise UserError(f"{file} has the key {short(twice)} twice; put the rows of both into one list")
    return found


def _names(content: dict[str, list], file: Path, multilabel: bool) -> dict[int, str]:
    """Class name of every label; checks every row's labels and names on the way."""
    names: dict[int, str] = {}
    for split, rows in content.items():
        for number, (_, labels, called) in enumerate(rows):
            where = f"{file}: row {number} of {split}"
            if isinstance(labels, list) != multilabel or isinstance(called, list) != multilabel:
                raise UserError(f"{where} is {short(rows[number])}; rows with one class and with lists do not mix, a row is {ROW}")
            pair = (labels, called) if multilabel else ([labels], [called])
            if len(pair[0]) != len(pair[1]):
                counts = f"{len(pair[0])} labels but {len(pair[1])} class names"
                raise UserError(f"{where} has {counts}; give one name per label")
            for label, name in zip(*pair, strict=True):
                if type(label) is not int or label < 0:
                    raise UserError(f"{where} has label {short(label)}, which is no whole number from 0 up")
                if not isinstance(name, str) or not name.strip():
                    raise UserError(f"{where} has class name {short(name)}; a class name is text that is not empty")
                if names.setdefault(label, name) != name:
                    raise UserError(
                        f"{where} calls label {label} {shown(name)}, but it was {shown(names[label])} before; one label, one name"
                    )
    return names


def _files(paths: dict[str, list[str]], root: Path, file: Path) -> dict[str, list[File]]:
    """The files of each split. UserError for those of all splits that are not there."""
    found, missing = {}, []
    for split, listed in paths.items():
        require_inside(listed, root, file)
        found[split], absent = stat(root, [as_here(path, root) for path in listed])
        missing += absent
    require(missing, str(file), root, "put them there or correct the list")
    return found


def _part(rows: list, root: Path, files: list[File], order: dict[int, int], names: tuple[str, ...], multilabel: bool) -> Part:
    if multilabel:
        labels = np.zeros((len(rows), len(names)), dtype=np.uint8)
        for number, (_, marked, _) in enumerate(rows):
            labels[number, [order[label] for label in marked]] = 1
    else:
        labels = np.array([order[row[1]] for row in rows], dtype=np.int64)
    return Part(Files(root, [one.path for one in files]), labels, names, stamp(files))
