"""A few-shot draw on disk: which images of a task one seed is trained on and validates on, or why there is none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from promptatlas.base.errors import FAILED, Failed, UserError
from promptatlas.base.json_record import require_known
from promptatlas.records.kind import Kind
from promptatlas.tasks.draws import Draw

ARRAYS = ("train", "validation", "train_labels", "validation_labels")


def record(drawn: Draw, classes: int, pools: str) -> dict[str, Any]:
    """What the file of a draw holds. classes: how many the task has; pools: hash of the labels that were drawn from."""
    about = {"validation_split": drawn.validation_split, "sha256": drawn.sha256, "pool_labels_sha256": pools}
    return about | {"shots_per_class": drawn.shots_per_class(classes)} | {name: getattr(drawn, name).tolist() for name in ARRAYS}


def read_draw(path: Path) -> Draw:
    """The draw stored at `path`; UserError if it is missing or damaged, Failed if it says why there is none."""
    return _read(path)[0]


def _read(path: Path) -> tuple[Draw, dict[str, Any]]:
    try:
        record = json.loads(path.read_bytes())
        require_known(record, path)
        if FAILED in record:
            raise Failed(f"draw failed: {record[FAILED]}")
        drawn = Draw(
            validation_split=record["validation_split"],
            **{name: np.array(record[name], dtype=np.int64) for name in ARRAYS},
        )
        sound = drawn.sha256 == record["sha256"]
    except FileNotFoundError:
        raise UserError(f"the draw {path} is missing; run the study again to draw it") from None
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        sound = False
    if not sound:
        raise UserError(f"the draw {path} is corrupt; delete the file and run again to draw it anew")
    return drawn, record


class DrawFile(Kind):
    """The file of a draw, which is nothing but what determines it: its inputs are its content."""

    def inputs(self, path: Path) -> Mapping[str, Any]:
        return _read(path)[1]

    def packed(self, content: Mapping[str, Any], inputs: Mapping[str, Any]) -> bytes:
        return json.dumps(dict(content)).encode()

    def failed(self, why: Failed, about: Mapping[str, Any]) -> bytes:
        return json.dumps({FAILED: str(why)}).encode()


DRAW = DrawFile()
