"""How good each prompt was on the tasks of its own study, whatever the target: the static list, from the table `transfer`."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from promptatlas.recommendation.candidates import CandidateFile, Place
from promptatlas.study.protocols import FROZEN

TABLE = "tables/transfer.csv"
Key = tuple[str, str, int]  # method, source and seed


def values(place: Place, files: Sequence[CandidateFile]) -> np.ndarray:
    """(P,) the mean over tasks of each file's score there, less the mean of all the files and in standard deviations, as the book counts
    it (`analysis.choice.book`); NaN for a file that the table does not have. Nothing of a prompt on its own task counts."""
    wanted = {_key(file) for file in files}
    by_target: dict[str, dict[Key, float]] = {}
    for target, key, score in _cells(place):
        if key in wanted and key[1] != target:
            by_target.setdefault(target, {})[key] = score
    standard: dict[Key, list[float]] = {}
    for scores in by_target.values():
        mean, spread = float(np.mean([*scores.values()])), float(np.std([*scores.values()]))
        if spread:
            for key, score in scores.items():
                standard.setdefault(key, []).append((score - mean) / spread)
    return np.array([float(np.mean(standard[_key(file)])) if _key(file) in standard else math.nan for file in files])


def _key(file: CandidateFile) -> Key:
    return file.method, file.source, file.seed


def _cells(place: Place) -> Iterator[tuple[str, Key, float]]:
    """Target, prompt and score of every whole row of protocol `frozen`; whatever else an archive holds under that name is passed over."""
    rows: Iterable[dict[str, str]] = csv.DictReader(io.StringIO(place.records.get(TABLE, b"").decode("utf-8", "replace")))
    try:
        for row in rows:
            try:
                score, seed = float(row["score"]), int(float(row["seed"]))
                if row["protocol"] == FROZEN.name and 0 <= score <= 1:
                    yield row["target"], (row["method"], row["source"], seed), score
            except (KeyError, ValueError, TypeError, OverflowError):
                continue
    except csv.Error:
        return
