"""Parquet and Arrow files in which each row holds an image, encoded, and its label, as `datasets` pushes and saves them.

Read with pyarrow where they lie, so that no copy of the images is made and the library `datasets` is not imported.
"""

import bisect
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import accumulate, islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO, NamedTuple

from PIL import Image

from promptatlas.base.errors import UserError
from promptatlas.base.messages import first_line, plain, some
from promptatlas.tasks.readers.assemble import Part
from promptatlas.tasks.readers.files import entries, folders, opened, stamp, stat
from promptatlas.tasks.readers.formats.given import GivenData
from promptatlas.tasks.readers.formats.splits import require_all_shards, split_of, without_number
from promptatlas.tasks.readers.inside import require_within
from promptatlas.tasks.readers.marks import are_marks, labels_and_names, listed_and_named, number_notes, of_values
from promptatlas.tasks.readers.names import natural

FORM = "parquet files such as data/train-00000-of-00001.parquet, or what `save_to_disk` writes"
ENDINGS = (".parquet", ".arrow", ".json")
KEYS = ("label", "image")
LABELS = ("label", "labels", "class", "category", "cls")
DEEPER = ("data", "default")  # folders of the hub besides those that are called like splits
SPLIT = "split"
BESIDE = "metadata.parquet"  # holds no images, but labels of those beside it, see `metadata`
SAVED, PARTS, FEATURES = "state.json", "dataset_dict.json", "dataset_info.json"


class RowImages:
    """Encoded images in a column of files below `root`. runs: of each run of rows its file, its number in it and how many rows it has;
    runs are row groups in parquet and batches in Arrow.
    """

    def __init__(self, root: Path, files: Sequence[str], column: str, runs: Sequence[tuple[int, int, int]]) -> None:
        self.root, self.files, self.column = str(root), list(files), column
        self.places = [run[:2] for run in runs]
        self.starts = [0, *accumulate(length for _, _, length in runs)]
        self._read: tuple[int, Any] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_read": None}

    def __len__(self) -> int:
        return self.starts[-1]

    def content(self, index: int) -> BinaryIO:
        run = self._run_of(index)
        if self._read is None or self._read[0] != run:  # images are asked for in order
            import pyarrow as pa

            file, number = self.places[run]
            try:
                self._read = run, _run(os.path.join(self.root, self.files[file]), number, self.column)
            except pa.ArrowException as error:
                raise OSError(f"the rows cannot be read, {first_line(error)}") from None
        value = self._read[1][index - self.starts[run]].as_py()
        found = value.get("bytes") if isinstance(value, dict) else value
        if not isinstance(found, bytes):
            raise OSError("the row has no image in it" + (", only a path" if value else ""))
        return io.BytesIO(found)

    def open(self, index: int) -> Image.Image:
        return opened(self.content(index))

    def name(self, index: int) -> str:
        file, number = self.places[run := self._run_of(index)]
        return f"{os.path.join(self.root, self.files[file])} row {index - self.starts[run - number]}"

    def _run_of(self, index: int) -> int:
        return bisect.bisect_right(self.starts, index) - 1


def recognised(path: Path) -> bool:
    if path.is_file():
        return _is_parquet(path.name)
    return bool(_saved(path)) or (_may_be(path) and bool(_parquet(path)))


def groups(place: GivenData) -> Mapping[str, list[Path]]:
    """Files by what their names, or those of their folders, say before their numbers."""
    if place.path.is_file():
        return {_group(place.path): [place.path]}
    saved = _saved(place.path)
    found = {name: _data_files(folder, place.path) for name, folder in saved.items()} or _parquet(place.path)
    if not found:
        raise UserError(f"{place.path} has no parquet or Arrow files of images; it needs {FORM}")
    return found


def parts(place: GivenData, groups: Mapping[str, list[Path]]) -> tuple[dict[str, Part], Sequence[str]]:
    """The rows with their labels, called as the features in the files say. UserError names the file."""
    root = place.path.parent if place.path.is_file() else place.path
    if place.path.is_dir():
        require_all_shards(file for files in groups.values() for file in files)
    read = {name: _read(place, files) for name, files in groups.items()}
    marks = are_marks(((one.values, len(listed_and_named(one.feature)[1])) for one in read.values()), str(place.path))
    found = {name: _part(root, groups[name], one, marks) for name, one in read.items()}
    return found, number_notes((part.names for part in found.values()), "in the features (ClassLabel)")


def beside(place: GivenData) -> list[Path]:
    """None: the file has all."""
    return []


class Rows(NamedTuple):
    """Of some files the columns of images and labels, the `datasets` feature of the latter, the runs of rows and all labels."""

    image: str
    label: str
    feature: Any
    runs: list[tuple[int, int, int]]
    values: list[Any]


def _read(place: GivenData, files: list[Path]) -> Rows:
    schema, _ = _opened(files[0])
    features = _features(files[0], schema)
    image, label = _image(place, files[0], schema, features), _label(place, files[0], schema)
    _require_one_split(files, label)
    runs: list[tuple[int, int, int]] = []
    values: list[Any] = []
    for number, file in enumerate(files):
        other, lengths = _opened(file)
        if missing := [name for name in (image, label) if name not in other.names]:
            raise UserError(f"{file} has no column {missing[0]!r}, which {files[0]} has; save all files with the same columns")
        runs += [(number, run, length) for run, length in enumerate(lengths)]
        values += _column(file, label).to_pylist()
    return Rows(image, label, _feature(features.get(label), files[0]), runs, values)


def _part(root: Path, files: list[Path], rows: Rows, marks: bool) -> Part:
    where = f"{root} {_group(files[0])}"
    paths = [os.path.relpath(file, root) for file in files]
    images = RowImages(root, paths, rows.image, rows.runs)
    many, named = listed_and_named(rows.feature)
    if many or named:
        labels, names = labels_and_names(rows.feature, SimpleNamespace(to_pylist=lambda: rows.values), (), where, marks)
    else:
        labels, names = of_values(rows.values, (), where, marks, images.name)
    return Part(images, labels, names, f"{stamp(stat(root, paths)[0])} {rows.image} {rows.label}")


def _require_one_split(files: Sequence[Path], label: str) -> None:
    """UserError where a column says that rows of the same files are of several splits, which are told apart by files only."""
    said: set[Any] = set()
    for file in files:
        schema, _ = _opened(file)
        if SPLIT in schema.names and label != SPLIT:
            said |= {str(value) for value in _column(file, SPLIT).to_pylist()}
    if len(said) > 1:
        raise UserError(
            f"{files[0]} has a column `{SPLIT}` with {some(map(plain, sorted(said)), 3)}; save a file for each, such as train.parquet and "
            "test.parquet"
        )


def _opened(file: Path) -> tuple[Any, list[int]]:
    """The Arrow schema of a file, and how many rows each run of it has. UserError for one that cannot be read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with _reading(file):
        if file.suffix == ".arrow":
            reader = pa.ipc.open_stream(pa.memory_map(str(file)))
            return reader.schema, [batch.num_rows for batch in reader]
        with pq.ParquetFile(file) as parquet:
            return parquet.schema_arrow, [parquet.metadata.row_group(number).num_rows for number in range(parquet.num_row_groups)]


def _run(file: str, number: int, column: str) -> Any:
    """A column of one run of rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if file.endswith(".arrow"):
        return next(islice(pa.ipc.open_stream(pa.memory_map(file)), number, None)).column(column)
    with pq.ParquetFile(file) as parquet:
        return parquet.read_row_group(number, columns=[column]).column(column)


def _column(file: Path, column: str) -> Any:
    """UserError for a file that cannot be read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with _reading(file):
        if file.suffix == ".arrow":
            return pa.ipc.open_stream(pa.memory_map(str(file))).read_all().column(column)
        with pq.ParquetFile(file) as parquet:
            return parquet.read(columns=[column]).column(column)


@contextmanager
def _reading(file: Path) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except (OSError, ValueError, pa.ArrowException) as error:
        raise UserError(f"{file} cannot be read ({first_line(error)}); fetch or save it anew") from None


def _features(file: Path, schema: Any) -> dict[str, Any]:
    """What `datasets` noted of the columns; empty if it is not known."""
    try:
        if file.suffix == ".arrow":
            noted = json.loads((file.parent / FEATURES).read_bytes())["features"]
        else:
            noted = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return {}
    return noted if isinstance(noted, dict) else {}


def _feature(noted: Any, file: Path) -> Any:
    """As `datasets` has it: a list of something has that something, classes have names."""
    inner = noted[0] if isinstance(noted, list) and noted else noted.get("feature") if isinstance(noted, dict) else None
    if inner is not None:
        return SimpleNamespace(feature=_feature(inner, file))
    names = noted.get("names") if isinstance(noted, dict) else None
    if names is not None and not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        raise UserError(f"{file} notes names of classes that are no list of texts; save the data set anew")
    return SimpleNamespace(names=names)


def _image(place: GivenData, file: Path, schema: Any, features: Mapping[str, Any]) -> str:
    if place.image:
        return _known(place.image, "image", file, schema)
    noted = [name for name, feature in features.items() if isinstance(feature, dict) and feature.get("_type") == "Image"]
    usual = noted or [field.name for field in schema if "bytes" in str(field.type) or str(field.type) in ("binary", "large_binary")]
    if len(usual) != 1:
        raise UserError(f"{file} has the columns {some(map(plain, schema.names), 6)}; say in `image` which holds the images")
    return _known(usual[0], "image", file, schema)


def _label(place: GivenData, file: Path, schema: Any) -> str:
    if place.label:
        return _known(place.label, "label", file, schema)
    usual = [name for name in LABELS if name in schema.names]
    if len(usual) != 1:
        raise UserError(f"{file} has the columns {some(map(plain, schema.names), 6)}; say in `label` which holds the class")
    return usual[0]


def _known(name: str, key: str, file: Path, schema: Any) -> str:
    if name not in schema.names:
        raise UserError(f"{file} has no column {plain(name)!r}, only {some(map(plain, schema.names), 6)}; correct `{key}`")
    return name


def _saved(path: Path) -> dict[str, Path]:
    """What `save_to_disk` wrote: one folder, or one for each split."""
    if (path / SAVED).is_file():
        return {path.name: path}
    return {name: path / name for name in folders(path) if (path / name / SAVED).is_file()} if (path / PARTS).is_file() else {}


def _data_files(folder: Path, above: Path) -> list[Path]:
    """Those that the note of `save_to_disk` lists, which lie beside it, and with their links below `above`."""
    try:
        names = [str(one["filename"]) for one in json.loads((folder / SAVED).read_bytes())["_data_files"]]
    except (OSError, ValueError, LookupError, TypeError):
        raise UserError(f"{folder / SAVED} is not what `save_to_disk` writes; save the data set anew") from None
    if not names:
        raise UserError(f"{folder / SAVED} lists no file; save the data set anew")
    if odd := [name for name in names if os.path.basename(name) != name or not (folder / name).is_file()]:
        raise UserError(f"{folder / SAVED} lists {plain(odd[0])}, which is no file beside it; save the data set anew")
    for name in names:
        require_within(folder / name, above, "put the file itself there")
    return [folder / name for name in names]


def _may_be(path: Path) -> bool:
    """Whether no folder looks like one of a class: a table beside images in folders is something else."""
    return all(name in DEEPER or (split_of(name) and not folders(path / name)) for name in folders(path))


def _parquet(path: Path) -> dict[str, list[Path]]:
    inner = [path / name for name in folders(path) if split_of(name) or name in DEEPER]
    inner += [folder / name for folder in inner if not split_of(folder.name) for name in folders(folder) if split_of(name)]
    found: dict[str, list[Path]] = {}
    for folder in [path, *inner]:
        names = [entry.name for entry in entries(folder) if _is_parquet(entry.name) and not entry.is_dir()]
        for name in sorted(names, key=natural):
            found.setdefault(_group(folder / name), []).append(folder / name)
    return found


def _is_parquet(name: str) -> bool:
    return name.lower().endswith(".parquet") and name != BESIDE


def _group(file: Path) -> str:
    """`train` for data/train-00000-of-00002.parquet and for train/0000.parquet."""
    name = without_number(file.stem)
    return name if split_of(name) or not split_of(file.parent.name) else file.parent.name
