"""Scores of predictions and the scores that chance would give. Knows nothing of models or tasks.

The four metrics of ELEVATER (Li et al. 2022). All scores lie between 0 and 1. scipy is imported where pictures are ranked:
it takes half as long to import as torch, every job imports this file, and few tasks are ranked.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from math import comb
from typing import Any

import numpy as np

from promptatlas.base.errors import UserError
from promptatlas.base.rng import stream

RECALL_LEVELS = np.linspace(1, 0, 11)
CHANCE_RANKINGS = 500  # that are drawn, where there are more than
CHANCE_ENUMERATED = 20_000
BALANCED = "`metric: mean_per_class` counts all classes alike"  # what to say where accuracy is easily had


@dataclass(frozen=True)
class Score:
    """`value` in 0..1, the same metric for each class (C,) (nan where the class has no picture), and the chance level."""

    value: float
    per_class: np.ndarray
    chance: float


def score(metric: str, logits: np.ndarray, labels: np.ndarray) -> Score:
    """Score logits (N, C) against class numbers (N,) or, for ``map_11_point``, marks (N, C).

    The threshold-free metrics rank softmax probabilities, as ELEVATER does: the softmax changes how pictures rank
    against each other, which moves an 11-point mAP by several points. A class that is ruled out has the logit -inf. Raises
    UserError for answers that are not numbers, and where the metric is not defined on the labels.
    """
    logits = np.asarray(logits, dtype=np.float64)
    require(metric, labels)
    wrong = int((~np.isfinite(logits.max(axis=1))).sum())
    if wrong:
        raise UserError(
            f"the answers for {wrong} of {len(logits)} pictures are not numbers; look at the learning rate, the weights and the pictures"
        )
    classes = logits.shape[1]
    if metric in RANKED:
        per_class = _ranked_by_class(metric, logits, labels)
        value = float(ranked(metric, logits, labels))
    elif metric in ("accuracy", "mean_per_class"):
        right = logits.argmax(axis=1) == labels
        per_class = _mean_by_class(right, labels, classes)
        value = float(right.mean() if metric == "accuracy" else np.nanmean(per_class))
    else:
        raise UserError(f"Metric {metric!r} is unknown; use accuracy, mean_per_class, roc_auc or map_11_point.")
    return Score(value, per_class, chance(metric, labels, classes))


def undefined(metric: str, labels: np.ndarray) -> str:
    """Why `metric` has no value on class numbers (N,) or marks (N, C), whatever the answers; nothing if it has one.

    Every metric needs a picture; ROC AUC one of each of its two classes; mAP a picture with a label.
    """
    if not len(labels):
        return "there are none"
    if metric == "roc_auc" and len(there := np.unique(labels)) < 2:
        return f"all are of class {there[0]}, and roc_auc compares two"
    if metric == "map_11_point" and not labels.any():
        return "none of them has a label"
    return ""


def require(metric: str, labels: np.ndarray) -> None:
    """UserError where `metric` has no value."""
    if why := undefined(metric, labels):
        raise UserError(f"{metric} has no value on these pictures: {why}")


def ranked(metric: str, logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The value of a metric that ranks pictures, for many answers at once: logits (..., N, C) -> (...,), nan where there is none."""
    per_class = _ranked_by_class(metric, logits, labels)
    return per_class[1] if metric == "roc_auc" else np.nanmean(per_class, axis=0)


def _ranked_by_class(metric: str, logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(C, ...)."""
    from scipy.special import softmax

    probabilities, of = softmax(logits, axis=-1), RANKED[metric]
    marks = labels.T if labels.ndim == 2 else labels == np.arange(logits.shape[-1])[:, None]
    return np.stack([of(own, probabilities[..., c]) for c, own in enumerate(marks)])


def chance(metric: str, labels: np.ndarray, classes: int) -> float:
    """What blind guessing scores on average.

    1/C for accuracy and mean per class, 0.5 for ROC AUC. For ``map_11_point`` the mean over random rankings, which
    lies a little above the prevalence because precision is interpolated upwards and recall 0 counts as precision 1: of all
    rankings where these are few, as with a dozen pictures, else of 500 that are drawn.
    """
    if metric == "roc_auc":
        return 0.5
    if metric == "map_11_point":
        positives = labels.sum(axis=0)
        return float(np.mean([_random_average_precision(len(labels), int(p)) for p in positives if p]))
    return 1.0 / classes


def largest_class(metric: str, labels: np.ndarray, classes: int) -> float:
    """What the best answer scores that is the same for every picture; nan where the metric has no value.

    Accuracy: the share of the class that most of these pictures are of, which nobody knows who does not look at their labels:
    the most that can be had without looking at pictures. Mean per class: all of one class and none of the others, 1 / C where
    every class has a picture. The metrics that rank see all pictures tied: 0.5 for ROC AUC, and for ``map_11_point`` with p
    the share of pictures of a class (1 + 10 p) / 11, mean over classes: recall 0 counts as precision 1.
    """
    if undefined(metric, labels):
        return float("nan")
    if metric in RANKED:
        return float(ranked(metric, np.zeros((len(labels), classes)), labels))
    counts = np.bincount(labels, minlength=classes)
    return float(counts.max() / len(labels)) if metric == "accuracy" else 1.0 / int((counts > 0).sum())


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
    goes_on = np.zeros(scores.shape, dtype=bool)  # the next picture has the same score, so the curve has no step here
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
    """Probability (...,) that a marked picture outranks an unmarked one, ties counting half (Mann-Whitney); scores (..., N)."""
    from scipy.stats import rankdata

    marks = np.asarray(marks, dtype=bool)
    positives, negatives = int(marks.sum()), int((~marks).sum())
    if not positives or not negatives:
        return np.full(scores.shape[:-1], np.nan)[()]
    ranks = rankdata(scores, axis=-1)[..., marks].sum(axis=-1)
    return ((ranks - positives * (positives + 1) / 2) / (positives * negatives))[()]


RANKED: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "map_11_point": average_precision, "roc_auc": area_under_roc,
}  # fmt: skip


def _mean_by_class(values: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    totals = np.bincount(labels, minlength=classes).astype(np.float64)
    totals[totals == 0] = np.nan
    return np.bincount(labels, weights=values, minlength=classes) / totals


@lru_cache(maxsize=4096)
def _random_average_precision(pictures: int, positives: int) -> float:
    marks = np.arange(pictures) < positives
    if comb(pictures, positives) <= CHANCE_ENUMERATED:
        places = np.array([*combinations(range(pictures), positives)])
        scores = np.zeros((len(places), pictures))
        scores[:, :positives] = -places
        taken = np.zeros((len(places), pictures), dtype=bool)
        np.put_along_axis(taken, places, True, axis=1)
        scores[:, positives:] = -np.nonzero(~taken)[1].reshape(len(places), -1)
        return float(average_precision(marks, scores).mean())
    generator = stream("chance of 11-point mAP", pictures, positives)
    return float(np.mean([average_precision(marks, generator.random(pictures)) for _ in range(CHANCE_RANKINGS)]))
