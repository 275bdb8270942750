"""LogME: the evidence of a Bayesian linear model from what a prompt makes of the images to their labels."""

import numpy as np

from promptatlas.evaluation.estimates.numbers import columns
from promptatlas.evaluation.estimates.registry import Observed, Undefined, estimator

NEAR, FLOOR = 1e-3, 1e-5  # of the authors' code
MOST_STEPS = 1000  # theirs are 11, too few where there are more features than images


def logme(features: np.ndarray, labels: np.ndarray) -> float:
    """Mean over classes of the log evidence per image, maximised over the precisions of weights and noise.

    features (N, D); labels (N,) or marks (N, C); classes without images are left out. For a column y of marks,
    ``log p(y) = D/2 log a + N/2 log b - b/2 |F m - y|^2 - a/2 |m|^2 - 1/2 log |a I + b F'F| - N/2 log 2 pi``, by the fixed point of
    You et al. (JMLR 2022). Directions of weights that no image has count in the determinant, as they have to where
    there are fewer images than features; the authors' code leaves them out there.
    """
    features = np.asarray(features, dtype=np.float64)
    left, singular, _ = np.linalg.svd(features, full_matrices=False)
    there = singular > singular.max(initial=0.0) * max(features.shape) * np.finfo(float).eps
    left, squared = left[:, there], singular[there] ** 2
    if not len(squared):
        raise Undefined("the answers are zero")
    return float(_evidence(left, squared, columns(labels)).mean())


def _evidence(left: np.ndarray, squared: np.ndarray, marks: np.ndarray) -> np.ndarray:
    """Log evidence per image (C,) for columns (N, C); left (N, R) and squared (R,): singular vectors and squared singular values."""
    images, squared = len(marks), squared[:, None]
    along = (left.T @ marks) ** 2
    outside = ((marks**2).sum(axis=0) - along.sum(axis=0)).clip(min=0)
    a, b, weights, residual = np.ones((4, marks.shape[1]))
    moving = np.arange(marks.shape[1])
    for _ in range(MOST_STEPS):
        ratio, own = a[moving] / b[moving], along[:, moving]
        effective = (squared / (squared + ratio)).sum(axis=0)
        weights[moving] = (squared * own / (ratio + squared) ** 2).sum(axis=0)
        residual[moving] = (own / (1 + squared / ratio) ** 2).sum(axis=0) + outside[moving]
        a[moving], b[moving] = effective / (weights[moving] + FLOOR), (images - effective) / (residual[moving] + FLOOR)
        moving = moving[np.abs(a[moving] / b[moving] - ratio) > NEAR * ratio]
        if not len(moving):
            break
    fit = len(squared) * np.log(a) + images * np.log(b) - np.log(a + b * squared).sum(axis=0) - b * residual - a * weights
    return (fit - images * np.log(2 * np.pi)) / (2 * images)


@estimator(
    "est_logme", "LogME", formula="mean over classes of max log p(y | F) / N", source="You et al., JMLR 2022",
    needs=["labels"], images=2, classes=2,
)  # fmt: skip
def est_logme(observed: Observed) -> float:
    """evidence of a Bayesian linear model from the prompt’s features or logits to the labels"""
    return logme(observed.representation, observed.given_labels)
