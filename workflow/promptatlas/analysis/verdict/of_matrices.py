"""The verdict of given matrices, which have a baseline or none, and no intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from promptatlas.analysis.any_matrix.given import GivenMatrix
from promptatlas.analysis.any_matrix.scales import MatrixScale
from promptatlas.analysis.statistics.scales import seed_mean
from promptatlas.analysis.verdict.holding import NAMED, Compared
from promptatlas.analysis.verdict.record import gains, record, whole

BASELINE = "baseline"


def of_matrices(matrices: Sequence[GivenMatrix], scale: MatrixScale, summary: Mapping[str, Any]) -> dict[str, Any]:
    """The key `verdict`. scale: that of headlines; summary: what is in summary.json besides."""
    factor = 100 if scale.unit == "%" else 1  # shares are told in points
    by_method = [_of_matrix(one, scale, summary, factor) for one in matrices]
    unit, headline = "points" if summary["unit"] == "share" else "", "points" if scale.unit == "%" else scale.unit
    return whole(by_method, gains(summary["contrasts"], scale.name, factor), unit, headline)


def _of_matrix(one: GivenMatrix, scale: MatrixScale, summary: Mapping[str, Any], factor: int) -> dict[str, Any]:
    seeds = np.isfinite(one.score).any(axis=(1, 2))
    based = bool(np.isfinite(one.baseline).any())
    share = 100 if summary["unit"] == "share" else 1
    gain = share * (one.score - one.baseline[:, None])[seeds] if based else factor * scale.matrix(one)[seeds]
    there = np.isfinite(gain).all(axis=0) & ~np.eye(len(one.tasks), dtype=bool) & seeds.any()
    every = [Compared.alone(BASELINE, gain)] if based else []
    found = record(one, every, there, summary) | {"counts_seeds": False, "n_separable": None}
    if not based and there.any():
        found["highest"] = _highest(gain, there, one.tasks)
    return found


def _highest(values: np.ndarray, there: np.ndarray, tasks: Sequence[str]) -> list[dict[str, Any]]:
    """The pairs with the highest means over seeds of (S, n, n), where nothing says whether they help."""
    mean = np.where(there, seed_mean(values), -np.inf)
    order = np.argsort(-mean, axis=None, kind="stable")[: min(NAMED, int(there.sum()))]
    places = [np.unravel_index(place, mean.shape) for place in order]
    return [{"source": tasks[source], "target": tasks[target], "mean": float(mean[source, target])} for source, target in places]
