"""Which format the data of a source have, and their listing."""

from __future__ import annotations

from dataclasses import replace
from os.path import expanduser
from pathlib import Path
from typing import Any

from promptatlas.base.errors import UserError
from promptatlas.base.messages import plain
from promptatlas.tasks.listing import Listing
from promptatlas.tasks.readers import table
from promptatlas.tasks.readers.assemble import assemble
from promptatlas.tasks.readers.files import EXTENSIONS
from promptatlas.tasks.readers.formats import coco, columns, metadata, shards, voc
from promptatlas.tasks.readers.formats.beside import require_alone
from promptatlas.tasks.readers.formats.given import Format, GivenData
from promptatlas.tasks.readers.formats.splits import ALL, by_split, split_of
from promptatlas.tasks.seen import Look, Seen, single, tree

CLASS_FOLDERS = "folders"  # the name of what is none of these: a folder for each class, or a list
FORMATS: dict[str, Format] = {"coco": coco, "voc": voc, "webdataset": shards, "imagefolder": metadata, "parquet": columns}


def of(source: dict[str, Any], path: Path) -> Format | None:
    """The format that the source names, or that its data at `path` show; None for class folders and lists of splits.

    UserError where they show two, or are several data sets.
    """
    if "format" in source:
        return None if source["format"] == CLASS_FOLDERS else FORMATS[source["format"]]
    if "manifest" in source:
        return FORMATS["coco"] if coco.is_file(path) else None
    if not path.exists():
        return None
    shown = [name for name, module in FORMATS.items() if module.recognised(path)]
    if path.is_dir() and "splits" not in source:
        for name in shown:
            require_alone(path, FORMATS[name], FORMATS.values())
    if len(shown) > 1:
        raise UserError(f"{path} looks like {' and '.join(shown)}; say which it is in `format`")
    return FORMATS[shown[0]] if shown else None


def require_heeded(source: dict[str, Any], format: Format | None, path: Path) -> None:
    """UserError where the source says with `root`, `label` or `image` what its kind of data does not ask for."""
    if format:
        name = next(name for name, module in FORMATS.items() if module is format)
        heeded, what = format.KEYS, f"data of format {name}"
    elif "manifest" in source:
        heeded, what = (("label", "image"), "a table") if table.is_table(path) else ((), "a list in JSON")
    else:
        heeded, what = (), "class folders"
    if odd := [key for key in ("root", "label", "image") if key in source and key not in heeded]:
        raise UserError(f"{path} is read as {what}, where `{odd[0]}` means nothing; leave it out, or say in `format` what it is")


def place_of(source: dict[str, Any], path: Path, data_root: Path) -> GivenData:
    """`path` with what the source says of it."""
    root = source.get("path") if "manifest" in source else source.get("root")
    where = Path(data_root) / expanduser(str(root)) if root else None
    return GivenData(path, where, str(source.get("label", "")), str(source.get("image", "")))


def glance(source: dict[str, Any], format: Format, place: GivenData, labelled: bool = False) -> None:
    """UserError where names alone tell that there is nothing, or not which is for what."""
    by_split(source, format.groups(place), str(place.path), labelled)


def read(source: dict[str, Any], format: Format, place: GivenData, shares: dict[str, float], labelled: bool = False) -> Listing:
    """shares: how images are divided that nobody has divided. labelled: for somebody who wants no test images, and all of the others."""
    groups = format.groups(place)
    chosen = by_split(source, groups, str(place.path), labelled)
    if labelled and "redraw" not in source:
        chosen = {"train" if split == ALL else split: names for split, names in chosen.items() if split != "test"}
    parts, notes = format.parts(place, {name: groups[name] for names in chosen.values() for name in names})
    if ALL in chosen:
        source = {**source, "redraw": source.get("redraw", shares)}
    found = {split: [parts[name] for name in names] for split, names in chosen.items()}
    listing = assemble(source, found, "own data", str(place.path))
    alone = next((name for name in chosen.get(ALL, ()) if split_of(name) and "splits" not in source), None)
    divided = [f"all its images are in {plain(alone)}, so they are divided"] if alone else []
    return replace(listing, notes=(*listing.notes, *divided, *notes))


def look(format: Format, place: GivenData) -> Look:
    """Every file that reading may depend on."""
    found: dict[str, Seen | None] = {}
    if place.path.is_dir():
        for root in (place.path, *([place.root] if place.root else [])):
            found |= tree(root, lambda name: name.lower().endswith((*EXTENSIONS, *format.ENDINGS)))
    else:
        found = {f"the file {place.path.name}": single(place.path)} | {str(file): single(file) for file in format.beside(place)}
    return {name: seen for name, seen in found.items() if seen}
