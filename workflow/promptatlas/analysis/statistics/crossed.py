"""Intervals of a mean over tasks that are crossed with seeds.

The mean of ``m + a_t + b_s + e_ts`` varies by ``var(a)/T + var(b)/S + var(e)/TS``. The variance of the tasks' means over T
holds the first and the third of these, that of the seeds' means over S the second and the third. Each makes a t interval with
the degrees of freedom of its own, and the squares of the two half widths are added (as MOVER does, Zou & Donner 2008). One
pooled t with Satterthwaite's degrees of freedom is narrower, but with two seeds it holds the truth in 87 to 97 of 100 cases
rather than 95, since it takes a small difference of two seeds at its word; `promptatlas calibrate` shows what this one holds.
"""

import math

import numpy as np
from scipy.special import stdtrit

FEWEST_TASKS = 3
LEVEL = 0.95


def crossed_interval(values: np.ndarray, level: float = LEVEL) -> tuple[float, float]:
    """Interval of the mean over tasks of values (T, S), NaN where one is missing; tasks and seeds are both random.

    A task's mean is that over its seeds. NaN for fewer than three tasks with a value, and for one seed: what all tasks of a
    seed have in common cannot be told from it.
    """
    values = values[np.isfinite(values).any(axis=1)][:, np.isfinite(values).any(axis=0)]
    tasks, seeds = values.shape
    if tasks < FEWEST_TASKS or seeds < 2:
        return math.nan, math.nan
    there = np.isfinite(values)
    weights = there / there.sum(axis=1, keepdims=True) / tasks
    mean = float((weights * np.where(there, values, 0)).sum())
    pulls = weights * np.where(there, values - mean, 0)
    squares = [_t(count, level) ** 2 * count / (count - 1) * (pulls.sum(axis=axis) ** 2).sum() for count, axis in ((tasks, 1), (seeds, 0))]
    half = math.sqrt(sum(squares))
    return mean - half, mean + half


def over_tasks(values: np.ndarray, level: float = LEVEL) -> tuple[float, float]:
    """t interval of the mean of values (T,) that have no seed; NaN for fewer than three tasks."""
    values = values[np.isfinite(values)]
    if len(values) < FEWEST_TASKS:
        return math.nan, math.nan
    half = _t(len(values), level) * values.std(ddof=1) / math.sqrt(len(values))
    return float(values.mean() - half), float(values.mean() + half)


def _t(count: int, level: float) -> float:
    return float(stdtrit(count - 1, (1 + level) / 2))
