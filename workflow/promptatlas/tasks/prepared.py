"""A prepared task on disk: arrays of pictures and labels, and the task they belong to.

Written once by `write`, read by every later stage. Knows nothing of where the pictures came from.
"""

import hashlib
import json
import os
import tempfile
from pathlib import Path

import numpy as np

from promptatlas.errors import UserError
from promptatlas.tasks.task import Task

SPLITS = ("train", "validation", "test")


class PreparedTask:
    """The arrays of one task: pictures (N, R, R, 3) uint8, labels (N,) int64 or, multi-label, (N, C) uint8."""

    def __init__(self, folder: Path, task: Task, fingerprints: dict[str, str]) -> None:
        self.folder = folder
        self.task = task
        self._fingerprints = fingerprints

    @classmethod
    def open(cls, folder: str | Path) -> "PreparedTask":
        """Read `task.json`; the arrays stay on disk until asked for."""
        path = Path(folder) / "task.json"
        try:
            record = json.loads(path.read_text())
            return cls(Path(folder), Task.from_dict(record["task"]), record["fingerprints"])
        except FileNotFoundError:
            raise UserError(f"{path} is missing; prepare the task again.") from None
        except (ValueError, KeyError, TypeError):
            raise UserError(f"{path} is not a task description; delete it and prepare the task again.") from None

    def images(self, split: str) -> np.ndarray:
        """Pictures of `split`, (N, R, R, 3) uint8, memory-mapped."""
        return self._array(split, "images")

    def labels(self, split: str) -> np.ndarray:
        """Class numbers (N,) int64, or for a multi-label task 0/1 marks (N, C) uint8."""
        return np.asarray(self._array(split, "labels"))

    def fingerprint(self, split: str) -> str:
        """SHA-256 of pictures and labels, as computed when the task was prepared."""
        return self._fingerprints[split]

    def _array(self, split: str, kind: str) -> np.ndarray:
        path = self.folder / f"{split}_{kind}.npy"
        try:
            return np.load(path, mmap_mode="r", allow_pickle=False)
        except FileNotFoundError:
            raise UserError(f"{path} is missing; prepare task {self.task.name!r} again.") from None
        except (ValueError, EOFError, OSError):
            raise UserError(f"{path} is damaged; delete it and prepare task {self.task.name!r} again.") from None


def fingerprint(images: np.ndarray, labels: np.ndarray) -> str:
    """SHA-256 over shapes, types and values of both arrays."""
    digest = hashlib.sha256()
    for array in (images, labels):
        digest.update(f"{array.shape}{array.dtype.str}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def write(folder: str | Path, task: Task, splits: dict[str, tuple[np.ndarray, np.ndarray]], factors: list[dict]) -> None:
    """Write the prepared folder of `task`.

    `splits` maps each split to (pictures, labels); `factors` holds one record per picture, all splits, with a key
    ``split``. Every file appears whole or not at all, `task.json` last.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for split, (images, labels) in splits.items():
        _place(folder / f"{split}_images.npy", lambda path, array=images: np.save(path, array))
        _place(folder / f"{split}_labels.npy", lambda path, array=labels: np.save(path, array))
    _place(folder / "factors.parquet", lambda path: pq.write_table(pa.Table.from_pylist(factors), path))
    record = {
        "task": task.to_dict(),
        "fingerprints": {split: fingerprint(*arrays) for split, arrays in splits.items()},
        "pictures": {split: len(labels) for split, (_, labels) in splits.items()},
    }
    _place(folder / "task.json", lambda path: Path(path).write_text(json.dumps(record, indent=1) + "\n"))


def _place(path: Path, save) -> None:
    """Save under a temporary name in the same folder, then rename: a killed process leaves no half file."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=path.suffix)
    os.close(handle)
    try:
        save(temporary)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
