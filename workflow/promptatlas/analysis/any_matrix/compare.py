"""Two matrices of the same tasks: which is higher, and do they agree on who gives, who receives and who helps whom?

Over the pairs of different tasks that both have, means over seeds. The intervals leave out one task at a time, as source and as target.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from promptatlas.analysis.any_matrix.given import GivenMatrix
from promptatlas.analysis.any_matrix.scales import MatrixScale
from promptatlas.analysis.statistics import masked
from promptatlas.analysis.statistics.contrasts import named, pairs
from promptatlas.analysis.statistics.jackknife import correlation_interval, interval, leave_one_out, without
from promptatlas.analysis.statistics.relations import FEWEST_TASKS, effects, usable
from promptatlas.analysis.statistics.scales import seed_mean

COLUMNS = ("method", "protocol", "what", "estimate", "low", "high", "n_tasks", "n_cells")


def comparison(matrices: Sequence[GivenMatrix], scale: MatrixScale) -> pd.DataFrame:
    """Rows by pair and `what`: `difference` (mean of first minus second, on the scale), `higher` (share of the pairs on which the first is
    higher, ties counted half), `rank_correlation` (of all scores), and `giving` and `receiving` (correlation of effects); the agreement of
    "who helps whom" is in the table `statistics`. What cannot be estimated is NaN."""
    rows = [named(a, b) | row for a, b in pairs(matrices) for row in _rows(seed_mean(scale.matrix(a)), seed_mean(scale.matrix(b)))]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _rows(one: np.ndarray, other: np.ndarray) -> Iterator[dict]:
    one, other = masked.alike(one, other)
    gap = one - other
    count = {"n_tasks": len(one), "n_cells": int(np.isfinite(gap).sum())}
    if not count["n_cells"]:
        return
    low, high = interval(np.nanmean(gap), leave_one_out(len(gap), lambda task: _mean(without(gap, task))))
    yield {"what": "difference", "estimate": np.nanmean(gap), "low": low, "high": high} | count
    there = np.isfinite(gap)
    share = ((gap[there] > 0) + 0.5 * (gap[there] == 0)).mean()
    yield {"what": "higher", "estimate": share, "low": np.nan, "high": np.nan} | count
    varies = np.ptp(one[there]) > 0 and np.ptp(other[there]) > 0
    rank = spearmanr(one[there], other[there]).statistic if varies else np.nan
    yield {"what": "rank_correlation", "estimate": rank, "low": np.nan, "high": np.nan} | count
    keep = usable(one, other)
    if len(keep) < FEWEST_TASKS:
        return
    part = np.ix_(keep, keep)
    both = one[part], other[part]
    for what, field in (("giving", "source"), ("receiving", "target")):
        value = _of_effects(*both, field)
        left_out = [_of_effects(without(both[0], task), without(both[1], task), field) for task in range(len(keep))]
        low, high = correlation_interval(value, left_out)
        yield {"what": what, "estimate": value, "low": low, "high": high, "n_tasks": len(keep), "n_cells": int(np.isfinite(both[0]).sum())}


def _of_effects(one: np.ndarray, other: np.ndarray, field: str) -> float:
    """Correlation of source or target effects of two matrices (n, n) with the same cells."""
    if len(usable(one)) < max(len(one), FEWEST_TASKS):
        return np.nan
    left, right = (getattr(effects(values), field) for values in (one, other))
    lengths = np.linalg.norm(left) * np.linalg.norm(right)
    return float(np.clip(left @ right / lengths, -1, 1)) if lengths > 0 else np.nan


def _mean(values: np.ndarray) -> float:
    there = np.isfinite(values)
    return float(values[there].mean()) if there.any() else np.nan
