"""McNemar's test of two prompts on the same images, and of several pairs of prompts, one of each seed, on the same images.

Whether these prompts differ on other images of the kind: seeds that would give other prompts do not count here.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr
from scipy.stats import binom

from promptatlas.analysis.pairs.images import WeightedImages

MOST_EXACT = 400  # images on which answers differ: from there on the normal distribution is as good


def mcnemar(right: np.ndarray, reference: np.ndarray, there: np.ndarray, images: WeightedImages) -> np.ndarray:
    """Two-sided mid-p (K,) of right answers (K, S, N) against those of a reference that broadcasts to them; NaN where no seed is `there`.

    The differences of an image, summed over seeds, have either sign with the same probability if the prompts answer alike: with one seed
    McNemar's test (Fagerland et al. 2013 on mid-p), with several the images are its clusters (Durkalski et al. 2003). Where images count
    alike and few differ, all signs are counted, exactly; otherwise the sum of the differences over the root of their squares is normal.
    """
    summed = np.where(there[:, :, None], np.subtract(right, reference, dtype=np.int64), 0).sum(axis=1)
    if (images.weights == 1).all():
        differ = (summed != 0).sum(axis=1)
        p = np.array([_exact(one) if count <= MOST_EXACT else np.nan for one, count in zip(summed, differ, strict=True)], dtype=np.float64)
        p = np.where(np.isnan(p), _normal(summed.astype(np.float64)), p)
    else:
        p = _normal(summed * images.weights)
    return np.where(there.any(axis=1), p, np.nan)


def _normal(summed: np.ndarray) -> np.ndarray:
    """(K,) from (K, N)."""
    squares = (summed**2).sum(axis=1)
    return np.where(squares > 0, 2 * ndtr(-np.abs(summed.sum(axis=1)) / np.sqrt(np.where(squares > 0, squares, 1))), 1.0)


def _exact(summed: np.ndarray) -> float:
    """From integers (N,): how likely a sum as far from 0 is when all signs are, one that is as far counting half."""
    sizes = np.bincount(np.abs(summed))
    chances, steps = np.ones(1), 0
    for size, count in enumerate(sizes[1:], start=1):
        if count:
            own = np.zeros(size * count + 1)
            own[::size] = binom.pmf(np.arange(count + 1), count, 0.5)
            chances, steps = np.convolve(chances, own), steps + size * count
    observed = (steps + int(summed.sum())) // 2  # sum of the sizes of those that are positive
    at = min(observed, steps - observed)
    return float(min(2 * chances[:at].sum() + chances[at], 1.0))
