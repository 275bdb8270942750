"""Images in folders named by class, or listed in a manifest, or in one of `formats`: what people have of their own.

Knows the two usual trees (train and test with class folders in them, or class folders only); manifests are read by
`manifest`, other formats are told apart by `formats.every`. Downloads nothing.
"""

from contextlib import suppress
from dataclasses import replace
from os.path import expanduser, isdir, isfile
from pathlib import Path

import numpy as np

from promptatlas.base.errors import UserError
from promptatlas.base.messages import printable, some, suggest
from promptatlas.tasks.catalogue.checking import MANUAL
from promptatlas.tasks.listing import Listing
from promptatlas.tasks.readers import manifest, others, table
from promptatlas.tasks.readers.assemble import Part, assemble, describe, wanted
from promptatlas.tasks.readers.files import EXTENSIONS, File, Files, entries, folders, images, stamp
from promptatlas.tasks.readers.formats import every
from promptatlas.tasks.readers.formats.given import Format, GivenData
from promptatlas.tasks.seen import Look, tree

SPLIT_FOLDERS = {"train": "train", "test": "test"} | dict.fromkeys(("val", "valid", "validation"), "validation")
# Folders of these names that hold folders are splits, whatever they are called; only those above are found without a word.
SPLIT_WORDS = {*SPLIT_FOLDERS, "training", "testing", "tst", "dev", "eval", "evaluation", "holdout"}
PACKED = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")
FEW = 3
# CoOp's shares for data sets without splits: half to train on, a fifth to choose by, the rest to test.
COOP_SHARES = {"train": 0.5, "validation": 0.2}


def present(source: dict, data_root: Path) -> bool:
    """Whether the folder, and the manifest if the source has one, are there."""
    if "manifest" in source:
        return isfile(manifest.path(source, data_root)) and isdir(_root(source, data_root))
    root = _root(source, data_root)
    return isdir(root) or (isfile(root) and every.of(source, root) is not None)


def download(source: dict, data_root: Path) -> None:
    """Always a UserError: what lies in folders is put there by the user."""
    raise UserError(advice(source, data_root))


def advice(source: dict, data_root: Path) -> str:
    """Where to put what, in one sentence."""
    root = _root(source, data_root)
    if "manifest" in source:
        return f"put the images in {root} and the list of splits at {manifest.path(source, data_root)}"
    if "splits" in source:
        names = sorted({str(name) for names in wanted(source).values() for name in names})
        inside = "itself" if names == ["."] else f"in {' and '.join(names)}"
        return f"put one folder of images per class in {root} {inside}"
    return f"put one folder of images per class in {root}/train and {root}/test, or in {root} to have them split"


def read(source: dict, data_root: Path) -> Listing:
    """List the tree or the manifest. Raises UserError for what a study could not be built on, see the tests."""
    root = _root(source, data_root)
    if not present(source, data_root):
        raise UserError(f"no images at {root}: {advice(source, data_root)}")
    if found := _format(source, data_root):
        return every.read(source, *found, COOP_SHARES)
    if "manifest" in source:
        listed, where = manifest.read(source, data_root, root), str(manifest.path(source, data_root))
        if table.ALL in listed:
            return assemble(source | {"redraw": source.get("redraw", COOP_SHARES)}, listed, "manifest", where)
        if "redraw" in source:
            raise UserError(f"{where} says which split an image is in, so that `redraw` has nothing to divide; leave `redraw` out")
        return assemble(source, listed, "manifest", where)
    splits = _splits(source, root)
    if splits is None:
        source = source | {"redraw": source.get("redraw", COOP_SHARES)}
        splits = {"all": ["."]}
    parts = {key: [_part(root / str(name)) for name in names] for key, names in splits.items()}
    listing = assemble(source, parts, "own folders", str(root))
    used = [root / str(name) for names in splits.values() for name in names]
    return replace(listing, notes=(*others.notes(root, used), *_deep(used)))


def read_labelled(source: dict, data_root: Path) -> Listing:
    """The same for whoever wants labelled images and no test: there need be none, and a tree that is not split is for training."""
    root = _root(source, data_root)
    if found := _format(source, data_root):
        return every.read(source, *found, COOP_SHARES, labelled=True)
    if "manifest" in source:
        _require_list(manifest.path(source, data_root))
        listed = manifest.read(source, data_root, root, needed=("train",))
        if table.ALL in listed and "redraw" in source:
            return read(source, data_root)
        listed = {"train": listed[table.ALL]} if table.ALL in listed else listed
        return assemble(source, {split: parts for split, parts in listed.items() if split != "test"}, "manifest", describe(source))
    _require_folder(root)
    if "redraw" in source:
        return read(source, data_root)
    splits = wanted(source) if "splits" in source else _split_folders(root)
    if "train" not in splits:
        _require_not_only_test(root, splits)
        _require_no_splits(source, root)
        splits = {"train": ["."]}
    kept = {split: names for split, names in splits.items() if split != "test"}
    for names in kept.values():
        for name in names:
            _require_classes(root / str(name))
    return read(source | {"splits": kept}, data_root)


def glance(source: dict, data_root: Path) -> None:
    """UserError for what a look at the upper two levels of folders tells, so that it is told before any job; opens no image."""
    root = _root(source, data_root)
    if found := _format(source, data_root):
        every.glance(source, *found)
        return
    if "manifest" in source:
        _require_list(manifest.path(source, data_root))
        _require_folder(root)
        return
    _require_folder(root)
    if not _entries(root):
        raise UserError(f"{root} is empty; put one folder of images per class there, {MANUAL}")
    parts = [str(name) for names in (_splits(source, root) or {"all": ["."]}).values() for name in names]
    for name in parts:
        _require_classes(root / name)


def _require_classes(part: Path) -> None:
    """UserError where a folder is not there, or holds no folders of classes, or these lie one folder deeper."""
    _require_folder(part)
    classes = folders(part)
    if len(classes) == 1 and len(folders(part / classes[0])) > 1:
        deeper = part / classes[0]
        raise UserError(f"{part} holds one folder only, {classes[0]!r}; if the classes are in it, write {deeper}, {MANUAL}")
    if not classes:
        if packed := [name for name in _entries(part) if name.lower().endswith(PACKED)]:
            raise UserError(f"{part} holds no folders, but {some(packed, FEW)}; unpack {'it' if len(packed) == 1 else 'them'}, {MANUAL}")
        images_there = any(one.lower().endswith(EXTENSIONS) for one in _entries(part))
        loose = "images that belong to no class" if images_there else "no folders"
        raise UserError(f"{part} holds {loose}; make one folder per class and put its images there, {MANUAL}")


def classes(source: dict, data_root: Path) -> tuple[tuple[str, ...], bool] | None:
    """What the data call their classes, and whether an image can be of several, from names of folders or a list alone; None where more
    would have to be read.

    UserError for a list that is broken.
    """
    root = _root(source, data_root)
    if _format(source, data_root):
        return None
    if "manifest" in source:
        return manifest.classes(source, data_root)
    parts = [root / str(name) for names in (_splits(source, root) or {"all": ["."]}).values() for name in names]
    return tuple(dict.fromkeys(name for part in parts for name in folders(part))), False


def _require_list(path: Path) -> None:
    if not isfile(path):
        raise UserError(f"the list {path} does not exist{_near(path)}")


def _require_folder(path: Path) -> None:
    if isfile(path):
        packed = path.name.lower().endswith(PACKED)
        remedy = (
            "unpack it and name the folder" if packed else "name the folder that holds the classes, or a list that ends in .json or .csv"
        )
        raise UserError(f"{path} is a file and no folder; {remedy}, {MANUAL}")
    if not isdir(path):
        raise UserError(f"the folder {path} does not exist{_near(path)}")


def _near(path: Path) -> str:
    """What may have been meant."""
    above = path.parent
    while not isdir(above) and above != above.parent:
        above = above.parent
    missing = path.relative_to(above).parts[0]
    with suppress(UserError):
        return f": {above} has no {missing!r}; {suggest(missing, _entries(above), 'look for a misspelt name')}"
    return "; look for a misspelt name"


def _entries(folder: Path) -> list[str]:
    return sorted(entry.name for entry in entries(folder))


def look(source: dict, data_root: Path) -> Look:
    """Names, sizes and times of all files that `read` depends on."""
    root = _root(source, data_root)
    if found := _format(source, data_root):
        return every.look(*found)
    if "manifest" in source:
        return manifest.look(source, data_root, root)
    return tree(root, lambda name: name.lower().endswith(EXTENSIONS))


def _format(source: dict, data_root: Path) -> tuple[Format, GivenData] | None:
    """The format of data that are neither class folders nor a list of splits, and where they are."""
    path = manifest.path(source, data_root) if "manifest" in source else _root(source, data_root)
    format = every.of(source, path)
    if format or path.exists():
        every.require_heeded(source, format, path)
    return (format, every.place_of(source, path, data_root)) if format else None


def _root(source: dict, data_root: Path) -> Path:
    if "path" in source:
        return Path(data_root) / expanduser(str(source["path"]))
    if "manifest" in source:
        return manifest.path(source, data_root).parent
    raise UserError("a source of reader `folder` needs `path`, the folder of its images, or `manifest`")


def _splits(source: dict, root: Path) -> dict[str, list] | None:
    """The folders of each split, as they are given or found; None if all folders of the tree are classes.

    UserError if some of these have the names of splits and folders in them.
    """
    if "splits" in source:
        return wanted(source, {"all": "."})
    found = None if "redraw" in source else _found(root)
    if found is None:
        _require_no_splits(source, root)
    return found


def _require_no_splits(source: dict, root: Path) -> None:
    """UserError if some folders of a tree whose folders are classes have names of splits and folders in them, or all have such names."""
    named = folders(root)
    if odd := [name for name in named if name.lower() in SPLIT_WORDS and folders(root / name)]:
        remedy = f"splits: {{all: [{', '.join(odd)}]}}" if "redraw" in source else "splits: {train: ..., test: ...}"
        names = " and ".join(map(repr, odd))
        raise UserError(f"{root} holds {names} with folders in them, so splits and not classes; say which in `{remedy}`, {MANUAL}")
    if "format" not in source and len(named) > 1 and all(name.lower() in SPLIT_WORDS for name in named):
        raise UserError(
            f"{root} holds {' and '.join(map(repr, named))} with no folders in them, so splits without classes; make one folder per class "
            f"in each, or name a file that has the classes, or write `format: folders` if these are classes, {MANUAL}"
        )


def _require_not_only_test(root: Path, splits: dict[str, list]) -> None:
    if [*splits] == ["test"] and len(folders(root)) == 1:
        test = root / splits["test"][0]
        raise UserError(f"{root} holds test images only, which are not looked at; if they are to be looked at, name {test} itself")


def _deep(parts: list[Path]) -> list[str]:
    """A note where no class has images of its own: what is below may be classes, or tasks, by themselves."""
    names = {name: part / name for part in parts for name in folders(part)}
    if any(images(folder, deep=False) for folder in names.values()):
        return []
    some = ", ".join([printable(name) for name in names][:3]) + (", ..." if len(names) > 3 else "")
    return [f"no class folder ({some}) holds images itself; each has those of all folders below it"]


def _found(root: Path) -> dict[str, list] | None:
    """The split folders of a tree, or None if its folders are classes. UserError where images to train on have none to test on."""
    named = _split_folders(root)
    if "train" not in named:
        return None
    if "test" not in named:
        raise UserError(f"{root} has a train folder but no test folder; add one, or say in `splits` which it is, {MANUAL}")
    return named


def _split_folders(root: Path) -> dict[str, list]:
    """Folders of a tree that are called like splits, by split.

    A class may be called "train": it is one as long as images, not folders of images, are in it.
    """
    named: dict[str, list] = {}
    for name in folders(root):
        split = SPLIT_FOLDERS.get(name.lower())
        if split and folders(root / name):
            if split in named:
                raise UserError(f"{root} has two folders for {split}, {named[split][0]!r} and {name!r}; keep one")
            named[split] = [name]
    return named


def _part(folder: Path) -> Part:
    names = folders(folder)
    if not names:
        loose = " (images directly in it belong to no class)" if images(folder, deep=False) else ""
        raise UserError(f"{folder} has no folders named by class{loose}; make one per class and put its images there")
    files: list[File] = []
    labels: list[int] = []
    for label, name in enumerate(names):
        members = images(folder / name)
        if not members:
            raise UserError(f"class folder {folder / name} has no images; fill it or remove it{others.only(folder / name)}")
        files += [File(f"{name}/{path}", size, changed) for path, size, changed in members]
        labels += [label] * len(members)
    return Part(Files(folder, [file.path for file in files]), np.array(labels, np.int64), tuple(names), stamp(files))
