"""Whether the data that a format finds below a folder stand there alone, or beside data sets of other kinds."""

from collections.abc import Collection
from pathlib import Path

from promptatlas.base.errors import UserError
from promptatlas.base.messages import plain, some
from promptatlas.tasks.catalogue.checking import MANUAL
from promptatlas.tasks.readers.files import EXTENSIONS, entries, folders
from promptatlas.tasks.readers.formats.given import Format
from promptatlas.tasks.readers.formats.splits import split_of
from promptatlas.tasks.readers.names import natural

FEW = 6


def require_alone(path: Path, format: Format, formats: Collection[Format]) -> None:
    """UserError where the data of `format` lie in a folder below `path`, and data of another kind in another one.

    Folders called like splits are parts of one data set; which of several folders of the same format is for what is asked elsewhere.
    """
    inner = [name for name in folders(path) if not split_of(name)]
    own = [name for name in inner if format.recognised(path / name)]
    others = [name for name in inner if own and name not in own and _is_data_set(path / name, formats)]
    if others:
        names = some(map(plain, sorted([*own, *others], key=natural)), FEW)
        raise UserError(f"{path} holds several data sets, {names}; name one of them, such as {path / own[0]}, {MANUAL}")


def _is_data_set(path: Path, formats: Collection[Format]) -> bool:
    """Whether a folder has data of some format, or folders of classes, also in folders of splits."""
    inner = folders(path)
    places = [path, *(path / name for name in inner if split_of(name))]
    return any(format.recognised(path) for format in formats) or any(_has_classes(place) for place in places)


def _has_classes(path: Path) -> bool:
    return sum(any(entry.name.lower().endswith(EXTENSIONS) for entry in entries(path / name)) for name in folders(path)) > 1
