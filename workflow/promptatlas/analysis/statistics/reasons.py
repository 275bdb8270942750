"""Why something has no estimate, in words for tables and pages."""

from collections.abc import Sequence

import numpy as np

from promptatlas.analysis.statistics import permutation
from promptatlas.analysis.statistics.masked import alike
from promptatlas.analysis.statistics.relations import FEWEST_TASKS, off_diagonal

NO_SEEDS = "one seed: what would change with another seed is not known"
NOTHING_MEASURED = "no score is known"
NO_PAIR = "no value for any pair of tasks"
TOO_FEW = f"fewer than {FEWEST_TASKS} tasks have two cells each as source and as target"
SAME_SCORES = "all scores are the same"
CONSTANT = "the same for all pairs of tasks"
ADDITIVE_SCORES = "source and target alone explain all scores"
ADDITIVE = "source and target alone explain it, so that nothing is left of the pairs"
TOO_MANY = "too few cells for so many measures"
NOISE_IN_BOTH = "made of the same prompts as the scores, so that the noise of a seed is in both"
NO_SIGNAL = "the seeds have nothing in common"
ABOVE_ONE = "above 1, as no share or correlation can be: the ceiling is estimated from few seeds, and too low"
ALIKE_SOURCES = "no target has sources that differ"
ALIKE = 1e-12


def why_no_variance(values: np.ndarray) -> str:
    """Why the scores of S seeds (S, n, n) have no shares of variance."""
    values = off_diagonal(values)
    there = np.isfinite(values)
    if not there.any():
        return NOTHING_MEASURED
    return SAME_SCORES if _constant(values) else TOO_FEW


def why_no_correlation(response: np.ndarray, predictor: np.ndarray, keep: Sequence[int] | np.ndarray, both_scores: bool = False) -> str:
    """Why two matrices (n, n) have no correlation among the tasks number `keep`; "" where they have one.

    The first holds scores; the second similarities, or scores too (`both_scores`).
    """
    for one, nothing in ((response, NOTHING_MEASURED), (predictor, NOTHING_MEASURED if both_scores else NO_PAIR)):
        if not np.isfinite(off_diagonal(one)).any():
            return nothing
    if len(keep) < FEWEST_TASKS:
        return TOO_FEW
    places = np.asarray(keep)
    part = np.ix_(places, places)
    words = (SAME_SCORES, ADDITIVE_SCORES), (SAME_SCORES, ADDITIVE_SCORES) if both_scores else (CONSTANT, ADDITIVE)
    for one, (constant, additive) in zip(alike(response[part], predictor[part]), words, strict=True):
        if _constant(one):
            return constant
        if not np.isfinite(permutation.residual(one)).all():
            return additive
    return ""


def _constant(values: np.ndarray) -> bool:
    values = values[np.isfinite(values)]
    return bool(np.ptp(values) <= ALIKE * np.abs(values).max())
