"""Data sets of the Hugging Face hub, read by the `datasets` library from local files: parquet, webdataset, json.

Code of a repository is never run, and reading uses no network.
"""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image

from promptatlas.base import text_files
from promptatlas.base.errors import UserError
from promptatlas.base.messages import first_line
from promptatlas.tasks.listing import Listing
from promptatlas.tasks.readers import repository
from promptatlas.tasks.readers.assemble import Part, assemble, given_names, wanted
from promptatlas.tasks.readers.files import opened, stamp, stat
from promptatlas.tasks.readers.marks import are_marks, labels_and_names, listed_and_named
from promptatlas.tasks.seen import Look, tree

LABELS = ("label", "cls", "npy")


class ArrowRows:
    """Images as encoded bytes (or paths below `folder`) in a column of Arrow files, which stay on disk."""

    def __init__(self, files: list[str], column: str, length: int, folder: str, where: str) -> None:
        self.files, self.column, self.length, self.folder, self.where = files, column, length, folder, where
        self._values: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_values": None}

    def __len__(self) -> int:
        return self.length

    def content(self, index: int) -> str | BinaryIO:
        """What the row holds, or the file that it names."""
        value = self._value(index)
        if isinstance(value, dict):
            value = value["bytes"] if value["bytes"] is not None else value["path"]
        if value is None:
            raise OSError("the row has no image")
        return io.BytesIO(value) if isinstance(value, bytes) else self._inside(value)

    def open(self, index: int) -> Image.Image:
        return opened(self.content(index))

    def name(self, index: int) -> str:
        return f"{self.where} row {index}"

    def _inside(self, path: str) -> str:
        """A repository may come from anyone: it must not make the study read other files of the user."""
        full = os.path.abspath(os.path.join(self.folder, path))
        if not full.startswith(self.folder + os.sep):
            raise OSError(f"the row's path {path!r} is outside of {self.folder}")
        return full

    def _value(self, index: int) -> Any:
        if self._values is None:
            import pyarrow as pa

            tables = [pa.ipc.open_stream(pa.memory_map(file)).read_all().column(self.column) for file in self.files]
            self._values = pa.chunked_array([chunk for table in tables for chunk in table.chunks])
        return self._values[index].as_py()


def present(source: dict, data_root: Path) -> bool:
    """Whether data files of the repository lie below `data_root` or in the user's hub cache."""
    return repository.folder(source, data_root) is not None


def download(source: dict, data_root: Path) -> None:
    """Download a snapshot of the files that are needed. Raises UserError with the reason when that fails."""
    repository.fetch(source, data_root)


def advice(source: dict, data_root: Path) -> str:
    """What would be downloaded to where, in one sentence."""
    revision = f" (revision {source['revision']})" if "revision" in source else ""
    return (
        f"the data set {source['repository']}{revision} of huggingface.co would be downloaded to "
        f"{repository.home(source, data_root)}, or put a copy of the repository there"
    )


def read(source: dict, data_root: Path) -> Listing:
    """List all splits. The Arrow files that `datasets` makes of the repository go to `data_root`/huggingface/.cache."""
    place = repository.folder(source, data_root)
    if place is None:
        home = repository.home(source, data_root)
        raise UserError(f"{source['repository']} is not in {home}: {advice(source, data_root)}")
    place = place.resolve()
    data = _load(source, place, Path(data_root))
    splits = wanted(source)
    for name in {str(name) for several in splits.values() for name in several}:
        if name not in data:
            raise UserError(f"{place} has no split {name!r}, only {', '.join(data)}; correct `splits` of {source['repository']}")
    mark = _stamp(place)
    marks = _are_marks(source, [data[name] for name in dict.fromkeys(str(name) for several in splits.values() for name in several)], place)
    parts = {key: [_part(source, data[str(name)], str(name), place, mark, marks) for name in several] for key, several in splits.items()}
    return assemble(source, parts, "mirror", f"{source['repository']} in {place}")


def look(source: dict, data_root: Path) -> Look:
    """Names, sizes and times of the files of the repository."""
    place = repository.folder(source, data_root)
    return tree(place) if place else {}


def _load(source: dict, place: Path, data_root: Path) -> dict[str, Any]:
    import datasets

    with _offline():
        try:
            return datasets.load_dataset(
                str(place),
                name=source.get("configuration"),
                data_files=source.get("files"),
                cache_dir=str(data_root / "huggingface" / ".cache"),
                verification_mode="no_checks",
            )
        except Exception as error:  # the library and its parsers raise many kinds, all about these files
            cause: BaseException = error
            while cause.__cause__ is not None:
                cause = cause.__cause__
            raise UserError(
                f"{source['repository']} in {place} cannot be read ({first_line(cause)}); fetch it anew, or correct the source"
            ) from None


@contextmanager
def _offline() -> Iterator[None]:
    """No look at the hub, no progress bars, while files are read."""
    import datasets

    before = datasets.config.HF_HUB_OFFLINE, datasets.config.HF_DATASETS_OFFLINE, datasets.is_progress_bar_enabled()
    datasets.config.HF_HUB_OFFLINE = datasets.config.HF_DATASETS_OFFLINE = True
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        datasets.config.HF_HUB_OFFLINE, datasets.config.HF_DATASETS_OFFLINE, shown = before
        if shown:
            datasets.enable_progress_bars()


def _part(source: dict, data: Any, split: str, place: Path, mark: str, marks: bool) -> Part:
    image, label = _columns(source, data)
    where = f"{source['repository']} {split}"
    labels, names = labels_and_names(data.features[label], data.data.column(label), _given_names(source, place), where, marks)
    files = [str(entry["filename"]) for entry in data.cache_files]
    images = ArrowRows(files, image, len(labels), str(place), where)
    return Part(images, labels, names, f"{mark} {split} {image} {label}")


def _are_marks(source: dict, several: list[Any], place: Path) -> bool:
    """Whether lists of labels are marks, in all splits alike."""
    groups = []
    for data in several:
        label = _columns(source, data)[1]
        many, names = listed_and_named(data.features[label], _given_names(source, place))
        groups += [(data.data.column(label).to_pylist(), len(names))] if many else []
    return are_marks(groups, str(place))


def _columns(source: dict, data: Any) -> tuple[str, str]:
    """Those of images and of labels: as the source says, or the only one with images and the first called as labels usually are."""
    import datasets

    images = [name for name, feature in data.features.items() if isinstance(feature, datasets.Image)]
    labels = [name for name in LABELS if name in data.features]
    return _column("image", images if len(images) == 1 else [], source, data), _column("label", labels, source, data)


def _column(key: str, usual: list[str], source: dict, data: Any) -> str:
    columns, name = ", ".join(data.features), source.get(key)
    if name is None and not usual:
        raise UserError(f"{source['repository']} has columns {columns}; say in `{key}` which holds the {key}s")
    if name is not None and name not in data.features:
        raise UserError(f"{source['repository']} has no column {name!r}, only {columns}; correct `{key}` of the source")
    return name or usual[0]


def _given_names(source: dict, place: Path) -> tuple[str, ...]:
    """Names for labels that are bare numbers: `classes` of the source, or the lines of a file of the repository."""
    if "classes" in source:
        return given_names(source)
    file = place / source.get("names", "classnames.txt")
    if file.is_file():
        return text_files.lines(file)
    if "names" in source:
        raise UserError(f"{file} is missing; it should have one class name per line, in the order of the labels")
    return ()


def _stamp(place: Path) -> str:
    paths = sorted(str(path.relative_to(place)) for path in place.rglob("*") if path.is_file())
    return stamp(stat(place, [path for path in paths if not path.startswith(".")])[0])
