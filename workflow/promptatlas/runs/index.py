"""Indices: what many results depend on, in one small file that changes with them."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from promptatlas.base.files import replace


def index(path: Path, files: Iterable[str]) -> None:
    """Write the hash of every one of `files` to `path`: what many cells depend on, in one small file."""
    replace(path, json.dumps({file: _hash(file) for file in sorted(files)}, indent=1).encode())


def _hash(file: str) -> str:
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
