"""Delete-one-task jackknife intervals.

The unit that is deleted is a task, with its row and its column: cells that share a task are not independent, tasks are.
On Fisher's z it errs on the wide side: 98 to 99 % coverage at a nominal 95 % in simulations with 20 tasks.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.special import stdtrit

Numbers = np.ndarray | Sequence[float]
FEWEST_TASKS = 5


def without(values: np.ndarray, task: int | np.ndarray) -> np.ndarray:
    """(..., n, n) without the rows and the columns of one task, or of several: (..., n - 1, n - 1)."""
    return np.delete(np.delete(values, task, axis=-1), task, axis=-2)


def without_each(values: np.ndarray) -> np.ndarray:
    """(n, n) without each task in turn: (n, n - 1, n - 1)."""
    return np.stack([without(values, task) for task in range(len(values))])


def standard_error(left_out: np.ndarray) -> float:
    """Jackknife standard error from the n estimates with one task left out, (n,)."""
    n = len(left_out)
    return float(np.sqrt((n - 1) / n * ((left_out - left_out.mean()) ** 2).sum()))


def interval(estimate: Any, left_out: Numbers, level: float = 0.95) -> tuple[float, float]:
    """``estimate -+ t(n - 1) se``; NaN for fewer than five tasks or where an estimate is not finite."""
    others = np.asarray(left_out, dtype=float)
    if len(others) < FEWEST_TASKS or not np.isfinite([estimate, *others]).all():
        return float("nan"), float("nan")
    half = stdtrit(len(others) - 1, (1 + level) / 2) * standard_error(others)
    return float(estimate - half), float(estimate + half)


def correlation_interval(estimate: float, left_out: Numbers) -> tuple[float, float]:
    """The interval of a correlation, made on Fisher's z and turned back."""
    with np.errstate(divide="ignore"):
        low, high = interval(np.arctanh(estimate), np.arctanh(np.asarray(left_out, dtype=float)))
    return float(np.tanh(low)), float(np.tanh(high))


def share_interval(estimate: float, left_out: Numbers) -> tuple[float, float]:
    """The interval of a share in [0, 1], made on the angle arcsin(sqrt(share)), whose spread does not depend on the share, and turned back.

    On the share itself it held the truth in 89 to 95 of 100 simulated studies, on its log-odds in 86 to 99, since shares of zero have none.
    """
    low, high = interval(_angle(estimate), _angle(left_out))
    low, high = np.sin(np.clip([low, high], 0, np.pi / 2)) ** 2
    return float(low), float(high)


def _angle(share: float | Numbers) -> np.ndarray:
    return np.arcsin(np.sqrt(np.asarray(share, dtype=float)))


def leave_one_out(n: int, statistic: Callable[[int], float]) -> np.ndarray:
    """`statistic` of each task to leave out: (n,)."""
    return np.array([statistic(task) for task in range(n)], dtype=float)


def pseudo_values(gap: np.ndarray) -> np.ndarray:
    """What each task adds to the mean of (n, n), as source and as target: (n,), the jackknife's pseudo-values.

    Their mean is that of the matrix and their spread the jackknife's, so tasks stand in for cells that are not independent.
    """

    def mean(values: np.ndarray) -> float:
        there = np.isfinite(values)
        return float(values[there].mean()) if there.any() else np.nan

    n = len(gap)
    return n * mean(gap) - (n - 1) * leave_one_out(n, lambda task: mean(without(gap, task)))
