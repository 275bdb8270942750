"""Task2Vec of the head of class names: which features the answers on a task's images hang on."""

import numpy as np

from promptatlas.evaluation.similarity.registry import Corpus, measure
from promptatlas.evaluation.similarity.samples import by_pair, equal_samples

SCALE = 100.0  # of cosines into logits, as published CLIP models have it
ROWS = 500


def fisher(images: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Diagonal Fisher information (D,) of scales s_d on the features at s = 1: mean over images x (N, D) of
    ``(SCALE x_d)^2 Var(w_d)``, w a row of classes (C, D) with the probability ``softmax(SCALE classes x)``."""
    found = np.zeros(images.shape[1])
    for start in range(0, len(images), ROWS):
        x = images[start : start + ROWS]
        logits = SCALE * x @ classes.T
        p = np.exp(logits - logits.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        spread = p @ classes**2 - (p @ classes) ** 2
        found += (x**2 * spread.clip(min=0)).sum(axis=0)
    return SCALE**2 * found / len(images)


def normalised_cosine(one: np.ndarray, other: np.ndarray) -> float:
    """Cosine of ``F / (F + G)`` and ``G / (F + G)``, (D,) each, over features that either has (Achille et al., ICCV 2019, eq. 4)."""
    there = one + other > 0
    a, b = (own[there] / (one + other)[there] for own in (one, other))
    length = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b / length) if length > 0 else float("nan")


@measure(
    "task2vec_head", title="Task2Vec of class names", family="estimator", directed=False, needs=["images", "class_names"], standard=False,
    description="cosine of the normalised Fisher information of the features under the head of class names",
)  # fmt: skip
def task2vec_head(corpus: Corpus) -> np.ndarray:
    """(n, n); NaN where nothing hangs on any feature."""
    heads = [np.asarray(own, dtype=np.float64) for own in corpus.classes]
    found = [fisher(images, head) for images, head in zip(equal_samples(corpus), heads, strict=True)]
    return by_pair(found, normalised_cosine, itself=1)
