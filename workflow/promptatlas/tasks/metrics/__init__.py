"""Scores of predictions and the scores that chance would give.

Each file of metrics registers its own; nothing else compares their names. All scores lie between 0 and 1.
"""

from dataclasses import dataclass

import numpy as np

from promptatlas.base.errors import UserError
from promptatlas.tasks.metrics import elevater  # noqa: F401  (importing registers the metrics)
from promptatlas.tasks.metrics.curves import area_under_roc, average_precision
from promptatlas.tasks.metrics.registry import METRICS, Metric, choice, lookup, mark, register, registered, title

__all__ = [
    "BALANCED", "METRICS", "ONE_CLASS", "SEVERAL_CLASSES", "Metric", "Score", "area_under_roc", "average_precision", "chance", "choice",
    "largest_class", "lookup", "mark", "register", "registered", "require", "score",
    "score_of_classes", "title", "undefined", "values",
]  # fmt: skip

METRICS.seal()

ONE_CLASS, SEVERAL_CLASSES = "accuracy", "map_11_point"  # where nobody chose one: for images of one class, and of several
BALANCED = "`metric: mean_per_class` counts all classes alike"  # what to say where a score is easily had by a large class


@dataclass(frozen=True)
class Score:
    """`value` in 0..1, the same metric for each class (C,) (nan where the class has no image), and the chance level."""

    value: float
    per_class: np.ndarray
    chance: float


def score(metric: str, logits: np.ndarray, labels: np.ndarray) -> Score:
    """Score logits (N, C) against class numbers (N,) or, for metrics of several labels, marks (N, C).

    Metrics that rank images rank softmax probabilities, as ELEVATER does: the softmax changes how images rank
    against each other, which moves an 11-point mAP by several points. A class that is ruled out has the logit -inf. Raises
    UserError for answers that are not numbers, and where the metric is not defined on the labels.
    """
    known = lookup(metric)
    require(metric, labels)
    logits = np.asarray(logits) if known.of_right_answers else np.asarray(logits, dtype=np.float64)
    _require_numbers(np.isfinite(logits.max(axis=1)))
    value, per_class = _measured(known, logits, labels)
    if not 0 <= value <= 1 or per_class.shape != (logits.shape[1],):
        raise UserError(
            f"metric {metric!r} gave the value {value} and {per_class.size} numbers by class for {logits.shape[1]} classes; "
            "it has to give a value between 0 and 1 and one number for each class"
        )
    return Score(value, per_class, chance(metric, labels, logits.shape[1]))


def score_of_classes(metric: str, given: np.ndarray, labels: np.ndarray, classes: int) -> Score:
    """The same of a metric that is a mean of right answers, from the class (N,) that each image is given, -1 where its answers are not
    numbers: what `score` gives of logits whose highest are there.
    """
    require(metric, labels)
    _require_numbers(given >= 0)
    return Score(*_of_right_answers(lookup(metric), given == labels, labels, classes), chance(metric, labels, classes))


def _require_numbers(sound: np.ndarray) -> None:
    """UserError unless the answers for all images (N,) are."""
    if wrong := int((~sound).sum()):
        raise UserError(
            f"the answers for {wrong} of {len(sound)} images are not numbers; look at the learning rate, the weights and the images"
        )


def undefined(metric: str, labels: np.ndarray) -> str:
    """Why `metric` has no value on class numbers (N,) or marks (N, C), whatever the answers; nothing if it has one.

    Every metric needs an image.
    """
    return lookup(metric).undefined(labels) if len(labels) else "there are none"


def require(metric: str, labels: np.ndarray) -> None:
    """UserError where `metric` has no value."""
    if why := undefined(metric, labels):
        raise UserError(f"{metric} has no value on these images: {why}")


def values(metric: str, logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The value for many answers at once: logits (..., N, C) -> (...,), nan where a metric that ranks has none."""
    known = lookup(metric)
    if known.curve is not None:
        return _over_classes(known, _by_class(known, logits, labels))
    found = [_measured(known, one, labels)[0] for one in logits.reshape(-1, *logits.shape[-2:])]
    return np.reshape(found, logits.shape[:-2])


def chance(metric: str, labels: np.ndarray, classes: int) -> float:
    """What blind guessing scores on average."""
    return lookup(metric).chance(labels, classes)


def largest_class(metric: str, labels: np.ndarray, classes: int) -> float:
    """What the best answer scores that is the same for every image; nan where the metric has no value, or it is not known.

    Means over images: the share of the class that most of these images are of, which nobody knows who does not look at their labels:
    the most that can be had without looking at images. Means over classes: all of one class and none of the others, 1 / C where
    every class has an image. The metrics that rank see all images tied: 0.5 for ROC AUC, and for ``map_11_point`` with p
    the share of images of a class (1 + 10 p) / 11, mean over classes: recall 0 counts as precision 1. Of other metrics it is the best
    over classes, and not known where an image has several labels, of which any set may be the best answer.
    """
    known = lookup(metric)
    if undefined(metric, labels) or (known.function is not None and known.multilabel):
        return float("nan")
    if known.curve is not None:
        return float(values(metric, np.zeros((len(labels), classes)), labels))
    if known.function is not None:
        return max(_measured(known, np.broadcast_to(answer, (len(labels), classes)), labels)[0] for answer in np.eye(classes))
    counts = np.bincount(labels, minlength=classes)
    return float(counts.max() / len(labels)) if known.mean_over == "images" else 1.0 / int((counts > 0).sum())


def _measured(metric: Metric, logits: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    """The value and that by class (C,)."""
    if metric.curve is not None:
        per_class = _by_class(metric, logits, labels)
        return float(_over_classes(metric, per_class)), per_class
    if metric.function is not None:
        value, per_class = metric.function(logits, labels)
        return float(value), np.asarray(per_class, dtype=np.float64)
    return _of_right_answers(metric, logits.argmax(axis=1) == labels, labels, logits.shape[1])


def _of_right_answers(metric: Metric, right: np.ndarray, labels: np.ndarray, classes: int) -> tuple[float, np.ndarray]:
    per_class = _mean_by_class(right, labels, classes)
    return float(right.mean() if metric.mean_over == "images" else np.nanmean(per_class)), per_class


def _by_class(metric: Metric, logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(C, ...)."""
    from scipy.special import softmax

    assert metric.curve is not None
    probabilities = softmax(logits, axis=-1)
    marks = labels.T if labels.ndim == 2 else labels == np.arange(logits.shape[-1])[:, None]
    return np.stack([metric.curve(own, probabilities[..., c]) for c, own in enumerate(marks)])


def _over_classes(metric: Metric, per_class: np.ndarray) -> np.ndarray:
    return np.asarray(per_class[1] if metric.classes == 2 else np.nanmean(per_class, axis=0))


def _mean_by_class(right: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    totals = np.bincount(labels, minlength=classes).astype(np.float64)
    totals[totals == 0] = np.nan
    return np.bincount(labels, weights=right, minlength=classes) / totals
