"""A cheap look at files, by names, sizes and times, and what was noted of them when something was made from them.

Times alone are no difference: of a file with other times and the same size the contents are compared.
"""

import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from promptatlas.base.errors import UserError
from promptatlas.base.files import replace, sha256

DIGEST_LETTERS = 32
# Folders and files of macOS (in archives), NAS systems and Windows.
SYSTEM = {"__macosx", "@eadir", "$recycle.bin", "system volume information", "lost+found", "thumbs.db", "desktop.ini"}


def is_hidden(name: str) -> bool:
    """Whether a file or folder is the system's own: hidden, or put beside what is copied, packed or shared."""
    return name.startswith(".") or name.casefold() in SYSTEM


class Seen(NamedTuple):
    """A file by its whole path: bytes, and times of change in ns of the content and of the file. A folder has a size of -1."""

    path: str
    size: int
    changed: int
    touched: int


Look = dict[str, Seen]  # by the name from some root down; those of folders end in a slash


def tree(root: str | Path, wanted: Callable[[str], bool] = lambda name: True) -> Look:
    """Every folder, and every file with a `wanted` name, below `root`. Links are followed; hidden names do not count.

    UserError if a folder cannot be listed.
    """
    found: Look = {}
    _below(str(root), "", wanted, found, frozenset())
    return found


def _below(folder: str, prefix: str, wanted: Callable[[str], bool], found: Look, above: frozenset[tuple[int, int]]) -> None:
    try:
        status = os.stat(folder)
        here = (status.st_dev, status.st_ino)
        if here in above:
            return
        with os.scandir(folder) as entries:
            for entry in entries:
                if is_hidden(entry.name):
                    continue
                if entry.is_dir():
                    found[f"{prefix}{entry.name}/"] = Seen(entry.path, -1, 0, 0)
                    _below(entry.path, f"{prefix}{entry.name}/", wanted, found, above | {here})
                elif wanted(entry.name):
                    with suppress(OSError):  # a link to nothing
                        status = entry.stat()
                        found[prefix + entry.name] = Seen(entry.path, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    except OSError as error:
        raise UserError(f"{folder} cannot be listed ({error.strerror}); see that it is a readable folder") from None


def single(path: str | Path) -> Seen | None:
    """The file at `path`, if there is one."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):  # of the second kind are names that no file can have
        return None
    return Seen(str(path), status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def noted(look: Look, used: Callable[[str, Seen], bool] = lambda name, file: True) -> dict[str, Any]:
    """What to remember of a look that was taken before its files were read; the contents of the `used` ones alone matter.

    A file that has changed since then counts as another one from now on.
    """
    files, others = {}, []
    for name, seen in look.items():
        if seen.size < 0 or not used(name, seen):
            others.append(name)
            continue
        content = _content(seen.path)
        whole = content is not None and single(seen.path) == seen
        files[name] = [seen.size, seen.changed, seen.touched, content if whole else ""]
    return {"files": files, "others": others}


def differences(note: Mapping[str, Any], look: Look) -> tuple[dict[str, str], dict[str, Seen]]:
    """How files differ from what was noted: by name "added", "removed", "moved here" or "replaced"; and those that only have
    other times.
    """
    files: Mapping[str, list] = note["files"]
    known = {*files, *note["others"]}
    found = dict.fromkeys(look.keys() - known, "added") | dict.fromkeys(known - look.keys(), "removed")
    gone = {tuple(files[name][:2]) for name, what in found.items() if what == "removed" and name in files}
    for name in (name for name, what in list(found.items()) if what == "added"):
        if (look[name].size, look[name].changed) in gone:
            found[name] = "moved here"
    later = {}
    for name, (size, changed, touched, content) in files.items():
        seen = look.get(name)
        if seen is None or ((seen.size, seen.changed, seen.touched) == (size, changed, touched) and content):
            continue
        if seen.size == size and content and _content(seen.path) == content:
            later[name] = seen
        else:
            found[name] = "replaced"
    return found, later


def with_times(note: Mapping[str, Any], later: Mapping[str, Seen]) -> dict[str, Any]:
    """The note with the times that the same files have now."""
    files = {
        name: [size, later[name].changed, later[name].touched, content] if name in later else [size, changed, touched, content]
        for name, (size, changed, touched, content) in note["files"].items()
    }
    return {**note, "files": files}


def counted(found: Mapping[str, str]) -> str:
    """How many files were added, moved, removed, replaced; folders count where no file differs."""
    kinds = [what for name, what in found.items() if not name.endswith("/")] or [*found.values()]
    moved = kinds.count("moved here")
    numbers = {
        "moved": moved,
        "added": kinds.count("added"),
        "removed": max(0, kinds.count("removed") - moved),
        "replaced": kinds.count("replaced"),
    }
    return ", ".join(f"{number} {kind}" for kind, number in numbers.items() if number)


def read(path: Path) -> dict[str, Any] | None:
    """The note at `path`; None if there is none that is whole."""
    try:
        note = json.loads(path.read_bytes())
        sound = all(len(known) == 4 for known in note["files"].values()) and isinstance(note["others"], list)
        sound = sound and isinstance(note["mark"], str)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    return note if sound else None


def write(path: Path, note: Mapping[str, Any]) -> None:
    replace(path, (json.dumps(note) + "\n").encode())


def _content(path: str) -> str | None:
    try:
        return sha256(path)[:DIGEST_LETTERS]
    except OSError:
        return None
