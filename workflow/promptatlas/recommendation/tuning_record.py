"""What tuning on a few labelled images was worth where it was measured: on the embedded tasks, the prompts of the default study being
candidates (docs/tune_mini.json, docs/choice_mini.json). No study keeps book of it, so that these numbers serve all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from promptatlas.base.messages import counted
from promptatlas.methods import words

STARTS, TASKS, SHOTS = 3, 20, 16
WHERE = f"on the {TASKS} embedded tasks with {SHOTS} labelled images per class"


@dataclass(frozen=True)
class Difference:
    """In points, the mean over tasks with its 95 % interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:+.1f} ({self.low:+.1f} to {self.high:+.1f})"


@dataclass(frozen=True)
class Worth:
    """Of one method. tuned: what `--tune 3` left, over the zero-shot prompt; as_it_is: the same of the prompt as it is, or none;
    starts: the best of three candidates and an untrained one, all tuned, over the best of four untrained ones, tuned as long; draws: of
    images that were tuned on.
    """

    tuned: Difference
    as_it_is: Difference
    starts: Difference
    draws: int


MEASURED = {
    "coop": Worth(Difference(18.7, 12.9, 24.5), Difference(7.3, 0.7, 14.0), Difference(0.1, -1.1, 1.2), 3),
    "vpt": Worth(Difference(21.3, 14.6, 28.0), Difference(6.1, -0.1, 12.3), Difference(1.8, -0.4, 4.0), 3),
    "upt": Worth(Difference(23.2, 16.2, 30.2), Difference(10.0, 3.5, 16.5), Difference(2.6, 0.2, 5.1), 3),
}
VERDICTS = (
    ("prompts of other tasks are better starts than untrained ones with {}", lambda one: one.low > 0),
    ("untrained prompts are better starts than those of other tasks with {}", lambda one: one.high < 0),
    ("where tuning starts makes no difference that can be told with {}", lambda one: one.low <= 0 <= one.high),
)


def lines(methods: Iterable[str], tuned: bool) -> list[str]:
    """What is better here: the prompts as they are or tuned ones and, once `tuned`, whether candidates are better starts than untrained
    prompts; a line on each method below it. Nothing of methods that were not measured.
    """
    asked = set(methods)
    known = {method: one for method, one in MEASURED.items() if method in asked}
    return (_starts if tuned else _whether)(known) if known else []


def _whether(known: Mapping[str, Worth]) -> list[str]:
    better = all(one.tuned.low > one.as_it_is.mean for one in known.values())
    verdict = f"tuning (--tune {STARTS}) is better than a prompt as it is" if better else f"what tuning (--tune {STARTS}) was worth"
    gains = [f"  {_title(method)}: tuned {one.tuned}, as it is {one.as_it_is}" for method, one in known.items()]
    return [f"{verdict}: {WHERE} points over the zero-shot prompt were, with 95 % intervals", *gains]


def _starts(known: Mapping[str, Worth]) -> list[str]:
    several = [(told, [_title(method) for method, one in known.items() if holds(one.starts)]) for told, holds in VERDICTS]
    verdict = "; ".join(told.format(" and ".join(names)) for told, names in several if names)
    gains = [f"  {_title(method)}: {one.starts}, {counted(one.draws, 'draw')}" for method, one in known.items()]
    return [
        f"{verdict}: {WHERE} the best of {STARTS} prompts and an untrained one, all tuned, had over the best of {STARTS + 1} untrained "
        "ones, tuned as long, points with 95 % intervals",
        *gains,
    ]


def _title(method: str) -> str:
    return words()[method]["title"]
