"""Annotations of objects as PASCAL VOC publishes them: an XML file per image, and lists of the images of each split.

Also as tools export them: XML files beside the images, in one folder per split or all in one.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

from promptatlas.base import text_files
from promptatlas.base.errors import UserError
from promptatlas.base.messages import counted, plain, printable, some
from promptatlas.tasks.readers.assemble import Part
from promptatlas.tasks.readers.files import EXTENSIONS, File, entries, folders, images
from promptatlas.tasks.readers.formats.annotated import Annotated, parts as labelled
from promptatlas.tasks.readers.formats.given import GivenData
from promptatlas.tasks.readers.formats.splits import split_of
from promptatlas.tasks.readers.names import natural

FORM = "Annotations and JPEGImages, with lists in ImageSets/Main, or XML files beside the images"
ENDINGS = (".xml", ".txt")
KEYS = ("root",)
ANNOTATIONS, IMAGES, LISTS = "Annotations", "JPEGImages", Path("ImageSets/Main")
FEW = 3


def recognised(path: Path) -> bool:
    return path.is_dir() and bool(_published(path) or _exported(path))


def groups(place: GivenData) -> Mapping[str, tuple[Path, Path, Path | None]]:
    """By name the folders of annotations and of images, and the list of those that belong to it, if there are lists."""
    published = _published(place.path)
    if not published:
        if place.root:
            raise UserError(f"`root` is {place.root}, but the XML files in {place.path} lie beside their images; leave `root` out")
        found = {name: (folder, folder, None) for name, folder in _exported(place.path).items()}
        if not found:
            raise UserError(f"{place.path} has no annotations of VOC; it needs {FORM}")
        return found
    if len(published) > 1:
        years = " and ".join(plain(base.name) for base in published)
        raise UserError(f"{place.path} has {years}, each with annotations and lists of its own; name one of them")
    (base,) = published
    annotations, shown = base / ANNOTATIONS, place.root or base / IMAGES
    lists = sorted((base / LISTS).glob("*.txt")) if (base / LISTS).is_dir() else []
    named = {file.stem: (annotations, shown, file) for file in lists if split_of(file.stem) and not _of_one_class(file)}
    if lists and not named:
        raise UserError(
            f"{base / LISTS} has {some((plain(file.name) for file in lists), FEW)}, none of which is called like a split; call them "
            "train.txt and test.txt, or remove the folder to have the images divided"
        )
    return named or {base.name: (annotations, shown, None)}


def parts(place: GivenData, groups: Mapping[str, tuple[Path, Path, Path | None]]) -> tuple[dict[str, Part], Sequence[str]]:
    """Marks of the classes of which an image has an object that is not marked difficult, as VOC's own lists. UserError names the file."""
    notes: list[str] = []
    named = {name: _named(*where, notes) for name, where in groups.items()}
    shown = {name: [_classes(folder / f"{stem}.xml") for stem in files] for name, (folder, _, files) in named.items()}
    every = tuple(sorted({one for several in shown.values() for pair in several for one in pair[0]}, key=natural))
    groups_of_objects = {
        name: Annotated(root, list(files.values()), [pair[1] for pair in shown[name]], every) for name, (_, root, files) in named.items()
    }
    found, more = labelled(groups_of_objects)
    return found, [*notes, *more]


def beside(place: GivenData) -> list[Path]:
    """None: these are folders."""
    return []


def _of_one_class(file: Path) -> bool:
    """Whether it is a list such as cat_train.txt: beside each image it says whether a class is in it."""
    return not file.stem.isalpha() and any(len(line.split()) > 1 for line in text_files.required(file).splitlines())


def _published(path: Path) -> list[Path]:
    """The folders that hold `Annotations` and `JPEGImages`: this one, or those below it or below its `VOCdevkit`, one for each year."""
    for places in ([path], _below(path), _below(path / "VOCdevkit")):
        if found := [place for place in places if (place / ANNOTATIONS).is_dir() and (place / IMAGES).is_dir()]:
            return found
    return []


def _below(path: Path) -> list[Path]:
    return [path / name for name in folders(path)] if path.is_dir() else []


def _exported(path: Path) -> dict[str, Path]:
    """Folders with XML files beside their images: this one, or those below it, which all are called like splits."""
    names = folders(path)
    if names and all(split_of(name) for name in names) and all(_has_pairs(path / name) for name in names):
        return {name: path / name for name in names}
    return {path.name: path} if not names and _has_pairs(path) else {}


def _has_pairs(folder: Path) -> bool:
    names = {entry.name for entry in entries(folder) if not entry.is_dir()}
    stems = {os.path.splitext(name)[0] for name in names if name.lower().endswith(EXTENSIONS)}
    return any(os.path.splitext(name)[0] in stems for name in names if name.endswith(".xml"))


def _named(annotations: Path, root: Path, listed: Path | None, notes: list[str]) -> tuple[Path, Path, dict[str, File]]:
    """The image of each annotation that belongs to a group."""
    if not root.is_dir():
        raise UserError(f"the folder {root} does not exist; say with `root` where the images are")
    described = {entry.name.removesuffix(".xml") for entry in entries(annotations) if entry.name.endswith(".xml")}
    called: dict[str, list[File]] = {}
    for file in images(root, deep=False):
        called.setdefault(os.path.splitext(file.path)[0], []).append(file)
    files = {stem: several[0] for stem, several in called.items()}
    if listed is None:
        if bare := sorted(files.keys() - described, key=natural):
            are = "is" if len(bare) == 1 else "are"
            notes.append(f"{counted(len(bare), 'image')} without an annotation {are} left out: {some(map(printable, bare), FEW)}")
        stems = sorted(described, key=natural)
    else:
        stems = _lines(listed, described)
    if double := [stem for stem in stems if len(called.get(stem, ())) > 1]:
        both = " and ".join(plain(file.path) for file in called[double[0]])
        raise UserError(f"{annotations / double[0]}.xml has the images {both} in {root}; keep one of them")
    if missing := [f"{stem}.xml" for stem in stems if stem not in files]:
        have = "has" if len(missing) == 1 else "have"
        names = some(map(plain, missing), FEW)
        raise UserError(f"{annotations}: {names} {have} no image in {root}; put it there, or remove the annotation")
    return annotations, root, {stem: files[stem] for stem in stems}


def _lines(listed: Path, described: set[str]) -> list[str]:
    """What a list names, each of which needs an annotation."""
    found: dict[str, int] = {}
    for number, line in enumerate(text_files.required(listed).splitlines(), 1):
        stem = line.split()[0] if line.split() else ""
        if not stem:
            continue
        if stem not in described:
            raise UserError(f"{listed}, line {number}: there is no annotation {plain(stem)}.xml; put it there, or remove the line")
        if stem in found:
            raise UserError(f"{listed}: lines {found[stem]} and {number} are both {plain(stem)}; list each image once")
        found[stem] = number
    return list(found)


def _classes(path: Path) -> tuple[frozenset[str], frozenset[str]]:
    """The classes of all objects of an annotation, and of those that are not difficult."""
    try:
        objects = list(ElementTree.parse(path).getroot().iter("object"))
    except (ElementTree.ParseError, ValueError, LookupError) as error:  # the last two are about encodings
        raise UserError(f"{path} is no XML file that can be read ({error}); export it anew in UTF-8") from None
    except OSError as error:
        raise text_files.unreadable(path, error) from None
    named = [((one.findtext("name") or "").strip(), (one.findtext("difficult") or "0").strip() == "1") for one in objects]
    if any(not name for name, _ in named):
        raise UserError(f"{path} has an object without a `name`; name or remove it")
    return frozenset(name for name, _ in named), frozenset(name for name, difficult in named if not difficult)
