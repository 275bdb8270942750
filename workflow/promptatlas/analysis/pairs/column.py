"""What all sources' prompts answer on one target: scores of all seeds, and right answers where cells hold them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from promptatlas.analysis.pairs.images import WeightedImages
from promptatlas.study.protocols import SCRATCH

PAIR, OWN = "pair", "own"  # kinds of rows
HAND, UNTUNED = "", "untuned_"  # how columns of the table begin that compare with the zero-shot and with the untuned prompt
IMAGES, BOTH = "images", "images and seeds"  # what intervals count


@dataclass(frozen=True)
class Column:
    """K sources, S seeds and N test images of one target in one protocol and method.

    scores: (K, S) of 0..1, NaN where there is none; zero_shot: the zero-shot prompt's; right: (K, S, N) bool, reference: (N,) that of
    the zero-shot prompt; images: how they count; these are None where nothing is known of single images. answered: (K,) of which sources
    all measured seeds have right answers. tasks: names of sources that are tasks; others are rows beside them. reasons: (K,) what a source
    lacks, in words, "" if nothing. seeds: their numbers, where these are not 1 to S.
    """

    protocol: str
    method: str
    target: str
    metric: str
    n_test: int
    sources: tuple[str, ...]
    tasks: frozenset[str]
    scores: np.ndarray
    zero_shot: float
    answered: np.ndarray
    reasons: tuple[str, ...]
    images: WeightedImages | None = None
    right: np.ndarray | None = None
    reference: np.ndarray | None = None
    seeds: tuple[int, ...] = ()

    @property
    def kinds(self) -> tuple[str, ...]:
        """Of each source: the prompt of another task, the target's own, or, by its name, a row beside the tasks."""
        return tuple(OWN if one == self.target else PAIR if one in self.tasks else one for one in self.sources)

    @property
    def seed_numbers(self) -> tuple[int, ...]:
        return self.seeds or tuple(range(1, self.scores.shape[1] + 1))

    @property
    def own(self) -> int | None:
        return self._place(self.target)

    @property
    def untuned(self) -> int | None:
        return self._place(SCRATCH)

    @property
    def best(self) -> int | None:
        """The other task whose prompts score best, mean over seeds, of those that are measured in most seeds."""
        seeds = np.isfinite(self.scores).sum(axis=1) * np.array([kind == PAIR for kind in self.kinds])
        if not seeds.any():
            return None
        return int(np.argmax([row.mean() if count == seeds.max() else -1.0 for row, count in zip(self.scores, seeds, strict=True)]))

    def _place(self, source: str) -> int | None:
        return self.sources.index(source) if source in self.sources else None
