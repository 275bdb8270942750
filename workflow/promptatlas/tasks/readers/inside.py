"""Paths that a list gives, which may come from anyone: a study must not read, nor its page show, other files of the user."""

import json
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from promptatlas.base.errors import UserError
from promptatlas.tasks.readers.files import is_name

ABSOLUTE = re.compile(r"[/\\]|[A-Za-z]:[/\\]")


def below(path: str, root: Path) -> str:
    """A whole path that begins with `root` as it goes on from there, others as they are."""
    if ABSOLUTE.match(path):
        for start in (os.path.abspath(root), os.path.realpath(root)):
            if path.startswith(start := start.rstrip(os.sep) + os.sep):
                return path.removeprefix(start)
    return path


def as_here(path: str, root: Path) -> str:
    """A path as it goes on from `root`, one of Windows in the way of this system, unless a file is called as it stands."""
    path = below(path, root)
    if "\\" not in path or os.path.lexists(os.path.join(root, path)):
        return path
    return path.replace("\\", "/")


def bare(path: str) -> str:
    """The same path without what says nothing, as `./` at its start: two of the same file are equal. Folders are parted by /."""
    first, *others = path.replace("\\", "/").split("/")
    return "/".join([*([] if first == "." else [first]), *(part for part in others if part not in ("", "."))])


def may_be_inside(path: str, root: Path) -> bool:
    """Whether a path can be below `root`, from which it starts, by its text alone."""
    path = below(path, root)
    return not ABSOLUTE.match(path) and ".." not in path.replace("\\", "/").split("/") and is_name(path)


def require_within(path: Path, folder: Path, remedy: str) -> None:
    """UserError where links lead from `path`, which is below `folder` by its text, out of it."""
    real, real_folder = os.path.realpath(path), os.path.realpath(folder)
    if real != real_folder and not real.startswith(real_folder.rstrip(os.sep) + os.sep):
        raise UserError(f"{path} is a link that leads out of {folder}; {remedy}")


def require_inside(paths: Iterable[str], root: Path, file: Path, places: Sequence[str] = ()) -> None:
    """UserError where one of `paths`, which `file` lists, is not below `root`; also where a link leads out of it.

    places: where each path is in the file, such as "line 3", if that is known.
    """
    real_root = os.path.realpath(root)
    real_folders: dict[str, str] = {}
    for number, given in enumerate(paths):
        path = below(given, root)
        listed = f"{file}, {places[number]}," if places else str(file)
        if ABSOLUTE.match(path):
            raise UserError(
                f"{listed} lists {short(given)}, which is outside of {root} or does not start from it; list paths below it only"
            )
        inside = may_be_inside(path, root)  # before anything outside is looked at
        if inside:
            folder, name = os.path.split(as_here(path, root))
            if folder not in real_folders:
                real_folders[folder] = os.path.realpath(os.path.join(root, folder))
            real = os.path.join(real_folders[folder], name)
            real = os.path.realpath(real) if os.path.islink(real) else real
            inside = real == real_root or real.startswith(real_root.rstrip(os.sep) + os.sep)
        if not inside:
            raise UserError(f"{listed} lists {short(given)}, which is outside of {root}; list paths below it only")


def short(value: object) -> str:
    """A value as JSON writes it, its start if it is long."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else text[:77] + "..."
