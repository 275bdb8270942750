"""One order of the tasks for all heatmaps.

Rows and columns are the same tasks and all methods are to be compared, so there is one order: optimal leaf ordering
(Bar-Joseph et al. 2001) of an average-linkage tree on 1 - correlation of the tasks' giving and receiving profiles.
"""

from collections.abc import Sequence

import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from promptatlas.analysis.statistics.matrices import Scores
from promptatlas.analysis.statistics.permutation import residual
from promptatlas.analysis.statistics.relations import FEWEST_TASKS, usable
from promptatlas.analysis.statistics.scales import PRIMARY, matrix, seed_mean


def profiles(residuals: Sequence[np.ndarray]) -> np.ndarray:
    """(n, 2 n M): what each task gives (row) and receives (column) in each of M residual matrices (n, n)."""
    return np.concatenate([part for one in residuals for part in (one, one.T)], axis=1)


def seriate(residuals: Sequence[np.ndarray]) -> np.ndarray:
    """Order (n,) of the tasks that puts those with like profiles next to each other."""
    rows = profiles(residuals)
    centred = rows - rows.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    unit = centred / np.where(length > 0, length, 1)
    distance = np.clip(1 - unit @ unit.T, 0, 2)
    np.fill_diagonal(distance, 0)
    return leaves_list(linkage(squareform(distance, checks=False), "average", optimal_ordering=True))


def common_order(collected: Sequence[Scores]) -> list[str]:
    """Task names in the common order of all methods and protocols; at the end those with too few cells to compare.

    All by name where fewer than four can be compared.
    """
    return order_by(collected[0].tasks, [seed_mean(matrix(scores, PRIMARY)) for scores in collected])


def order_by(tasks: Sequence[str], means: Sequence[np.ndarray]) -> list[str]:
    """The same from matrices (n, n) of the `tasks`, of whatever scale."""
    names = list(tasks)
    means = [mean for mean in means if len(usable(mean)) >= FEWEST_TASKS]
    keep = usable(*means) if means else np.arange(0)
    if len(keep) < FEWEST_TASKS:
        return names
    residuals = [residual(mean[np.ix_(keep, keep)]) for mean in means]
    residuals = [left for left in residuals if np.isfinite(left).all()]
    ordered = [names[index] for index in (keep[seriate(residuals)] if residuals else keep)]
    return ordered + [name for name in names if name not in ordered]
