"""Annotations of objects as COCO publishes them: JSON files with `images`, `annotations` and `categories`.

Read with the standard library: what pycocotools adds to that are masks and scores of detections.
"""

import json
import os
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from promptatlas.base import text_files
from promptatlas.base.errors import UserError
from promptatlas.tasks.readers.assemble import Part
from promptatlas.tasks.readers.files import folders, require, stat
from promptatlas.tasks.readers.formats.annotated import Annotated, parts as labelled
from promptatlas.tasks.readers.formats.given import GivenData
from promptatlas.tasks.readers.inside import as_here, bare, may_be_inside, require_inside, require_within, short

FORM = "annotations/instances_train.json and the like, train/_annotations.coco.json, train/labels.json, or one such file named as `folder`"
ENDINGS = (".json",)
KEYS = ("root",)
OBJECTS = "instances_"
EXPORT = "_annotations.coco.json"  # beside the images of each split
FIFTYONE, DATA = "labels.json", "data"  # of each split, and the folder of its images
FIRST_KEYS = ("info", "licenses", "images", "annotations", "categories")
PEEK = 4096


def recognised(path: Path) -> bool:
    return is_file(path) if path.is_file() else bool(_files(path))


def is_file(path: Path) -> bool:
    """Whether a JSON file begins as one of this format; a list of splits begins with a split."""
    if not path.name.lower().endswith(ENDINGS):
        return False
    try:
        with open(path, "rb") as file:
            start = file.read(PEEK)
    except OSError:
        return False
    start = start.removeprefix(b"\xef\xbb\xbf").lstrip().removeprefix(b"{").lstrip()
    return any(start.startswith(f'"{key}"'.encode()) for key in FIRST_KEYS)


def groups(place: GivenData) -> Mapping[str, Path]:
    """The files, called as the folder of an export, or as the file without `instances_`."""
    found = {place.path.stem: place.path} if place.path.is_file() else _files(place.path)
    if not found:
        raise UserError(f"{place.path} has no annotations of COCO; it needs {FORM}")
    return found


def parts(place: GivenData, groups: Mapping[str, Path]) -> tuple[dict[str, Part], Sequence[str]]:
    """Marks of the categories of which an image has an annotation, crowds and parts of them too. UserError names file and key."""
    return labelled({name: _annotated(place, file) for name, file in groups.items()})


def beside(place: GivenData) -> list[Path]:
    """The images that the file lists; none if it cannot be read."""
    try:
        listed = [one["file_name"] for one in _content(place.path)["images"]]
        root = _root(place, place.path, listed)
        return [root / as_here(name, root) for name in listed if may_be_inside(name, root)]
    except (UserError, LookupError, TypeError):
        return []


def _files(path: Path) -> dict[str, Path]:
    found = ((folder.name, _export(folder)) for folder in (*(path / name for name in folders(path)), path))
    if exports := {name: file for name, file in found if file}:
        return exports
    every = sorted((path / "annotations").glob("*.json")) if (path / "annotations").is_dir() else []
    # beside them COCO has captions and key points of the same images
    chosen = [file for file in every if file.name.startswith(OBJECTS)] or [file for file in every if is_file(file)]
    return {file.stem.removeprefix(OBJECTS): file for file in chosen}


def _export(folder: Path) -> Path | None:
    if (folder / EXPORT).is_file():
        return folder / EXPORT
    return folder / FIFTYONE if (folder / DATA).is_dir() and is_file(folder / FIFTYONE) else None


def _annotated(place: GivenData, file: Path) -> Annotated:
    content = _content(file)
    categories = _by_id(content["categories"], "categories", "name", file)
    images = _by_id(content["images"], "images", "file_name", file)
    shown: dict[Any, set[str]] = {number: set() for number in images}
    for position, one in enumerate(content["annotations"]):
        where = f"{file}: annotations[{position}]"
        for key, known in (("image_id", shown), ("category_id", categories)):
            if not isinstance(one, dict) or not isinstance(one.get(key), int | str) or one[key] not in known:
                what = short(one.get(key)) if isinstance(one, dict) else "nothing"
                raise UserError(f"{where} has the {key} {what}, which the file does not list; mend or remove it")
        shown[one["image_id"]].add(categories[one["category_id"]])
    if twice := [name for name, count in Counter(map(bare, images.values())).items() if count > 1]:
        raise UserError(f"{file}: images lists {short(twice[0])} twice; list each file once")
    root = _root(place, file, images.values())
    require_inside(images.values(), root, file)
    paths = [as_here(name, root) for name in images.values()]
    found, missing = stat(root, paths)
    require(missing, str(file), root, "put them there, or say with `root` where they are")
    order = sorted(categories, key=lambda number: (isinstance(number, str), number))
    return Annotated(root, found, [frozenset(names) for names in shown.values()], tuple(categories[number] for number in order))


def _content(file: Path) -> dict[str, list]:
    try:
        content = json.loads(text_files.required(file))
    except json.JSONDecodeError as error:
        raise UserError(f"{file} is no JSON file from line {error.lineno} on ({error.msg}); export it anew") from None
    except (ValueError, RecursionError):
        raise UserError(f"{file} is no JSON file; export it anew") from None
    for key in ("images", "annotations", "categories"):
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise UserError(f"{file} has no list `{key}`, which annotations of COCO have; export it anew, or leave it out with `splits`")
    return content


def _by_id(listed: list, key: str, called: str, file: Path) -> dict[Any, str]:
    """What images or categories are called, by their numbers."""
    found: dict[Any, str] = {}
    for position, one in enumerate(listed):
        where = f"{file}: {key}[{position}]"
        if not isinstance(one, dict) or not isinstance(one.get("id"), int | str):
            raise UserError(f"{where} has no `id`; export it anew")
        name = one.get(called)
        if not isinstance(name, str) or not name.strip():
            raise UserError(f"{where} has no `{called}`; export it anew")
        if one["id"] in found:
            raise UserError(f"{where} has the id {short(one['id'])} of another; give each one an id of its own")
        found[one["id"]] = name
    return found


def _root(place: GivenData, file: Path, names: Collection[str]) -> Path:
    """Where the images are: `root`, or that of the usual folders which has most of them."""
    if place.root:
        return place.root
    above, name = file.parent, file.stem.removeprefix(OBJECTS)
    usual = [above, above / "images", above / DATA]
    if above.name == "annotations":
        base = above.parent
        usual = [base / name, base / "images" / name, base / "images", base / DATA, base, *usual]
    found, most = usual[0], 0
    for folder in filter(Path.is_dir, usual):
        there = sum(may_be_inside(name, folder) and os.path.lexists(folder / as_here(name, folder)) for name in names)
        if there > most:
            found, most = folder, there
        if most == len(names):
            break
    within = place.path if place.path.is_dir() else above.parent if above.name == "annotations" else above
    require_within(found, within, "put the images there, or name in `root` the folder that holds them")
    return found
