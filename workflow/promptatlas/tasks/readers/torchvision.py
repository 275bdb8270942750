"""Any classification data set of torchvision.datasets, by the name of its class, in torchvision's own layout on disk.

torchvision checks what it unpickles (CIFAR) against its published MD5 sums; nothing here goes around that. torchvision, which brings torch,
is imported only to read or download.
"""

import gzip
import json
import os
import shutil
import socket
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from promptatlas.base.errors import UserError
from promptatlas.base.files import whole
from promptatlas.base.messages import first_line, shown, suggest
from promptatlas.tasks.listing import Images, Listing, Split
from promptatlas.tasks.readers.assemble import Part, assemble, given_names, wanted
from promptatlas.tasks.readers.contents import content, usage
from promptatlas.tasks.readers.files import Files, require, stamp, stat
from promptatlas.tasks.readers.layouts import LAYOUTS, ExpectedFiles
from promptatlas.tasks.seen import Look, single, tree
from promptatlas.tasks.splits import subset

SILENCE_SECONDS = 30


class Samples:
    """Images of a data set that keeps them in archives: a copy of this object opens the data set anew, once."""

    def __init__(self, dataset: str, root: str, arguments: dict[str, Any], length: int) -> None:
        self.dataset = dataset
        self.root = root
        self.arguments = json.dumps(arguments, sort_keys=True)
        self.length = length

    def __len__(self) -> int:
        return self.length

    def open(self, index: int) -> Image.Image:
        return _opened(self.dataset, self.root, self.arguments)[index][0]

    def name(self, index: int) -> str:
        return f"{self.dataset} {self.arguments} image {index}"


def present(source: dict, data_root: Path) -> bool:
    """Whether the files that mark a complete data set are there, by name only."""
    layout = LAYOUTS.get(source["dataset"])
    if layout is not None:
        return not _missing(source, data_root)
    return all(_constructs(source, data_root, arguments) for arguments in _arguments(source))


def download(source: dict, data_root: Path) -> None:
    """Let torchvision download all splits. They appear below `data_root` when they are complete, not before."""
    name, root = source["dataset"], _root(source, data_root)
    if LAYOUTS.get(name, ExpectedFiles(())).by_hand:
        raise UserError(advice(source, data_root))
    cls = _class(name)
    staging = root / f".download-{name}"
    shutil.rmtree(staging, ignore_errors=True)
    try:
        staging.mkdir(parents=True)
        with _silence_ends():
            for arguments in _arguments(source):
                cls(str(staging), download=True, **arguments)
        _merge(staging, root)
    except Exception as error:  # a broken connection or archive shows in many ways
        raise UserError(f"torchvision could not download {name} to {root} ({first_line(error)})") from None
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def advice(source: dict, data_root: Path) -> str:
    """Which file goes where, in one sentence."""
    name, root = source["dataset"], _root(source, data_root)
    layout = LAYOUTS.get(name)
    if layout and layout.by_hand:
        return layout.by_hand.format(root=root)
    where = f" as {', '.join(_missing(source, data_root) or _files(source))}" if layout else ""
    return f"torchvision's {name} would be downloaded to {root}, or put its files there{where}"


def read(source: dict, data_root: Path) -> Listing:
    """List all splits from what is on disk; nothing is downloaded, no image of a file is decoded."""
    name, root = source["dataset"], _root(source, data_root)
    _class(name)
    if missing := (_missing(source, data_root) if name in LAYOUTS else []):
        lacking = f"{name} is not complete in {root}: {', '.join(missing)} not found"
        raise UserError(f"{lacking}; {advice(source, data_root)}")
    _unzip(root / name / "raw")
    splits = wanted(source)
    parts = {key: [_part(source, data_root, dict(arguments)) for arguments in several] for key, several in splits.items()}
    return assemble(source, parts, "official", f"torchvision's {name} in {root}")


def look(source: dict, data_root: Path) -> Look:
    """Names, sizes and times of the files of the data set; of one that keeps them in a place of its own, all below its root."""
    root = _root(source, data_root)
    tops = {name.split("/")[0] for names in _files(source) for name in names.split("|")} if source["dataset"] in LAYOUTS else ()
    found: Look = {}
    for name in sorted(tops):
        if (root / name).is_dir():
            found |= {f"{name}/{below}": seen for below, seen in tree(root / name).items()}
        elif seen := single(root / name):
            found[name] = seen
    return found if tops else tree(root)


def _part(source: dict, data_root: Path, arguments: dict[str, Any]) -> Part:
    name, root = source["dataset"], _root(source, data_root)
    only = arguments.pop("usage", None)
    try:
        dataset = _class(name)(str(root), **arguments)
    except (TypeError, ValueError) as error:
        why = f"{name} cannot be read from {root} with {arguments} ({first_line(error)})"
        raise UserError(f"{why}; correct `splits` or the files") from None
    except (OSError, RuntimeError, ImportError, KeyError, IndexError, EOFError) as error:
        why = f"{name} cannot be read from {root} ({first_line(error)})"
        raise UserError(f"{why}; {advice(source, data_root)}") from None
    found = content(dataset)
    names = given_names(source) or found.names or tuple(map(str, range(int(found.labels.max(initial=-1)) + 1)))
    images: Images
    if found.paths is None:
        images, mark = Samples(name, str(root), arguments, len(found.labels)), found.digest
    else:
        paths = [os.path.relpath(path, root) for path in found.paths]
        files, missing = stat(root, paths)
        require(missing, name, root, "fetch it anew")
        images, mark = Files(root, paths), stamp(files)
    if only is None:
        return Part(images, found.labels, names, mark)
    chosen = subset(Split(images, found.labels, mark), np.flatnonzero(usage(dataset) == only))
    return Part(chosen.images, chosen.labels, names, chosen.stamp)


@lru_cache(maxsize=2)
def _opened(name: str, root: str, arguments: str) -> Any:
    """The data set for one process that decodes; the last two stay open, since it does one split after the other."""
    return _class(name)(root, **json.loads(arguments))


def _class(name: str) -> type:
    import torchvision.datasets as known

    cls = getattr(known, name, None) if name in known.__all__ else None
    if not (isinstance(cls, type) and issubclass(cls, known.VisionDataset)):
        advice = suggest(name, known.__all__, "its documentation lists them")
        raise UserError(f"torchvision has no data set {shown(name)}; {advice}")
    return cls


def _arguments(source: dict) -> list[dict[str, Any]]:
    """The arguments of all splits that torchvision itself knows."""
    several = [dict(arguments) for parts in wanted(source).values() for arguments in parts]
    return [{key: value for key, value in arguments.items() if key != "usage"} for arguments in several]


def _root(source: dict, data_root: Path) -> Path:
    default = LAYOUTS.get(source["dataset"], ExpectedFiles(())).root
    return Path(data_root) / os.path.expanduser(str(source.get("root", default)))


def _files(source: dict) -> list[str]:
    """The files of the layout, alternatives joined by "|"."""
    patterns = LAYOUTS[source["dataset"]].files
    filled = [pattern.format_map(_Arguments(arguments)) for arguments in _arguments(source) for pattern in patterns]
    return list(dict.fromkeys(filled))


def _missing(source: dict, data_root: Path) -> list[str]:
    root = _root(source, data_root)
    return [names.split("|")[0] for names in _files(source) if not any((root / name).exists() for name in names.split("|"))]


class _Arguments(dict):
    """Arguments by name for a layout; one that the split leaves to torchvision's default matches nothing on disk."""

    def __missing__(self, key: str) -> str:
        return key


def _constructs(source: dict, data_root: Path, arguments: dict[str, Any]) -> bool:
    try:
        return len(_class(source["dataset"])(str(_root(source, data_root)), **arguments)) > 0
    except (OSError, RuntimeError, ValueError, TypeError, ImportError):
        return False


def _unzip(raw: Path) -> None:
    """MNIST and its kin come as .gz; torchvision reads what is beside them without that ending."""
    for packed in raw.glob("*-ubyte.gz"):
        target = packed.with_suffix("")
        if target.exists():
            continue
        try:
            with whole(target) as temporary, gzip.open(packed) as content, temporary.open("wb") as plain:
                shutil.copyfileobj(content, plain)
        except (OSError, EOFError, zlib.error) as error:
            why = f"{packed} cannot be unzipped to {target} ({first_line(error)})"
            raise UserError(f"{why}; unzip it there, or copy it anew") from None


def _merge(source: Path, target: Path) -> None:
    """Move all files of `source` to the same places in `target`."""
    for path in sorted(source.iterdir()):
        place = target / path.name
        if path.is_dir() and place.is_dir():
            _merge(path, place)
        else:
            os.replace(path, place)


@contextmanager
def _silence_ends() -> Iterator[None]:
    """torchvision waits for ever for a server that does not answer; compute nodes often have such a network."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SILENCE_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
