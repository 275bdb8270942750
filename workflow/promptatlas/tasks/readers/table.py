"""A list of images as a table: a CSV file with columns `path`, `label` and perhaps `split`, whose labels are the names of classes.

Gives what the JSON list of `manifest` holds; knows nothing of files of images. Commas, semicolons or tabs part the columns, as the header
says; other columns are left out.
"""

import csv
import io
from pathlib import Path

from promptatlas.base import text_files
from promptatlas.base.errors import UserError
from promptatlas.base.messages import plain, some
from promptatlas.tasks.readers.inside import bare
from promptatlas.tasks.readers.marks import NO_CLASS, is_negative
from promptatlas.tasks.readers.names import natural

ENDING = ".csv"
ALL = "all"  # of a list without a column `split`
SPLITS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
DELIMITERS = ",;\t"
FORM = "a list has the columns path, label and perhaps split (train, val or test), and a row per image"


def is_table(path: str | Path) -> bool:
    return str(path).lower().endswith(ENDING)


def rows(path: Path, label: str = "", image: str = "") -> dict[str, list[list]]:
    """By split, or under ALL, rows [path, number, class name]; classes are numbered in the natural order of their names.

    label, image: the columns of labels and paths, where they are called otherwise.

    UserError for what is no such table, or cannot be read.
    """
    text = text_files.required(path)
    header = text.lstrip().partition("\n")[0]
    delimiter = max(DELIMITERS, key=header.count)
    try:
        found = list(csv.DictReader(io.StringIO(text.lstrip(), newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise UserError(f"{path} is no table ({error}); {FORM}") from None
    columns = {name.strip().casefold(): name for name in (found[0] if found else ()) if isinstance(name, str)}
    wanted = [name.strip().casefold() for name in (image or "path", label or "label")]
    if not set(wanted) <= set(columns):
        told = f"has the columns {some(map(plain, columns), 4)}" if found else "has no rows below its header"
        named = [(key, name) for key, name in (("image", image), ("label", label)) if name and name.strip().casefold() not in columns]
        given = [f"`{key}` names {plain(name)}" for key, name in named]
        otherwise = "; `image` and `label` say which columns these are where they are called otherwise" if found else ""
        raise UserError(f"{path} {told}{f', but {given[0]}' if given and found else ''}; {FORM}{otherwise}")
    splits: dict[str, list[tuple[str, str]]] = {}
    seen: dict[str, int] = {}
    for number, row in enumerate(found, 2):
        file, name = ((row[columns[key]] or "").strip() for key in wanted)
        if not file or not name:
            raise UserError(f"{path}: row {number} lacks its {'label' if file else 'path'}; {FORM}")
        if (same := bare(file)) in seen:
            raise UserError(
                f"{path}: rows {seen[same]} and {number} are both of {plain(file)}; give each image once, or a list in JSON if images "
                "show several classes"
            )
        seen[same] = number
        if is_negative(name):
            raise UserError(f"{path}: row {number} has the label {plain(name)}, {NO_CLASS}")
        splits.setdefault(_split(row, columns, path, number), []).append((file, name))
    names = sorted({name for listed in splits.values() for _, name in listed}, key=natural)
    numbers = {name: number for number, name in enumerate(names)}
    return {split: [[image, numbers[name], name] for image, name in listed] for split, listed in splits.items()}


def _split(row: dict[str, str], columns: dict[str, str], path: Path, number: int) -> str:
    if "split" not in columns:
        return ALL
    given = (row[columns["split"]] or "").strip()
    if given.casefold() not in SPLITS:
        raise UserError(f"{path}: row {number} has the split {plain(given)!r}; a split is one of train, val and test")
    return SPLITS[given.casefold()]
