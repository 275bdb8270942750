"""Evidence on one target: what a few labelled images say of candidate prompts and, where it has been measured, what is true of them.

Knows nothing of files, of models, or of how contributions are made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from promptatlas.base.errors import UserError


class Candidate(NamedTuple):
    """A prompt file: the method and the source task that it was trained with, and the seed."""

    method: str
    source: str
    seed: int


@dataclass(frozen=True)
class Evidence:
    """P candidate prompts, used as they are on the same N labelled images of `target`, beside the zero-shot prompt.

    contributions: (P, N), whose mean over images is the score of a candidate on these images (accuracy: 1 where it is right, else
    0); a row of a candidate that failed is NaN throughout. reference: (N,), the same of the zero-shot prompt; untuned: (N,), the same
    of an untuned prompt, None where there is none. labels: (N,) class numbers or (N, C) marks.
    draw: the seed that the images were drawn with; shots: how many per class were asked for. None where nobody drew.
    measures: by name (P,), what else is known of the candidates, larger = better; NaN where a measure has no value.
    truth: (P,) scores on the test images, 0 to 1, NaN where none is known; reference_truth, untuned_truth: those of the other two.
    Only book-keeping looks at truth. UserError where shapes do not agree.
    """

    target: str
    candidates: tuple[Candidate, ...]
    contributions: np.ndarray
    reference: np.ndarray
    labels: np.ndarray
    draw: int | None = None
    shots: int | None = None
    untuned: np.ndarray | None = None
    measures: Mapping[str, np.ndarray] = field(default_factory=dict)
    truth: np.ndarray | None = None
    reference_truth: float = float("nan")
    untuned_truth: float = float("nan")

    def __post_init__(self) -> None:
        count, images = len(self.candidates), len(self.labels)
        self._require(images > 0, "there is no labelled image; give at least one per class")
        self._require(count > 0, "there is no candidate prompt; name a study or a folder that has some")
        wanted = {"contributions": (count, images), "reference": (images,), "untuned": (images,), "truth": (count,)}
        for name, shape in wanted.items():
            array = getattr(self, name)
            if array is not None:
                self._require(np.shape(array) == shape, f"{name} has the shape {np.shape(array)} in place of {shape}")
        for name, values in self.measures.items():
            self._require(np.shape(values) == (count,), f"measure {name!r} has the shape {np.shape(values)} in place of {(count,)}")
        self._require(len(set(self.candidates)) == count, "a candidate is listed twice; give each prompt once")
        self._require(bool(np.isfinite(self.reference).all()), "the zero-shot prompt has no score on some images")
        there = np.isfinite(self.contributions)
        self._require(bool((there.all(axis=1) | ~there.any(axis=1)).all()), "a candidate has a score on some images only")

    def _require(self, holds: bool, otherwise: str) -> None:
        if not holds:
            raise UserError(f"choice for target {self.target!r}: {otherwise}")

    @property
    def usable(self) -> np.ndarray:
        """(P,) whether a candidate has scores: one that failed has none."""
        return np.isfinite(self.contributions).all(axis=1)

    @property
    def differences(self) -> np.ndarray:
        """(P, N) contributions above those of the zero-shot prompt on the same images."""
        return self.contributions - self.reference

    def among(self, index: np.ndarray) -> Evidence:
        """The same with the candidates number `index` only, or those that a mask (P,) marks."""
        index = np.arange(len(self.candidates))[index]
        return replace(
            self,
            candidates=tuple(self.candidates[one] for one in index),
            contributions=self.contributions[index],
            measures={name: values[index] for name, values in self.measures.items()},
            truth=None if self.truth is None else self.truth[index],
        )

    @property
    def methods(self) -> tuple[str, ...]:
        """Methods of the candidates, sorted."""
        return tuple(sorted({one.method for one in self.candidates}))

    @property
    def sources(self) -> np.ndarray:
        """(P,) the task that each candidate was trained on."""
        return np.array([one.source for one in self.candidates])

    @property
    def seeds(self) -> np.ndarray:
        """(P,) the seed of each candidate."""
        return np.array([one.seed for one in self.candidates])

    def without(self, source: str) -> Evidence:
        """The same without the candidates that were trained on a task. UserError if none is left."""
        return self.among(self.sources != source)


def together(parts: Sequence[Evidence]) -> Evidence:
    """The candidates of all parts, which are evidence on the same images of a target, as one choice. UserError if they are not."""
    first = parts[0]
    for part in parts:
        same = part.target == first.target and np.array_equal(part.labels, first.labels) and np.array_equal(part.reference, first.reference)
        first._require(same, "evidence on other images cannot be joined")
    names = dict.fromkeys(name for part in parts for name in part.measures)
    missing = [np.full(len(part.candidates), np.nan) for part in parts]
    truths = [gap if part.truth is None else part.truth for part, gap in zip(parts, missing, strict=True)]
    return replace(
        first,
        candidates=tuple(one for part in parts for one in part.candidates),
        contributions=np.concatenate([part.contributions for part in parts]),
        measures={name: np.concatenate([part.measures.get(name, gap) for part, gap in zip(parts, missing, strict=True)]) for name in names},
        truth=np.concatenate(truths) if any(part.truth is not None for part in parts) else None,
    )
