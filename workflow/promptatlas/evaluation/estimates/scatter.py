"""Scatter of classes: how far apart they lie, against how wide each of them is, in what a prompt makes of the images."""

import numpy as np

from promptatlas.evaluation.estimates.numbers import means_by_class
from promptatlas.evaluation.estimates.registry import Observed, Undefined, estimator

FLOOR = 1e-4  # of a variance within a class
DIMENSIONS = 64  # along which classes are normal distributions
DISTORTION = 1e-4


def covariance(features: np.ndarray) -> np.ndarray:
    """(D, D) of features (N, D)."""
    centred = features - features.mean(axis=0)
    return centred.T @ centred / (len(features) - 1)


def h_score(features: np.ndarray, labels: np.ndarray) -> float:
    """``tr(S^-1 B)``, S the covariance of features (N, D) and B that of their class means; labels (N,). Pillai's trace, from 0 to
    min(D, C - 1) (Bao et al., ICIP 2019). Undefined where S is singular: an inverse of a part of it ranks by noise."""
    features = np.asarray(features, dtype=np.float64)
    whole = covariance(features)
    if np.linalg.matrix_rank(whole, hermitian=True) < len(whole):
        raise Undefined(f"the covariance of {features.shape[1]} numbers over {len(features)} images is singular")
    return float(np.trace(np.linalg.solve(whole, covariance(means_by_class(features, labels)))))


def shrunk_h_score(features: np.ndarray, labels: np.ndarray) -> float:
    """The H-score with S shrunk by Ledoit and Wolf, and B by as much: ``(1 - s) tr(S_s^-1 B)`` (Ibrahim et al., ECML 2022)."""
    from sklearn.covariance import ledoit_wolf  # slow to import, and whoever names an estimator imports this file

    features = np.asarray(features, dtype=np.float64)
    if not np.ptp(features, axis=0).any():
        raise Undefined("the answers are the same for all images")
    whole, shrinkage = ledoit_wolf(features)
    return float((1 - shrinkage) * np.trace(np.linalg.solve(whole, covariance(means_by_class(features, labels)))))


def gbc(features: np.ndarray, labels: np.ndarray) -> float:
    """``-sum over ordered pairs of classes of exp(-Bhattacharyya distance)``, the classes as normal distributions with diagonal
    covariances, variances at least 1e-4 (Pandy et al., CVPR 2022). features (N, D); labels (N,). From -C(C - 1) to 0."""
    features = _first_components(np.asarray(features, dtype=np.float64))
    classes = np.unique(labels)
    means = np.stack([features[labels == c].mean(axis=0) for c in classes])
    variances = np.stack([features[labels == c].var(axis=0) for c in classes]).clip(min=FLOOR)
    overlap = 0.0
    for c in range(len(classes)):
        between = (variances[c] + variances) / 2
        distance = ((means[c] - means) ** 2 / between).sum(axis=1) / 8
        distance += (np.log(between) - (np.log(variances[c]) + np.log(variances)) / 2).sum(axis=1) / 2
        overlap += np.exp(-np.delete(distance, c)).sum()
    return -overlap


def _first_components(features: np.ndarray) -> np.ndarray:
    """(N, 64) principal components of wider features (N, D), others as they are."""
    if features.shape[1] <= DIMENSIONS:
        return features
    left, singular, _ = np.linalg.svd(features - features.mean(axis=0), full_matrices=False)
    return left[:, :DIMENSIONS] * singular[:DIMENSIONS]


def coding_rate(features: np.ndarray) -> float:
    """``1/2 log |I + F'F / (N e)|`` of features (N, D), e = 1e-4."""
    squared = np.linalg.svd(features, compute_uv=False) ** 2
    return float(np.log1p(squared / (len(features) * DISTORTION)).sum() / 2)


def transrate(features: np.ndarray, labels: np.ndarray) -> float:
    """``R(F) - sum over classes of N_c/N R(F_c)``, R the coding rate, F centred as a whole (Huang et al., ICML 2022).
    features (N, D); labels (N,)."""
    features = np.asarray(features, dtype=np.float64)
    features = features - features.mean(axis=0)
    within = sum((labels == c).mean() * coding_rate(features[labels == c]) for c in np.unique(labels))
    return coding_rate(features) - within


@estimator(
    "est_hscore", "H-score", formula="tr(S⁻¹ B)", source="Bao et al., ICIP 2019", needs=["labels"], images=3, classes=2, multilabel=False,
)  # fmt: skip
def est_hscore(observed: Observed) -> float:
    """variance of class means against the variance of all images"""
    return h_score(observed.representation, observed.given_labels)


@estimator(
    "est_hscore_shrunk", "H-score, shrunk", formula="(1 − s) tr(S_s⁻¹ B)", source="Ibrahim et al., ECML 2022", needs=["labels"],
    images=3, classes=2, multilabel=False,
)  # fmt: skip
def est_hscore_shrunk(observed: Observed) -> float:
    """the H-score with covariances shrunk by Ledoit and Wolf, for few images"""
    return shrunk_h_score(observed.representation, observed.given_labels)


@estimator(
    "est_gbc", "Bhattacharyya separability", formula="−Σ exp(−BD(c, d)) over ordered pairs of classes", source="Pándy et al., CVPR 2022",
    needs=["labels"], classes=2, per_class=2, multilabel=False,
)  # fmt: skip
def est_gbc(observed: Observed) -> float:
    """minus the overlap of the classes as normal distributions with diagonal covariances"""
    return gbc(observed.representation, observed.given_labels)


@estimator(
    "est_transrate", "TransRate", formula="R(F) − Σ N_c/N R(F_c)", source="Huang et al., ICML 2022", needs=["labels"], images=2, classes=2,
    multilabel=False,
)  # fmt: skip
def est_transrate(observed: Observed) -> float:
    """coding rate of all images less that within the classes"""
    return transrate(observed.representation, observed.given_labels)
