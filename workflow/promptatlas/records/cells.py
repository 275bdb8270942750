"""One cell of a study: its address, the fingerprint of everything that determines its number, and its file.

A cell that could not be measured has the score null and the key `failed`, which says why.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from promptatlas.base import json_record
from promptatlas.base.errors import Failed, UserError
from promptatlas.base.files import replace
from promptatlas.records.kind import JsonRecord, packed

# What every cell file holds. `parts` says why a fingerprint changed.
KEYS = (
    "study", "backbone", "protocol", "method", "source", "target", "seed", "shots", "metric", "score", "chance", "n_test",
    "seconds", "peak_mib", "fingerprint", "parts", "per_class", "correct", "answers",
)  # fmt: skip
# Without these it is none; what else a file lacks is not known, as of one that was written before there was such a key.
REQUIRED = ("protocol", "method", "source", "target", "seed", "metric", "score", "chance", "fingerprint", "parts")
DEFAULTS = dict.fromkeys(key for key in KEYS if key not in REQUIRED) | {"study": "", "backbone": ""}
TEXTS = ("study", "backbone", "metric", "fingerprint")
NUMBERS = ("shots", "score", "chance", "n_test", "seconds", "peak_mib")
LARGEST = 1e15


@dataclass(frozen=True, order=True)
class Cell:
    """The address of one measurement: `source`'s prompt on `target`, trained by `method` from draw `seed`."""

    protocol: str
    method: str
    seed: int
    target: str
    source: str

    def address(self) -> dict[str, Any]:
        return asdict(self)


def write(path: Path, record: Mapping[str, Any]) -> None:
    """Write a cell or another record as JSON: all of it or nothing, whenever the process is killed."""
    replace(path, packed(record))


def read(path: Path) -> dict[str, Any]:
    """The cell stored at `path`, measured or failed; UserError if it is missing, not a whole, sound cell, or of a newer version."""
    cell = json_record.read(path, "the cell")
    if not (all(key in cell for key in REQUIRED) and sound_score(cell) and _of_its_kinds(cell)):
        raise json_record.corrupt(path, "the cell")
    return json_record.completed(cell, DEFAULTS)


def read_own(path: Path, cell: Cell) -> dict[str, Any]:
    """The same, and UserError also if it is another cell than that of its place."""
    content = read(path)
    if any(content[key] != value for key, value in cell.address().items()):
        raise UserError(f"the cell {path} belongs to another place; delete the file and run again to compute it anew")
    return content


def _of_its_kinds(cell: Mapping[str, Any]) -> bool:
    """Whether what becomes a row of a table is text or a number where it should be."""
    texts = all(isinstance(cell.get(key, ""), str) for key in TEXTS) and isinstance(cell.get("failed") or "", str)
    known = [cell[key] for key in NUMBERS if key in cell and not (cell.get("failed") and cell[key] is None)]
    numbers = all(type(number) in (int, float) and abs(number) < LARGEST for number in known)
    return texts and numbers and isinstance(cell["parts"], dict)


def sound_score(record: Mapping[str, Any]) -> bool:
    """Whether a record has a score from 0 to 1 or, if it failed, none."""
    score = record["score"]
    if record.get("failed"):
        return score is None
    return isinstance(score, (int, float)) and 0 <= score <= 1


def packed_answers(right: np.ndarray) -> str:
    """What a cell holds under `correct`, from which of its N test images were answered right (N,) bool."""
    return base64.b64encode(np.packbits(right).tobytes()).decode()


def right_answers(cell: Mapping[str, Any]) -> np.ndarray | None:
    """Which of the test images were answered right, (N,) bool; None if the cell does not say so of each of its `n_test` images."""
    try:
        packed = np.frombuffer(base64.b64decode(cell["correct"], validate=True), np.uint8)
        count = int(cell["n_test"])
    except (KeyError, TypeError, ValueError, binascii.Error):
        return None
    return np.unpackbits(packed, count=count).astype(bool) if count > 0 and len(packed) == -(-count // 8) else None


class CellFile(JsonRecord):
    """The file of a cell."""

    def failed(self, why: Failed, about: Mapping[str, Any]) -> bytes:
        """about: all that a cell says besides what was measured."""
        nothing = dict.fromkeys(("score", "chance", "n_test", "correct", "answers"))
        return super().failed(why, {**about, **nothing, "seconds": 0.0, "peak_mib": 0.0, "per_class": {}})

    def taken_over(self, path: Path, about: Mapping[str, Any]) -> bytes:
        """Cells that have the same inputs are one measurement, each with an address of its own."""
        return packed({**read(path), **about})


CELL = CellFile(read)
