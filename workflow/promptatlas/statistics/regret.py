"""What it costs to pick sources by a measure instead of knowing the best. Knows nothing of tests.

The baseline to beat is `static_list`: the sources that were best on average for the *other* targets.
"""

from math import comb

import numpy as np

from promptatlas.statistics.relations import off_diagonal

ALIKE = 1e-12


def expected_best(scores: np.ndarray, ranked_by: np.ndarray, k: int) -> float:
    """Best of `scores` (m,) among the k ranked highest by `ranked_by` (m,), on average over random orders of ties.

    Sources above the k-th rank value are in for certain; of the b that tie at it, r places are filled at random, and the
    s-th best of b is the best chosen with probability C(b - s, r - 1) / C(b, r). All tied: the expected best of k random.
    """
    k = min(k, len(scores))
    threshold = np.sort(ranked_by)[-k]
    certain, tied = scores[ranked_by > threshold], np.sort(scores[ranked_by == threshold])[::-1]
    places = k - len(certain)
    floor = certain.max(initial=-np.inf)
    chance = [comb(len(tied) - s, places - 1) / comb(len(tied), places) for s in range(1, len(tied) - places + 2)]
    return float(np.maximum(tied[: len(chance)], floor) @ chance)


def regrets(scores: np.ndarray, predicted: np.ndarray, k: int) -> np.ndarray:
    """Per target (n,): best source's score minus the best among the k that `predicted` (n, n) ranks highest.

    Sources whose score or prediction is missing are not candidates; NaN for a target without candidates.
    """
    scores, predicted = off_diagonal(scores), off_diagonal(predicted)
    values = np.full(len(scores), np.nan)
    for target in range(len(scores)):
        there = np.isfinite(scores[:, target]) & np.isfinite(predicted[:, target])
        if there.any():
            column = scores[there, target]
            values[target] = column.max() - expected_best(column, predicted[there, target], k)
    return values


def differing(scores: np.ndarray) -> np.ndarray:
    """Which targets (n,) have sources that differ by more than rounding: to pick one of equals costs nothing."""
    scores = off_diagonal(scores)
    there = np.isfinite(scores)
    best, worst = np.where(there, scores, -np.inf).max(axis=0), np.where(there, scores, np.inf).min(axis=0)
    return best - worst > ALIKE * np.abs(scores[there]).max(initial=0.0)


def static_list(scores: np.ndarray) -> np.ndarray:
    """Predictions (n, n) that ignore the target: mean standardised score of each source over all *other* targets.

    Targets whose sources are all alike tell nothing of sources and are left out.
    """
    scores = off_diagonal(scores)
    spread = np.where(differing(scores), np.nanstd(scores, axis=0), np.nan)
    standard = (scores - np.nanmean(scores, axis=0)) / spread
    n = len(scores)
    predicted = np.empty((n, n))
    for target in range(n):
        others = np.delete(standard, target, axis=1)
        count = np.isfinite(others).sum(axis=1)
        predicted[:, target] = np.divide(np.nansum(others, axis=1), count, out=np.full(n, np.nan), where=count > 0)
    return predicted


def no_preference(scores: np.ndarray) -> np.ndarray:
    """Predictions (n, n) that rank all sources alike: the random control."""
    return np.zeros_like(scores)
