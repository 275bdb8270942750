"""Where the files of an installed package lie, without importing it."""

from importlib.util import find_spec
from pathlib import Path


def folder_of(package: str) -> Path:
    """ModuleNotFoundError if it is not installed."""
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError(f"{package} is not installed")
    return Path(next(iter(found.submodule_search_locations)))
