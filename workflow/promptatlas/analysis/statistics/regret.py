"""What it costs to pick sources by a measure instead of knowing the best, and whether it picks better than a list.

The baseline to beat is `static_list`: the sources that were best on average for the *other* targets.
"""

from functools import cache
from math import comb

import numpy as np
from scipy.special import stdtr

from promptatlas.analysis.statistics.permutation import TOLERANCE, is_exact
from promptatlas.analysis.statistics.relations import off_diagonal

ALIKE = 1e-12
MOST_CELLS = 2_000_000  # of all renamed predictions that are in memory at a time


def regrets(scores: np.ndarray, predicted: np.ndarray, k: int) -> np.ndarray:
    """Per target: best source's score minus the best among the k that `predicted` ranks highest; (..., n, n) -> (..., n)."""
    return regrets_of_columns(off_diagonal(scores), off_diagonal(predicted), k)


def regrets_of_columns(scores: np.ndarray, predicted: np.ndarray, k: int) -> np.ndarray:
    """Per column: best score minus the best among the k that `predicted` ranks highest; (..., P, n) -> (..., n).

    What has no score or no prediction is not a candidate; NaN for a column without candidates. Both may be stacks.
    Orders of ties are averaged over: sources above the k-th rank value are in for certain, and of the b that tie at it r places
    are filled at random. The s best sources are all left out with probability 0 if one of them is in for certain, else
    C(b - t, r) / C(b, r), where t of them tie; differences of these chances weigh the scores. All tied: the best of k random.
    """
    scores, predicted = np.broadcast_arrays(scores, predicted)
    there = np.isfinite(scores) & np.isfinite(predicted)
    count = there.sum(axis=-2, keepdims=True)
    order = np.argsort(np.where(there, -scores, np.inf), axis=-2, kind="stable")
    scores, ranked, there = (
        np.take_along_axis(one, order, axis=-2) for one in (np.where(there, scores, -np.inf), np.where(there, predicted, -np.inf), there)
    )
    chosen = np.minimum(k, count)
    threshold = np.take_along_axis(-np.sort(-ranked, axis=-2), np.maximum(chosen - 1, 0), axis=-2)
    certain, tied = there & (ranked > threshold), there & (ranked == threshold)
    ties, places = tied.sum(axis=-2, keepdims=True), chosen - certain.sum(axis=-2, keepdims=True)
    ways = _ways(scores.shape[-2], k)
    out = np.where(certain.cumsum(axis=-2) > 0, 0.0, ways[ties - tied.cumsum(axis=-2), places] / ways[ties, places])
    chance = -np.diff(out, axis=-2, prepend=1.0)
    lost = np.where(there, scores[..., :1, :] - np.where(there, scores, 0.0), 0.0)
    return np.where(count[..., 0, :] > 0, (lost * chance).sum(axis=-2), np.nan)


@cache
def _ways(n: int, k: int) -> np.ndarray:
    """C(a, b) for a in 0..n and b in 0..k as floats: (n + 1, k + 1)."""
    return np.array([[float(comb(a, b)) for b in range(k + 1)] for a in range(n + 1)])


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
    known = np.isfinite(standard)
    sums, counts = np.nansum(standard, axis=1, keepdims=True) - np.nan_to_num(standard), known.sum(axis=1, keepdims=True) - known
    return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)


def no_preference(scores: np.ndarray) -> np.ndarray:
    """Predictions (n, n) that rank all sources alike: the random control."""
    return np.zeros_like(scores)


def outdone(scores: np.ndarray, predicted: np.ndarray, rival: np.ndarray, k: int, orders: np.ndarray) -> float:
    """p (one-sided) that `predicted` loses no less than `rival` at k, all (n, n); small where it picks better sources.

    Targets are not independent: many share the rival's favourite, and the static list is chosen by the targets it is tried on.
    Flipping signs target by target therefore rejects in 18 to 29 of 100 cases instead of 5, and leaving out one task at a time
    hardly ever, as the best source jumps. So this is the larger of two p. One renames the tasks of `predicted` by `orders`
    (R, n): exact where it has nothing to do with the scores. The other is a t over targets with the variance of a score that is
    left out in turn, (1/n + 1/(n - 1)) s^2 (Nadeau & Bengio 2003): near its level where both know as much.
    """
    differences = _differences(scores, predicted, rival, k)
    there = np.isfinite(differences)
    n, observed = int(there.sum()), float(differences[there].mean()) if there.any() else np.nan
    if n < 2:
        return np.nan
    null = np.concatenate([
        np.nanmean(_differences(scores, predicted[some[:, :, None], some[:, None, :]], rival, k), axis=-1)
        for some in np.array_split(orders, min(len(orders), 1 + len(orders) * scores.size // MOST_CELLS))
    ])  # fmt: skip
    as_good = (null <= observed + TOLERANCE * np.abs(null).max(initial=1.0)).sum()
    by_name = as_good / len(null) if is_exact(orders) else (1 + as_good) / (len(null) + 1)
    error = differences[there].std(ddof=1) * np.sqrt(1 / n + 1 / (n - 1))
    by_target = float(stdtr(n - 1, observed / error)) if error > 0 else float(observed >= 0)
    return max(float(by_name), by_target)


def _differences(scores: np.ndarray, predicted: np.ndarray, rival: np.ndarray, k: int) -> np.ndarray:
    """Regret by `predicted` (..., n, n) minus that by `rival`, among the sources that `predicted` has a value for: (..., n)."""
    complete = np.isfinite(off_diagonal(predicted)).sum(axis=(-2, -1)).min() == len(scores) * (len(scores) - 1)
    own = scores if complete else np.where(np.isfinite(predicted), scores, np.nan)
    return regrets(own, predicted, k) - regrets(own, rival, k)
