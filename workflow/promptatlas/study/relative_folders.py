"""Where the relative folders of a configuration count from: the file that names them, or on the command line the working
directory. Knows nothing of what is in the folders, nor of Snakemake.
"""

import os
from collections.abc import Mapping, Sequence
from os.path import expanduser
from pathlib import Path
from typing import Any

from promptatlas.backbone.kinds import LOCAL
from promptatlas.base.errors import UserError
from promptatlas.base.messages import plain
from promptatlas.base.plugins import is_file
from promptatlas.study.yaml_file import load

FOLDERS = ("folder", "root")


def counted(config: Mapping[str, Any], files: Sequence[Path]) -> tuple[dict[str, Any], list[UserError]]:
    """`config` with relative folders as the working directory sees them, and what is wrong with them, a sentence each.

    files: the files that it was made from, each on top of the one before; values that none of them has are of the command line.
    A folder in a file of the working directory stays as it is written, so that nothing depends on where that lies.
    """
    contents = [(Path(file).absolute().parent, load(file)) for file in reversed(files)]
    wrong: list[UserError] = []
    data = config.get("data")
    if isinstance(data, dict):
        data = {task: _task(task, about, contents, wrong) for task, about in data.items()}
    backbone = config.get("backbone")
    if isinstance(backbone, dict):
        backbone = {key: _weights(key, value, contents) for key, value in backbone.items()}
    placed = {
        "data": data, "backbone": backbone, "plugins": _plugins(config.get("plugins"), contents, wrong),
        "pairs": _pairs(config.get("pairs"), contents, wrong),
    }  # fmt: skip
    return {**config} | {key: value for key, value in placed.items() if key in config}, wrong


def _task(task: str, about: Any, contents: list, wrong: list[UserError]) -> Any:
    if not isinstance(about, dict):
        return about
    placed = dict(about)
    for key in FOLDERS:
        value: Any = about.get(key)
        base = _base(value, contents, "data", task, key)
        if base is None:
            continue
        try:
            placed[key] = _placed(value, base)
        except UserError as error:
            wrong.append(UserError(f"task `{plain(task)}`: {error}"))
    return placed


def tidy(path: Path) -> Path:
    """`a/c` for `a/b/../c`, where that is the same place and called the same."""
    plain = Path(os.path.normpath(path))
    try:
        same = os.path.realpath(plain) == os.path.realpath(path)
    except ValueError:  # no name of a file: whoever opens it says so
        return path
    return plain if same and plain.name == path.name else path


def _placed(value: str, base: Path) -> str:
    """The folder `value` of a file in `base`; UserError if only the working directory has it."""
    found = tidy(base / value)
    if not os.path.exists(found) and os.path.exists(value):
        written = os.path.relpath(value, base)
        raise UserError(
            f"there is no {found}, but {Path(value).absolute()} is there; folders count from the file that names them, so write "
            f"`{written}` or the whole path"
        )
    return os.path.relpath(found)


def _weights(key: str, value: Any, contents: list) -> Any:
    """Weights may lie beside the file that names them; those of an earlier run are named from the working directory."""
    local = LOCAL if isinstance(value, str) and value.startswith(LOCAL) else ""
    base = _base(value[len(local) :] if local else value, contents, "backbone", key, prefix=local)
    path = value[len(local) :] if base else ""
    names_a_file = bool(local) or os.sep in path or bool(Path(path).suffix)
    return local + os.path.relpath(base / path) if base and names_a_file and os.path.exists(base / path) else value


def _plugins(listed: Any, contents: list, wrong: list[UserError]) -> Any:
    """Of the modules and files that one configuration file lists, the files; a list on top of another replaces it."""
    base = next((base for base, content in contents if content.get("plugins") == listed), None)
    if not isinstance(listed, list) or base in (None, Path.cwd()):
        return listed
    placed = []
    for name in listed:
        relative = isinstance(name, str) and is_file(name) and not os.path.isabs(expanduser(name))
        try:
            placed.append(_placed(name, base) if relative else name)
        except UserError as error:
            wrong.append(UserError(f"`plugins`: {error}"))
    return placed


def _pairs(value: Any, contents: list, wrong: list[UserError]) -> Any:
    base = _base(value, contents, "pairs")
    try:
        return _placed(value, base) if base else value
    except UserError as error:
        wrong.append(UserError(f"`pairs`: {error}"))
        return value


def _base(value: Any, contents: list, *keys: str, prefix: str = "") -> Path | None:
    """The folder of the file that says `value` under `keys`, unless that is the working directory or the value is absolute."""
    if not isinstance(value, str) or not value or os.path.isabs(expanduser(value)):
        return None
    for base, content in contents:
        for key in keys:
            content = content.get(key) if isinstance(content, dict) else None
        if content == prefix + value:
            return None if base == Path.cwd() else base
    return None
