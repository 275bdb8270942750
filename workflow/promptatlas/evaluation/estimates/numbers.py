"""Small arithmetic that several estimators share."""

import numpy as np


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities (N, C) of logits (N, C), in double precision."""
    shifted = np.asarray(logits, dtype=np.float64)
    powers = np.exp(shifted - shifted.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def entropy(probabilities: np.ndarray) -> np.ndarray:
    """Of distributions (..., C) along the last axis, in nats."""
    p = np.asarray(probabilities, dtype=np.float64)
    return -(p * np.log(p, out=np.zeros_like(p), where=p > 0)).sum(axis=-1)


def means_by_class(features: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(N, D): in each row of features (N, D) the mean over the rows of its class; labels (N,)."""
    _, own, counts = np.unique(labels, return_inverse=True, return_counts=True)
    sums = np.zeros((len(counts), features.shape[1]))
    np.add.at(sums, own, features)
    return (sums / counts[:, None])[own]


def columns(labels: np.ndarray) -> np.ndarray:
    """Marks (N, K) of class numbers (N,) or of marks (N, C), of those classes that have an image."""
    if labels.ndim > 1:
        return labels[:, labels.any(axis=0)].astype(np.float64)
    return (labels[:, None] == np.unique(labels)).astype(np.float64)
