"""Indices: what many results depend on, in one small file that changes with them."""

import json
from collections.abc import Iterable
from pathlib import Path

from promptatlas.base.files import replace, sha256


def index(path: Path, files: Iterable[str]) -> None:
    """Write the hash of every one of `files` to `path`: what many cells depend on, in one small file."""
    replace(path, json.dumps({file: sha256(file) for file in sorted(files)}, indent=1).encode())
