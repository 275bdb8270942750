"""Versions of the records that a study keeps, so that what one promptatlas adds to them makes nothing of another's unreadable.

A record that says nothing is of version 1. Readers give defaults to what they miss and pass over what they do not know; the version
rises only with a change that this would read wrongly.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from promptatlas.base.errors import UserError

KEY = "version"
KNOWN = 1


class Newer(UserError):
    """The record is sound, but this promptatlas is too old to read it."""


def require_known(record: Mapping[str, Any], path: str | Path) -> None:
    """`Newer` for a record of a version that is not known here."""
    told = str(record.get(KEY, KNOWN))
    if re.fullmatch(r"[0-9]{1,9}", told) and int(told) > KNOWN:
        raise newer(path, f"version {told} of such files; this one reads up to version {KNOWN}")


def newer(path: str | Path, why: str) -> Newer:
    return Newer(f"{path} was written by a newer promptatlas ({why}); update promptatlas and keep the file")


def read(path: str | Path, what: str) -> dict[str, Any]:
    """The JSON record at `path`; UserError if it is missing, damaged or newer. what: what a sentence calls it."""
    try:
        record = json.loads(Path(path).read_bytes())
    except FileNotFoundError:
        raise UserError(f"{what} {path} is missing; run the study again to compute it") from None
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        raise corrupt(path, what)
    require_known(record, path)
    return record


def completed(record: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The record with the default of each key that it lacks behind its own: a whole one that is written again keeps its bytes."""
    return {**record, **{key: value for key, value in defaults.items() if key not in record}}


def corrupt(path: str | Path, what: str) -> UserError:
    return UserError(f"{what} {path} is corrupt; delete the file and run again to compute it anew")
