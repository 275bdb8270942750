"""Curves that rank images by the scores of one class.

scipy is imported where images are ranked: it takes half as long to import as torch, every job imports this file, and few tasks are
ranked.
"""

from functools import lru_cache
from itertools import combinations
from math import comb
from typing import Any

import numpy as np

from promptatlas.base.rng import named_rng

RECALL_LEVELS = np.linspace(1, 0, 11)
CHANCE_RANKINGS = 500  # that are drawn, where there are more than
CHANCE_ENUMERATED = 20_000


def average_precision(marks: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """11-point interpolated average precision of one class (...,): marks (N,) 0/1, scores (..., N). nan without positives.

    Mean over recall 0, 0.1, ..., 1 of the highest precision at that recall or more. As in ELEVATER the curve is
    scikit-learn's, which ends in (recall 0, precision 1) and steps once per distinct score.
    """
    marks = np.asarray(marks, dtype=bool)
    if not marks.any():
        return np.full(scores.shape[:-1], np.nan)[()]
    order = np.argsort(-scores, axis=-1, kind="stable")
    descending = np.take_along_axis(scores, order, axis=-1)
    hits = np.cumsum(marks[order], axis=-1)
    goes_on = np.zeros(scores.shape, dtype=bool)  # the next image has the same score, so the curve has no step here
    goes_on[..., :-1] = descending[..., :-1] == descending[..., 1:]
    precision = np.where(goes_on, 0.0, hits / np.arange(1, scores.shape[-1] + 1))
    highest_from = np.maximum.accumulate(precision[..., ::-1], axis=-1)[..., ::-1]
    recall = hits / marks.sum()
    total: Any = 1.0  # at recall 0 the highest precision is that of the end
    for level in RECALL_LEVELS[:-1]:
        first = (recall < level).sum(axis=-1, keepdims=True)
        total = total + np.take_along_axis(highest_from, first, axis=-1)[..., 0]
    return (total / len(RECALL_LEVELS))[()]


def area_under_roc(marks: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Probability (...,) that a marked image outranks an unmarked one, ties counting half (Mann-Whitney); scores (..., N)."""
    from scipy.stats import rankdata

    marks = np.asarray(marks, dtype=bool)
    positives, negatives = int(marks.sum()), int((~marks).sum())
    if not positives or not negatives:
        return np.full(scores.shape[:-1], np.nan)[()]
    ranks = rankdata(scores, axis=-1)[..., marks].sum(axis=-1)
    return ((ranks - positives * (positives + 1) / 2) / (positives * negatives))[()]


@lru_cache(maxsize=4096)
def random_average_precision(images: int, positives: int) -> float:
    """Mean average precision of one class over random rankings of so many images, `positives` of them marked."""
    marks = np.arange(images) < positives
    if comb(images, positives) <= CHANCE_ENUMERATED:
        places = np.array([*combinations(range(images), positives)])
        scores = np.zeros((len(places), images))
        scores[:, :positives] = -places
        taken = np.zeros((len(places), images), dtype=bool)
        np.put_along_axis(taken, places, True, axis=1)
        scores[:, positives:] = -np.nonzero(~taken)[1].reshape(len(places), -1)
        return float(average_precision(marks, scores).mean())
    generator = named_rng("chance of 11-point mAP", images, positives)
    return float(np.mean([average_precision(marks, generator.random(images)) for _ in range(CHANCE_RANKINGS)]))
