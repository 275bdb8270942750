"""The scales on which a score can be read.

A scale maps scores (..., n), last axis = targets, to the same shape. `best` is the best score of each target over all
sources of the same seed, which only the paper's scale needs.
"""

from collections.abc import Callable, Mapping

import numpy as np

from promptatlas.analysis.statistics.matrices import Scores

PRIMARY = "logit_gain"
REACHED = 1e-9  # a smaller gap to the ceiling is none


def raw(score: np.ndarray, scores: Scores, best: np.ndarray) -> np.ndarray:
    """The metric as measured."""
    return score


def beyond_chance(score: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """``(s - c) / (1 - c)`` (..., n) with c (n,); NaN where guessing is perfect."""
    return (score - chance) / np.where(chance < 1, 1 - chance, np.nan)


def chance_corrected(score: np.ndarray, scores: Scores, best: np.ndarray) -> np.ndarray:
    """``(s - c) / (1 - c)``: 0 is guessing, 1 is perfect."""
    return beyond_chance(score, scores.chance)


def column_ratio(score: np.ndarray, scores: Scores, best: np.ndarray) -> np.ndarray:
    """``s / max over sources of the target's column``: the scale of the MVLPT paper's figure 4."""
    return score / best


def gain_points(score: np.ndarray, scores: Scores, best: np.ndarray) -> np.ndarray:
    """Points (of 100) gained over the target's zero-shot score."""
    return 100 * (score - scores.zero_shot)


def empirical_logit(score: np.ndarray, n_test: np.ndarray) -> np.ndarray:
    """``log((k + 1/2) / (n - k + 1/2))`` with k = s n hits; finite for 0 and 1.

    For metrics that are no count of hits (AUC, mean average precision) k is the score's share of n all the same.
    """
    hits = score * n_test
    return np.log((hits + 0.5) / (n_test - hits + 0.5))


def over_scratch(score: np.ndarray, scores: Scores, best: np.ndarray) -> np.ndarray:
    """Points (of 100) gained over the calibration row `scratch` of the same seed: (S, n, n) or (S, n)."""
    start = scores.calibration["scratch"]
    return 100 * (score - (start[:, None] if score.ndim == 3 else start))


def logit_gain(score: np.ndarray, scores: Scores, best: np.ndarray) -> np.ndarray:
    """Log odds of the score minus log odds of the target's zero-shot score: additive effects fit better here."""
    return empirical_logit(score, scores.n_test) - empirical_logit(scores.zero_shot, scores.n_test)


def gap_closed(score: np.ndarray, before: np.ndarray, ceiling: np.ndarray | float) -> np.ndarray:
    """``(s - z) / (u - z)``: 0 is the score z before transfer, 1 is the ceiling u; NaN where z reaches u.

    The Perfection Gap Factor of Sachdeva et al. (CVPR 2026, arXiv 2511.18787).
    """
    gap = ceiling - before
    return (score - before) / np.where(gap > REACHED, gap, np.nan)


def perfection_gap(score: np.ndarray, scores: Scores, best: np.ndarray) -> np.ndarray:
    """Share of the gap between the target's zero-shot score and 1 that is closed; NaN where the zero-shot score is 1."""
    return gap_closed(score, scores.zero_shot, 1.0)


def perfection_gap_probe(score: np.ndarray, scores: Scores, best: np.ndarray) -> np.ndarray:
    """The same with the linear probe's score of the target as the ceiling; NaN where zero-shot reaches it, or there is no probe."""
    return gap_closed(score, scores.zero_shot, scores.probe)


SCALES: dict[str, Callable[[np.ndarray, Scores, np.ndarray], np.ndarray]] = {
    function.__name__: function
    for function in (gain_points, over_scratch, logit_gain, chance_corrected, column_ratio, raw, perfection_gap, perfection_gap_probe)
}

# A gain in points differs from the raw score by a constant per target, so its relationship part is the same.
RESPONSES = ("logit_gain", "chance_corrected", "column_ratio", "raw", "perfection_gap", "perfection_gap_probe")
NEEDS_PROBE = ("perfection_gap_probe",)


def responses(scores: Scores) -> tuple[str, ...]:
    """Those of `RESPONSES` that there are: where no task has a linear probe, none needs one."""
    return RESPONSES if np.isfinite(scores.probe).any() else tuple(one for one in RESPONSES if one not in NEEDS_PROBE)


def best_of_column(score: np.ndarray) -> np.ndarray:
    """Best measured score of each target over all tasks as sources: (..., n, n) -> (..., n); NaN where none is measured."""
    filled = np.where(np.isnan(score), -np.inf, score).max(axis=-2)
    return np.where(np.isfinite(filled) & (filled > 0), filled, np.nan)


def matrix(scores: Scores, scale: str) -> np.ndarray:
    """All task x task cells on `scale`: (S, n, n)."""
    return SCALES[scale](scores.score, scores, best_of_column(scores.score)[:, None, :])


def shares_of_means(score: np.ndarray, rows: Mapping[str, np.ndarray]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Means over seeds of scores (S, n, n) and of rows (S, n), as shares of the best mean of the target: (n, n) and (n,).

    The matrix of the MVLPT paper's figure 4: there all 60 columns end at 1, which means of each seed's shares do only where all seeds
    have the same best source.
    """
    mean = seed_mean(score)
    best = best_of_column(mean)
    return mean / best, {source: seed_mean(row) / best for source, row in rows.items()}


def calibration_rows(scores: Scores, scale: str) -> dict[str, np.ndarray]:
    """The calibration rows on `scale`: source -> (S, n)."""
    best = best_of_column(scores.score)
    return {source: SCALES[scale](row, scores, best) for source, row in scores.calibration.items()}


def seed_mean(values: np.ndarray) -> np.ndarray:
    """Mean over the seeds that are there, (S, ...) -> (...); NaN where none is."""
    there = np.isfinite(values)
    count = there.sum(axis=0)
    return np.divide(np.where(there, values, 0).sum(axis=0), count, out=np.full(values.shape[1:], np.nan), where=count > 0)
