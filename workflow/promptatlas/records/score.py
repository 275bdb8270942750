"""The score of one method on one task with one seed, as a JSON record: for methods that have no place in the matrix.

A record says what was chosen without the test images (epoch, alpha, beta) and carries the fingerprint of all that
determines it. One that could not be computed has the score null and the key `failed`; one that there is nothing to compute for has
the score null and says in `absent` why.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from promptatlas.base import json_record
from promptatlas.base.errors import Failed
from promptatlas.records import cells
from promptatlas.records.kind import JsonRecord

ABSENT = "absent"
CHOICES = ("epoch", "alpha", "beta")
KEYS = ("method", "seed", "target", "metric", "score", "chance", *CHOICES, "seconds", "fingerprint", "parts")
DEFAULTS = dict.fromkeys((*CHOICES, "seconds"))  # of what a file lacks that was written before there was such a key


def read(path: Path) -> dict[str, Any]:
    """The record stored at `path`; UserError if it is missing, damaged or of a newer version."""
    content = json_record.completed(json_record.read(path, "the score"), DEFAULTS)
    try:
        sound = all(key in content for key in KEYS) and (is_absent(content) or cells.sound_score(content))
    except TypeError:
        sound = False
    if not sound:
        raise json_record.corrupt(path, "the score")
    return content


def is_absent(record: dict[str, Any]) -> bool:
    """Whether the record says that there is no such score, which trying again would not change."""
    return bool(record.get(ABSENT)) and record["score"] is None


class ScoreFile(JsonRecord):
    """The file of a score."""

    def failed(self, why: Failed, about: Mapping[str, Any]) -> bytes:
        """about: at least method, target, seed and metric."""
        return super().failed(why, dict.fromkeys(KEYS) | {**about, "seconds": 0.0})


SCORE = ScoreFile(read)
