"""Estimators from soft classes: what the source's own classes, or clusters of the images, say of the target's labels."""

import warnings

import numpy as np

from promptatlas.base.rng import named_rng
from promptatlas.evaluation.estimates.numbers import entropy
from promptatlas.evaluation.estimates.registry import Observed, Undefined, estimator

FITS = 5
CLUSTERS_PER_CLASS = 5
IMAGES_PER_CLUSTER = 3
VARIANCE = 0.8  # that the principal components keep


def leep(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """``mean over images of log sum_z P(y | z) p(z | x)`` (Nguyen et al., ICML 2020), from -H(y) to 0.

    probabilities (N, Z), rows add up to one; labels (N,), or marks (N, C): then the mean over the classes that have images of the
    same for each against the rest. A z without any mass says nothing and is left out.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    return float(np.mean([_leep(p[:, p.any(axis=0)], own) for own in _questions(labels)]))


def nce(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """``-H(Y | Z)``, Z the most probable column of each image (Tran et al., ICCV 2019), from -H(y) to 0. Arguments as for `leep`."""
    z = np.asarray(probabilities).argmax(axis=1)
    return float(np.mean([_nce(z, own) for own in _questions(labels)]))


def n_leep(features: np.ndarray, labels: np.ndarray) -> float:
    """LEEP on the clusters of the images, of a mixture of normal distributions with diagonal covariances on the principal components
    of features (N, D) that keep 80 % of the variance (Li et al., CVPR 2021); labels as for `leep`.

    The mean over five fits. Five clusters per class, but one cluster for three images at most: with as many clusters as images each
    label is its own.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    components = _kept(np.asarray(features, dtype=np.float64))
    classes = labels.shape[1] if labels.ndim > 1 else len(np.unique(labels))
    clusters = min(CLUSTERS_PER_CLASS * classes, len(components) // IMAGES_PER_CLUSTER, len(np.unique(components, axis=0)))
    states = named_rng("estimate", "n_leep").integers(2**31, size=FITS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of fits that are as good as done
        fits = [GaussianMixture(clusters, covariance_type="diag", random_state=int(state)).fit(components) for state in states]
    return float(np.mean([leep(fit.predict_proba(components), labels) for fit in fits]))


def _questions(labels: np.ndarray) -> list[np.ndarray]:
    """The labels (N,), or by class that has images whether an image is of it."""
    return [column.astype(np.int64) for column in labels.T if column.any()] if labels.ndim > 1 else [labels]


def _leep(p: np.ndarray, labels: np.ndarray) -> float:
    _, own = np.unique(labels, return_inverse=True)
    mass = np.zeros((own.max() + 1, p.shape[1]))
    np.add.at(mass, own, p)
    given = mass / mass.sum(axis=0)
    return min(float(np.log((p * given[own]).sum(axis=1)).mean()), 0.0)


def _nce(z: np.ndarray, labels: np.ndarray) -> float:
    _, own = np.unique(labels, return_inverse=True)
    counts = np.zeros((z.max() + 1, own.max() + 1))
    np.add.at(counts, (z, own), 1)
    counts = counts[counts.any(axis=1)]
    sizes = counts.sum(axis=1, keepdims=True)
    return -float((entropy(counts / sizes) * sizes[:, 0]).sum() / len(z)) + 0.0


def _kept(features: np.ndarray) -> np.ndarray:
    """(N, P) principal components of features (N, D), scaled so that the first has the variance one."""
    left, singular, _ = np.linalg.svd(features - features.mean(axis=0), full_matrices=False)
    share = np.cumsum(singular**2)
    if not share[-1] > 0:
        raise Undefined("the answers are the same for all images")
    kept = int(np.searchsorted(share / share[-1], VARIANCE)) + 1
    return np.round(left[:, :kept] * singular[:kept] / singular[0] * np.sqrt(len(features)), 9)


@estimator(
    "est_leep", "LEEP", formula="mean log Σ_z P(y|z) p(z|x)", source="Nguyen et al., ICML 2020", needs=["labels", "source_probabilities"],
    images=2, classes=2,
)  # fmt: skip
def est_leep(observed: Observed) -> float:
    """log likelihood of the labels by way of the source’s own classes"""
    return leep(observed.given("source_probabilities"), observed.given_labels)


@estimator(
    "est_nce", "negative conditional entropy", formula="−H(Y|Z), Z = argmax p(z|x)", source="Tran et al., ICCV 2019",
    needs=["labels", "source_probabilities"], images=2, classes=2,
)  # fmt: skip
def est_nce(observed: Observed) -> float:
    """minus the entropy of the labels given the source class that the prompt answers"""
    return nce(observed.given("source_probabilities"), observed.given_labels)


@estimator(
    "est_nleep", "N-LEEP", formula="LEEP on posteriors of a mixture of normal distributions", source="Li et al., CVPR 2021",
    needs=["labels"], images=2 * IMAGES_PER_CLUSTER, classes=2, costly=True,
)  # fmt: skip
def est_nleep(observed: Observed) -> float:
    """log likelihood of the labels by way of clusters of the images"""
    return n_leep(observed.representation, observed.given_labels)
