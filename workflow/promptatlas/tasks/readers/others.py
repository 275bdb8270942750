"""What a tree of class folders holds besides the images of its classes, in words."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from promptatlas.base.messages import printable, some
from promptatlas.tasks.readers.files import EXTENSIONS
from promptatlas.tasks.readers.names import natural
from promptatlas.tasks.seen import is_hidden

FEW = 3


def notes(root: Path, parts: Iterable[Path]) -> tuple[str, ...]:
    """What is left out of the tree `root`, whose class folders are those in `parts`: no images, and images of no class.

    By suffix, no file is opened; hidden files and folders, such as macOS puts beside images, are no images.
    """
    parts = list(dict.fromkeys(parts))
    loose = [path for part in parts for path in _files(part) if _is_image(path)]
    others = [path for part in parts for path in _below(part) if not _is_image(path)]
    if root not in parts:
        loose += [path for path in _files(root) if _is_image(path)]
        others += [path for path in _files(root) if not _is_image(path)]
        others += [path + os.sep for path in _folders(root) if not any(Path(path) in (part, *part.parents) for part in parts)]
    found = []
    if others:
        what = "other file or folder" if any(path.endswith(os.sep) for path in others) else "other file"
        found.append(f"its folder holds {_counted(others, what)} besides images, left out: {_named(others, root)}")
    if loose:
        found.append(f"{_counted(loose, 'image')} of its folder in no class folder, left out: {_named(loose, root)}")
    return tuple(found)


def only(folder: Path) -> str:
    """What a folder without images holds instead, to end a sentence; empty if it holds nothing."""
    others = list(_below(folder))
    return f" (it holds only {_named(others, folder)})" if others else ""


def _is_image(path: str) -> bool:
    return path.lower().endswith(EXTENSIONS) and not is_hidden(os.path.basename(path))


def _files(folder: Path) -> Iterator[str]:
    with os.scandir(folder) as entries:
        yield from (entry.path for entry in entries if not entry.is_dir())


def _folders(folder: Path) -> Iterator[str]:
    with os.scandir(folder) as entries:
        yield from (entry.path for entry in entries if entry.is_dir())


def _below(folder: str | Path) -> Iterator[str]:
    """All files below `folder`; of a hidden folder its name with a slash."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.is_dir():
                yield entry.path
            elif is_hidden(entry.name):
                yield entry.path + os.sep
            else:
                yield from _below(entry.path)


def _counted(paths: list[str], what: str) -> str:
    return f"1 {what}" if len(paths) == 1 else f"{len(paths)} {what.replace(' or ', 's and ')}s"


def _named(paths: list[str], root: Path) -> str:
    names = sorted((path[len(str(root)) :].lstrip(os.sep) for path in paths), key=natural)
    return some(map(printable, names), FEW)
