"""A prepared task on disk: arrays of images and labels, and the task they belong to.

A split is a pool of images of which some or all are prepared: whoever draws sees the labels of the whole pool, and
images are asked for by their number in it. Base and new classes of a task have no images of their own but rows of the whole task's.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from promptatlas.base import files
from promptatlas.base.errors import FAILED, Failed, UserError
from promptatlas.base.json_record import Newer, require_known
from promptatlas.tasks.listing import SPLITS as SPLITS
from promptatlas.tasks.task import Task

ARRAYS = ("images", "labels", "digests", "index", "pool")
DIGEST_BYTES = 16


@dataclass(frozen=True)
class Pool:
    """One split in memory but for its images: what `write` puts beside `{split}_images.npy`.

    labels: (P,) int64 class numbers or (P, C) uint8 marks of the whole pool; index: (N,) numbers in the pool of the
    prepared images, ascending; digests: (N, 16) uint8, see `digest`; reference: (M,) positions among the N that stand
    for the task's images wherever tasks are compared; skipped: numbers in the pool of images that cannot be read.
    """

    labels: np.ndarray
    index: np.ndarray
    digests: np.ndarray
    reference: np.ndarray
    skipped: list[int] = field(default_factory=list)

    @classmethod
    def whole(cls, images: np.ndarray, labels: np.ndarray) -> "Pool":
        """A pool of which every image is prepared."""
        return cls(labels, np.arange(len(labels)), digests(images), np.arange(len(labels)))


class ImageRows:
    """Some of the images of an array on disk, (len(rows), R, R, 3), read when they are asked for."""

    def __init__(self, images: "np.ndarray | ImageRows", rows: np.ndarray) -> None:
        self.images, self.rows = images, rows
        self.shape: tuple[int, ...] = (len(rows), *images.shape[1:])
        self.dtype: np.dtype = images.dtype

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, wanted: int | slice | np.ndarray) -> np.ndarray:
        return self.images[self.rows[wanted]]

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype)


class PreparedTask:
    """The arrays of one task. Prepared images (N, R, R, 3) uint8 lie in rows; a pool has P >= N images."""

    def __init__(self, folder: Path, record: dict) -> None:
        self.folder = folder
        self.task = Task.from_dict(record["task"])
        self._record = record

    @classmethod
    def open(cls, folder: str | Path) -> "PreparedTask":
        """Read `task.json`; the arrays stay on disk until asked for. Failed if it says why there are none."""
        path = Path(folder) / "task.json"
        try:
            record = json.loads(path.read_text())
            require_known(record, path)
            if FAILED in record:
                raise Failed(f"task failed: {record[FAILED]}")
            if _is_whole(record):
                return cls(Path(folder), record)
        except FileNotFoundError:
            raise UserError(f"{path} is missing; prepare the task again.") from None
        except (Failed, Newer):
            raise
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError, UserError):
            pass
        raise UserError(f"{path} is not a task description; delete it and prepare the task again.")

    def images(self, split: str) -> np.ndarray | ImageRows:
        """Prepared images of `split`, (N, R, R, 3) uint8, memory-mapped."""
        if "part_of" not in self._record:
            return self._array(split, "images")
        whole = PreparedTask.open(self.folder / self._record["part_of"])
        return ImageRows(whole.images(split), np.asarray(self._array(split, "rows")))

    def labels(self, split: str) -> np.ndarray:
        """Of the prepared images: class numbers (N,) int64, or for a multi-label task 0/1 marks (N, C) uint8."""
        return np.asarray(self._array(split, "labels"))

    def index(self, split: str) -> np.ndarray:
        """Numbers in the pool of the prepared images, (N,) ascending."""
        return np.asarray(self._array(split, "index"))

    def digests(self, split: str) -> np.ndarray:
        """One `digest` per prepared image, (N, 16) uint8."""
        return np.asarray(self._array(split, "digests"))

    def pool_labels(self, split: str) -> np.ndarray:
        """Of the whole pool: class numbers (P,) or marks (P, C)."""
        return np.asarray(self._array(split, "pool"))

    def skipped(self, split: str) -> list[int]:
        """Numbers in the pool of images that could not be read."""
        return self._record["skipped"][split]

    @property
    def notes(self) -> list[str]:
        """What is odd about the data, in sentences without a full stop; no result depends on them."""
        return self._record.get("notes", [])

    def rows(self, split: str, numbers: np.ndarray) -> np.ndarray:
        """Rows of the prepared arrays that hold the images with these `numbers` in the pool."""
        index = self.index(split)
        rows = np.searchsorted(index, numbers)
        if len(numbers) and (rows.max() >= len(index) or (index[rows] != numbers).any()):
            raise UserError(
                f"some drawn {split} images of task {self.task.name!r} are not prepared; delete {self.folder / 'task.json'} and run again."
            )
        return rows

    def reference(self) -> np.ndarray:
        """Rows of the train split that stand for the task's images wherever tasks are compared."""
        return np.array(self._record["reference"], dtype=np.int64)

    def fingerprint(self, split: str, numbers: np.ndarray | None = None) -> str:
        """SHA-256 of the images and labels with these `numbers` in the pool, or of all that are prepared."""
        if numbers is None:
            return self._record["fingerprints"][split]
        rows = self.rows(split, numbers)
        return fingerprint(self.digests(split)[rows], self.labels(split)[rows])

    def recipe(self, split: str) -> str | None:
        """What `write` was told the split was made from."""
        return self._record["recipes"].get(split)

    def _array(self, split: str, kind: str) -> np.ndarray:
        path = array_path(self.folder, split, kind)
        try:
            return np.load(path, mmap_mode="r", allow_pickle=False)
        except FileNotFoundError:
            raise UserError(f"{path} is missing; prepare task {self.task.name!r} again.") from None
        except Exception:  # the head of such a file is Python, whose parser raises many kinds
            raise UserError(f"{path} is damaged; delete it and prepare task {self.task.name!r} again.") from None


def _is_whole(record: dict) -> bool:
    """Whether a record that was read says everything that `write` says, in values of the same kind."""
    names = record["task"]["class_names"]
    by_split = all(isinstance(record["fingerprints"][s], str) and isinstance(record["skipped"][s], list) for s in SPLITS)
    others = isinstance(record["recipes"], dict) and isinstance(record["reference"], list)
    texts = (*names, *record.get("notes", ()), record.get("part_of", ""))
    return by_split and others and all(isinstance(text, str) for text in texts)


def array_path(folder: str | Path, split: str, kind: str) -> Path:
    """Where one of the ARRAYS of a split lies."""
    return Path(folder) / f"{split}_{kind}.npy"


def digest(image: np.ndarray) -> np.ndarray:
    """(16,) uint8 that tells images (R, R, 3) apart by their values."""
    content = hashlib.sha256(np.ascontiguousarray(image).data)  # in hardware where the CPU has it
    return np.frombuffer(content.digest()[:DIGEST_BYTES], dtype=np.uint8)


def digests(images: np.ndarray) -> np.ndarray:
    """One `digest` per image: (N, 16) uint8."""
    return np.array([digest(image) for image in images], dtype=np.uint8).reshape(len(images), DIGEST_BYTES)


def fingerprint(digests: np.ndarray, labels: np.ndarray) -> str:
    """SHA-256 over shapes, types and values of both arrays."""
    content = hashlib.sha256()
    for array in (digests, labels):
        content.update(f"{array.shape}{array.dtype.str}".encode())
        content.update(np.ascontiguousarray(array).data)
    return content.hexdigest()


def write(
    folder: str | Path,
    task: Task,
    pools: dict[str, Pool],
    factors: list[dict],
    images: dict[str, np.ndarray] | None = None,
    recipes: dict[str, str] | None = None,
    part_of: str | None = None,
    notes: Sequence[str] = (),
) -> None:
    """Write the prepared folder of `task`; every file appears whole or not at all, `task.json` last.

    images: images by split; a split that is left out has its `{split}_images.npy` already. factors: one record per
    prepared image, all splits, with a key ``split``. recipes: by split, any text that changes when it has to be
    prepared anew. part_of: from `folder`, that of the task whose images number `{split}_rows.npy` are those of this one. notes: what
    is odd about the data, in sentences without a full stop.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for split, array in (images or {}).items():
        save_array(array_path(folder, split, "images"), array)
    for split, pool in pools.items():
        arrays = {"labels": pool.labels[pool.index], "digests": pool.digests, "index": pool.index, "pool": pool.labels}
        for kind, array in arrays.items():
            save_array(array_path(folder, split, kind), array)
    with files.whole(folder / "factors.parquet") as temporary:
        pq.write_table(pa.Table.from_pylist(factors), temporary)
    record = {
        "task": task.to_dict(),
        "fingerprints": {split: fingerprint(pool.digests, pool.labels[pool.index]) for split, pool in pools.items()},
        "pictures": {split: len(pool.index) for split, pool in pools.items()},
        "pools": {split: len(pool.labels) for split, pool in pools.items()},
        "skipped": {split: pool.skipped for split, pool in pools.items()},
        "reference": pools["train"].reference.tolist(),
        "recipes": recipes or {},
    }
    record |= {"part_of": part_of} if part_of else {}
    record |= {"notes": list(notes)} if notes else {}
    files.replace(folder / "task.json", (json.dumps(record) + "\n").encode())


def write_failed(folder: Path, reason: str) -> None:
    """In the place of a task that could not be prepared: a record that says why. Whatever arrays there are count for nothing."""
    files.replace(folder / "task.json", (json.dumps({FAILED: reason}) + "\n").encode())


def save_array(path: Path, array: np.ndarray) -> None:
    """Whole or not at all."""
    with files.whole(path) as temporary, temporary.open("wb") as file:
        np.save(file, array)
