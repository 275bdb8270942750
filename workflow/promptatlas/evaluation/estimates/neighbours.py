"""Estimators from pairs of images: whether those that a prompt brings close have the same labels."""

import numpy as np

from promptatlas.base.rng import named_rng
from promptatlas.evaluation.estimates.numbers import columns
from promptatlas.evaluation.estimates.registry import Observed, Undefined, estimator

MOST_NEIGHBOURS = 5
MOST_IMAGES = 500  # all of whose pairs are looked at


def parc(features: np.ndarray, labels: np.ndarray) -> float:
    """100 times the rank correlation, over pairs of images, of ``1 - correlation`` of their features (N, D), each scaled to mean zero and
    variance one, and of their marks; labels (N,) or marks (N, C) (Bolya et al., NeurIPS 2021, and the authors' code).

    Images whose features or marks do not vary have no correlation and are left out; of more than 500 images a fixed part counts.
    """
    from scipy.stats import spearmanr

    features, marks = _scaled(np.asarray(features, dtype=np.float64)), columns(labels)
    some = np.flatnonzero((np.ptp(features, axis=1) > 0) & (np.ptp(marks, axis=1) > 0))
    if len(some) > MOST_IMAGES:
        some = np.sort(named_rng("estimate", "pairs").permutation(some)[:MOST_IMAGES])
    if len(some) < 3:
        raise Undefined("fewer than three images have features and labels that vary")
    below = np.tril_indices(len(some), -1)
    apart = [(1 - np.corrcoef(rows[some]))[below] for rows in (features, marks)]
    images, classes = (np.round(one, 12) for one in apart)  # what is equal but for rounding is a tie
    if not np.ptp(images) or not np.ptp(classes):
        raise Undefined("all pairs of images are as far apart")
    return 100 * float(spearmanr(images, classes)[0])


def _scaled(features: np.ndarray) -> np.ndarray:
    """Columns of mean zero and variance one; zero where a column does not vary."""
    deviation = features.std(axis=0)
    return (features - features.mean(axis=0)) / np.where(deviation > 0, deviation, 1)


def nearest(features: np.ndarray, labels: np.ndarray) -> float:
    """Leave-one-out score of the nearest neighbours by Euclidean distance. features (N, D).

    With labels (N,) the share of images whose class most of their neighbours have, the nearest one's among several; five neighbours,
    or as many as the smallest class has beside the image itself. With marks (N, C) the mean overlap (Jaccard) of an image's labels
    with those of its nearest neighbour, among images that have any.
    """
    features = np.asarray(features, dtype=np.float64)
    if labels.ndim > 1:
        some = labels.any(axis=1)
        features, labels = features[some], labels[some].astype(bool)
        if len(features) < 2:
            raise Undefined("fewer than two images have labels")
        other = labels[_order(features, 1)[:, 0]]
        return float(((labels & other).sum(axis=1) / (labels | other).sum(axis=1)).mean())
    classes, own, counts = np.unique(labels, return_inverse=True, return_counts=True)
    k = min(MOST_NEIGHBOURS, int(counts.min()) - 1)
    around = own[_order(features, k)]
    votes = (around[:, :, None] == np.arange(len(classes))).sum(axis=1)
    leading = votes == votes.max(axis=1, keepdims=True)
    first = leading[np.arange(len(own))[:, None], around].argmax(axis=1)
    return float((around[np.arange(len(own)), first] == own).mean())


def _order(features: np.ndarray, k: int) -> np.ndarray:
    """Numbers (N, k) of the nearest other images, nearest first; the earlier of two that are as near."""
    found = np.empty((len(features), k), dtype=np.int64)
    squared = (features**2).sum(axis=1)
    for start in range(0, len(features), MOST_IMAGES):
        part = slice(start, start + MOST_IMAGES)
        distance = squared - 2 * features[part] @ features.T
        distance[np.arange(len(distance)), np.arange(start, start + len(distance))] = np.inf
        found[part] = np.argsort(distance, axis=1, kind="stable")[:, :k]
    return found


@estimator(
    "est_parc", "PARC", formula="100 Spearman(1 − corr(F), 1 − corr(Y))", source="Bolya et al., NeurIPS 2021", needs=["labels"],
    images=3, classes=2,
)  # fmt: skip
def est_parc(observed: Observed) -> float:
    """whether images with like features have like labels, over all pairs"""
    return parc(observed.representation, observed.given_labels)


@estimator(
    "est_knn", "nearest neighbours", formula="leave-one-out accuracy of at most five neighbours", source="Bolya et al., NeurIPS 2021",
    needs=["labels"], images=2, classes=2, per_class=2,
)  # fmt: skip
def est_knn(observed: Observed) -> float:
    """share of images whose nearest others have their label"""
    return nearest(observed.representation, observed.given_labels)
