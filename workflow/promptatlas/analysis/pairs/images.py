"""How the test images of a target count in its metric. Knows nothing of prompts, cells or seeds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class WeightedImages:
    """N images with weights (N,) of mean 1, such that the weighted mean of right answers is the score, in groups (N,), numbered, whose
    sizes are no matter of chance: one group of all, or the classes where all count alike."""

    weights: np.ndarray
    groups: np.ndarray

    @classmethod
    def alike(cls, count: int) -> WeightedImages:
        """Of a metric that is the mean over images."""
        return cls(np.ones(count), np.zeros(count, dtype=np.int64))

    @classmethod
    def by_class(cls, labels: np.ndarray) -> WeightedImages:
        """Of a metric that is the mean over the classes that have images, from class numbers (N,)."""
        sizes = np.bincount(labels)
        return cls(len(labels) / ((sizes > 0).sum() * sizes[labels]), labels)

    def __len__(self) -> int:
        return len(self.weights)

    def mean(self, values: np.ndarray) -> np.ndarray:
        """(...) of (..., N)."""
        return np.asarray(values @ self.weights / len(self))

    def squares(self, values: np.ndarray) -> np.ndarray:
        """Weighted squares about the means of the groups, (...) of (..., N), each group of n times n / (n - 1); over N ** 2 they are the
        variance of the mean over other images of the same groups. Of a group of one image nothing tells what another would be: it counts
        from 0, which claims too little rather than too much."""
        sizes = np.bincount(self.groups)
        spare = np.where(sizes > 1, sizes / np.maximum(sizes - 1, 1), 1.0)[self.groups]
        about_zero = values**2 @ (self.weights**2 * spare)
        several = np.flatnonzero(sizes[self.groups] > 1)
        if not len(several):
            return np.asarray(about_zero)
        order = several[np.argsort(self.groups[several], kind="stable")]
        starts = np.flatnonzero(np.diff(self.groups[order], prepend=-1))
        sums = np.add.reduceat((values * (self.weights * np.sqrt(spare)))[..., order], starts, axis=-1)
        return np.maximum(about_zero - (sums**2 / sizes[self.groups[order[starts]]]).sum(axis=-1), 0.0)
