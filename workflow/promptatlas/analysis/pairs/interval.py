"""Intervals and p of mean differences that vary by images and by seeds.

Each part has a t quantile with the degrees of freedom of its own, and the squares of the half widths are added (MOVER, Zou & Donner
2008), as in `analysis/statistics/crossed`. p is 1 less the level at which the interval ends at 0.
"""

from __future__ import annotations

import numpy as np
from scipy.special import stdtrit

from promptatlas.analysis.pairs.moderated import Prior
from promptatlas.analysis.pairs.parts import VariedBy

LEVEL = 0.95
SMALLEST = 1e-15  # p below it count as it
STEPS = 60


class Uncertain:
    """Intervals of `found` with seeds of which `prior` knows how they vary. Where it knows nothing, and there is one seed, images
    alone count."""

    def __init__(self, found: VariedBy, prior: Prior) -> None:
        variance, self.freedom = prior.moderated(found.between, np.maximum(found.seeds - 1, 0))
        with np.errstate(invalid="ignore", divide="ignore"):
            self.of_seeds = np.where(self.freedom > 0, variance / found.seeds, 0.0)
        self.centre = found.gain * found.images / (found.images + 2)  # with the two images that are added
        self.shared, self.images = found.shared, found.images
        self.counts_seeds = self.freedom > 0

    def interval(self, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
        """low and high, (K,) each, within -1 and 1; NaN where nothing was measured."""
        half = np.sqrt(self._squares(np.full(len(self.centre), 1 - level)))
        return np.maximum(self.centre - half, -1), np.minimum(self.centre + half, 1)

    def p(self) -> np.ndarray:
        """Two-sided (K,)."""
        low, high = np.full((2, len(self.centre)), np.log(SMALLEST))
        high = high * 0
        for _ in range(STEPS):
            middle = (low + high) / 2
            outside = self.centre**2 > self._squares(np.exp(middle))
            low, high = np.where(outside, low, middle), np.where(outside, middle, high)
        return np.where(np.isfinite(self.centre), np.exp(high), np.nan)

    def _squares(self, alpha: np.ndarray) -> np.ndarray:
        """Of the half width (K,) of intervals of level 1 - alpha (K,)."""
        by_seeds = np.where(self.counts_seeds, stdtrit(np.where(self.counts_seeds, self.freedom, 1.0), alpha / 2) ** 2, 0.0)
        return np.asarray(stdtrit(self.images + 1, alpha / 2) ** 2 * self.shared + by_seeds * self.of_seeds)
