"""What each image contributes to a score, so that the difference of two scores on the same images has a variance for every metric.

Knows nothing of prompts, tasks or files.
"""

from __future__ import annotations

import numpy as np

from promptatlas.tasks import metrics
from promptatlas.tasks.metrics import Metric


def contributions(metric: str, answers: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(K, N) float64 whose mean over the images is the score of each of K prompts by `metric`.

    answers: predicted classes (K, N), which are enough for metrics of right answers, or logits (K, N, C); labels: class numbers (N,) or
    marks (N, C), as `metrics.score` takes them.

    * mean over images: 1 for a right answer, else 0;
    * mean over classes: a right answer counts N / (C n) with n images of its class and C classes that have images, else 0;
    * any other metric: the jackknife pseudo-values (Tukey 1958; Efron & Stein 1981), score + (N - 1) (m - s) with s the score without
      the image and m the mean of all s. This leaves out Quenouille's correction of bias, so that the mean is the score itself. An image
      without which the metric has no value counts the score.

    The sample variance of a row over N estimates that of its score, and that of the difference of two rows the variance of the
    difference: of images drawn anew, not of classes. For 11-point mAP, whose curve jumps as a quantile does, the jackknife tells two to
    three times the variance, so that it claims too little. Where no image can be spared, as with one image of each of two classes and
    ROC AUC, all contributions are alike and say nothing of it.

    Raises UserError where the metric has no value on these labels, and ValueError for predicted classes where it needs logits.
    """
    known = metrics.lookup(metric)
    metrics.require(metric, labels)
    if known.of_right_answers:
        right = (answers if answers.ndim == 2 else answers.argmax(axis=-1)) == labels
        return right * (np.ones(len(labels)) if known.mean_over == "images" else _alike(labels))
    if answers.ndim != 3:
        raise ValueError(f"{metric} needs logits (K, N, C), not predicted classes")
    return _pseudo_values(known, np.asarray(answers, dtype=np.float64), labels)


def _alike(labels: np.ndarray) -> np.ndarray:
    """Weights (N,) of mean 1 with which all classes that have images count alike."""
    counts = np.bincount(labels)
    return np.asarray(len(labels) / ((counts > 0).sum() * counts[labels]))


def _pseudo_values(metric: Metric, logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(K, N) from logits (K, N, C)."""
    score, images = metrics.values(metric.name, logits, labels), len(labels)
    without = np.tile(score[:, None], (1, images))
    for left_out in range(images):
        rest = np.arange(images) != left_out
        if not metrics.undefined(metric.name, labels[rest]):
            without[:, left_out] = metrics.values(metric.name, logits[:, rest], labels[rest])
    return np.asarray(score[:, None] + (images - 1) * (without.mean(axis=1, keepdims=True) - without))
