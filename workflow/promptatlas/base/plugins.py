"""Code from outside the package that registers methods, measures, metrics and what else has a registry: files and modules that a
configuration lists under `plugins`, and modules that installed packages announce by the entry-point group `promptatlas`.

To load one is to run it.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from os.path import expanduser
from pathlib import Path
from types import ModuleType

from promptatlas.base.errors import UserError
from promptatlas.base.messages import plain
from promptatlas.base.registry import Plugin, adding, forget

GROUP = "promptatlas"
SUFFIX = ".py"
_loaded: dict[str, Plugin] = {}
_files: dict[tuple[Path, str], ModuleType] = {}
_beside: dict[Plugin, set[Path]] = {}


def load(listed: Sequence[str]) -> None:
    """What `listed` and installed packages register is known, and nothing of what another configuration listed.

    listed: files, whose names end with .py, and modules. One that is loaded is run again only if its file is another. UserError, one
    sentence, if one is not there, fails, or registers what cannot be.
    """
    places = {entry.module: f"an installed package announces `{plain(entry.module)}`, which" for entry in announced()}
    places |= {name: f"`plugins`: {plain(name)}" for name in listed}
    wanted = {name: _found(name, place) for name, place in places.items()}
    for name, origin in list(_loaded.items()):
        if wanted.get(name) != origin:
            forget(origin)
            del _loaded[name]
    for name, origin in wanted.items():
        if name not in _loaded:
            _run(origin, places[name])
            _loaded[name] = origin


def announced() -> list[EntryPoint]:
    """The entry points of installed packages. Only where packages were installed or removed since are their files read again."""
    return [*_announced(tuple((place, _state(place)) for place in sys.path))]


@lru_cache(maxsize=1)
def _announced(places: tuple[tuple[str, object], ...]) -> list[EntryPoint]:
    return sorted(entry_points(group=GROUP), key=lambda entry: entry.module)


def _state(folder: str) -> tuple[int, int, int] | None:
    """What is another as soon as something is put into a folder or taken out of it."""
    try:
        found = os.stat(folder or ".")
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns


def marks() -> list[dict[str, str]]:
    """Name and SHA-256 of everything that is loaded; of files the last name, which tells nothing of the machine."""
    return [{"name": origin.path.name if is_file(name) else name, "sha256": origin.sha256} for name, origin in _loaded.items()]


def files() -> list[tuple[Path, list[Path]]]:
    """For each file that is loaded its folder, and the file with those that it registered modules from."""
    return [
        (origin.path.parent, [origin.path, *sorted(_beside.get(origin, set()) - {origin.path})])
        for name, origin in _loaded.items()
        if is_file(name)
    ]


def is_file(name: str) -> bool:
    return name.endswith(SUFFIX)


def placed(origin: Plugin, module: str) -> tuple[str, Path]:
    """A module as code of `origin` names it, a file counted from the code's own, and the file of it. UserError if it is not there."""
    if not is_file(module):
        return module, source_of(module)
    path = source_of(str(origin.path.parent / module))
    _beside.setdefault(origin, set()).add(path)
    return str(path), path


def source_of(module: str) -> Path:
    """The file of a module, or the path itself where that is a file's. UserError if it is not there."""
    if is_file(module):
        path = Path(expanduser(module)).absolute()
        with suppress(OSError):  # a name that is too long
            if path.is_file():
                return path
        raise UserError(f"there is no file {plain(path)}")
    try:
        spec = find_spec(module)
    except Exception:  # of any kind: the packages that it is in are imported
        spec = None
    if spec is None or not spec.has_location or spec.origin is None:
        raise UserError(f"there is no module `{plain(module)}` that Python finds")
    return Path(spec.origin)


def sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror})") from None


def imported(module: str) -> ModuleType:
    """A module by its name or by the path of its file. Errors are those of its code."""
    if not is_file(module):
        return importlib.import_module(module)
    path = Path(expanduser(module)).absolute()
    # Compiled here and not by Python's cache, which takes files of the same second and size for the same.
    content = path.read_bytes()
    mark = path, hashlib.sha256(content).hexdigest()
    if mark not in _files:
        made = ModuleType(f"{GROUP}_plugin_{path.stem}_{mark[1][:8]}")
        made.__file__ = str(path)
        sys.modules[made.__name__] = made
        exec(compile(content, str(path), "exec"), made.__dict__)
        _files[mark] = made
    return _files[mark]


def _found(name: str, place: str) -> Plugin:
    try:
        path = source_of(name)
        return Plugin(name, path, sha256(path))
    except UserError as error:
        raise UserError(f"{place}: {error}; correct it, or take it out") from None


def _run(origin: Plugin, place: str) -> None:
    """What the code registers comes from `origin`."""
    try:
        with adding(origin):
            if is_file(origin.name):
                _files.pop((origin.path, origin.sha256), None)
            elif origin.name in sys.modules:  # imported by someone before, when it did not count as from here
                importlib.reload(sys.modules[origin.name])
                return
            imported(origin.name)
    except UserError as error:
        raise UserError(f"{place}: {error}") from None
    except (Exception, SystemExit) as error:
        raise UserError(f"{place} cannot be loaded, because of {told(error, origin.path)}; mend it, or take it out") from error


def blamed(error: BaseException) -> str:
    """An error that was raised in the code of a plugin, in a few words with its file and what to do; empty for any other."""
    files = {str(path): path for path in (*(path for path, _ in _files), *(origin.path for origin in _loaded.values()))}
    frames = [frame.filename for frame in traceback.extract_tb(error.__traceback__) if frame.filename in files]
    return f"{plain(files[frames[-1]].name)}: {told(error, files[frames[-1]])}; mend the plugin" if frames else ""


def told(error: BaseException, path: Path) -> str:
    """An error of outside code in a few words: its kind, what it says, and the line of `path` where it happened."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    line = error.lineno if isinstance(error, SyntaxError) and error.filename == str(path) else lines[-1] if lines else None
    says = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{type(error).__name__}: {plain(says)}" + (f" (line {line})" if line else "")
