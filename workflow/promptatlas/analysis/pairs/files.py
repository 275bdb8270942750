"""Which prompt file to use on a target: what each of all methods gains there, shrunk for the winner's optimism, and how likely it is best.

A file is one prompt: other seeds do not count here, test images do. The estimates, the chances and the decision are those of `choice`, with
the test images as the labelled ones.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from promptatlas.analysis.choice.decision import decide
from promptatlas.analysis.choice.evidence import Candidate, Evidence
from promptatlas.analysis.pairs.column import PAIR, Column
from promptatlas.study.protocols import SCRATCH

POINTS = 100


@dataclass
class _OnOneTarget:
    """Right answers of prompt files on one target, eight to a byte, and what they stand for."""

    column: Column
    candidates: list[Candidate] = field(default_factory=list)
    right: list[np.ndarray] = field(default_factory=list)


class PromptChances:
    """Prompts of other tasks and untuned ones, of all methods, by protocol and target."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], _OnOneTarget] = {}

    def add(self, column: Column) -> None:
        """Take what a column's sources answer; one without right answers, or on other images, adds nothing."""
        if column.right is None or column.reference is None or column.images is None:
            return
        there = self._known.setdefault((column.protocol, column.target), _OnOneTarget(column))
        if there.column.n_test != column.n_test:
            return
        for place, (source, kind) in enumerate(zip(column.sources, column.kinds, strict=True)):
            if kind not in (PAIR, SCRATCH) or not column.answered[place]:
                continue
            for seed in np.flatnonzero(np.isfinite(column.scores[place])):
                there.candidates.append(Candidate(column.method, source, column.seed_numbers[seed]))
                there.right.append(np.packbits(column.right[place, seed]))

    def found(self) -> Iterator[tuple[str, str, dict[tuple[str, str], dict[str, Any]]]]:
        """Protocol, target, and by method and source the columns `prompt_seed` to `decision` of the table `pairs`."""
        for (protocol, target), answers in self._known.items():
            if answers.candidates:
                yield protocol, target, _told(answers)


def _evidence(answers: _OnOneTarget) -> Evidence:
    """What is known of the files from the test images."""
    column = answers.column
    assert column.images is not None and column.reference is not None
    right = np.unpackbits(np.array(answers.right), axis=1, count=column.n_test)
    weights = column.images.weights
    return Evidence(column.target, tuple(answers.candidates), right * weights, column.reference * weights, column.images.groups)


def _told(answers: _OnOneTarget) -> dict[tuple[str, str], dict[str, Any]]:
    """Of each method and source the file that is expected to gain most, and the chance that any of its files is the best of all.

    The decision stands beside the file that leads on the images, which need not be the one that is expected to gain most.
    """
    decided = decide(_evidence(answers))
    of: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place, one in enumerate(answers.candidates):
        of[one.method, one.source].append(place)
    rows = {}
    for key, places in of.items():
        best = max(places, key=lambda place: decided.gains.shrunk[place])
        numbers = {name: float(POINTS * getattr(decided.gains, one)[best]) for name, one in NUMBERS.items()}
        rows[key] = {
            "prompt_seed": answers.candidates[best].seed, **numbers, "chance_best": float(decided.best[places].sum()),
            "decision": decided.verdict if decided.leading in places else "",
        }  # fmt: skip
    return rows


NUMBERS = {"prompt_gain": "shrunk", "prompt_low": "low", "prompt_high": "high"}  # columns, and what they are in `Gains`
