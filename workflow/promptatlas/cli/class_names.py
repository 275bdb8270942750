"""A list of class names in a text file, as commands take it."""

from pathlib import Path

from promptatlas.base import text_files
from promptatlas.base.errors import UserError


def read(path: Path | None) -> list[str] | None:
    """One per line; None where no file is named. UserError for a file that cannot be read, or is empty."""
    if path is None:
        return None
    try:
        names = [line.strip() for line in text_files.read(path).splitlines() if line.strip()]
    except OSError as error:
        raise UserError(f"{path} cannot be read; give a text file with one class name per line.") from error
    if not names:
        raise UserError(f"{path} is empty; give a text file with one class name per line.")
    return names
