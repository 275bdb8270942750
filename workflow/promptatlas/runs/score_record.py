"""The score of one method on one task with one seed, as a JSON record: for methods that have no place in the matrix.

A record says what was chosen without the test pictures (epoch, alpha, beta) and carries the fingerprint of all that
determines it. One that could not be computed has the score null and the key `failed`; one that there is nothing to compute for has
the score null and says in `absent` why. Knows nothing of how a score is computed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from promptatlas.base import json_record
from promptatlas.base.errors import Failed, UserError
from promptatlas.records import cells
from promptatlas.records.cells import fingerprint
from promptatlas.runs.failures import Holes
from promptatlas.study.study import Study

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


def read_probes(path: Path) -> dict[str, Any]:
    """The linear probes of a task, all seeds; UserError if they are missing, damaged or of a newer version."""
    content = json_record.completed(json_record.read(path, "the probe"), {"fingerprint": ""})
    try:
        sound = isinstance(content["fingerprint"], str) and all("seed" in one and cells.sound_score(one) for one in content["probes"])
    except (LookupError, TypeError):
        sound = False
    if not sound:
        raise json_record.corrupt(path, "the probe")
    return content


def is_absent(record: dict[str, Any]) -> bool:
    """Whether the record says that there is no such score, which trying again would not change."""
    return bool(record.get(ABSENT)) and record["score"] is None


def holds(path: Path, parts: dict[str, str]) -> bool:
    """Whether the record at `path` is there and was made from `parts`."""
    return path.exists() and cells.holds(read(path), fingerprint(parts))


def resumed(study: Study, path: Path, parts: dict[str, str]) -> bool:
    """Take over a record that an interrupted job left; a damaged one is as good as none."""
    left = study.paths.resume(fingerprint(parts), "json")
    try:
        if not holds(left, parts):
            return False
    except json_record.Newer:
        raise
    except UserError:
        return False
    cells.write(path, read(left))
    return True


def keep(study: Study, path: Path, content: dict[str, Any]) -> None:
    """Write a record, and a copy for the case that the job is interrupted: Snakemake then removes its outputs."""
    cells.write(study.paths.resume(content["fingerprint"], "json"), content)
    cells.write(path, content)


def fail(holes: Holes, path: Path, failed: Failed, method: str, **about: Any) -> None:
    """Write a record that says why there is no score. about: at least target, seed and metric."""
    holes.note(path, failed)
    known = {"method": method, **about, "seconds": 0.0, "fingerprint": "", "parts": {}, "failed": str(failed)}
    cells.write(path, dict.fromkeys(KEYS) | known)
