"""Neighbours across tasks: whether the target's images have images of the source close by. Directed: a part lies inside the whole."""

import numpy as np

from promptatlas.evaluation.similarity.registry import Corpus, measure
from promptatlas.evaluation.similarity.samples import equal_samples

NEIGHBOURS = 10


def covered(source: np.ndarray, target: np.ndarray) -> float:
    """Mean over the target's unit vectors (Q, D) of the largest cosine with one of the source's (P, D)."""
    return float((target @ source.T).max(axis=1).mean())


def mixed(from_source: np.ndarray, from_own: np.ndarray) -> float:
    """Share of the nearest k of both, pooled, that come from the source; cosines (Q, k) of Q images with their nearest k of the source
    and with their nearest k of their own task."""
    k = from_source.shape[1]
    least = -np.partition(-np.concatenate([from_source, from_own], axis=1), k - 1, axis=1)[:, k - 1 : k]
    # An image as near as the last of the k counts for the part of it that is left.
    above, at = (
        [(own > least).sum(axis=1) for own in (from_source, from_own)],
        [(own == least).sum(axis=1) for own in (from_source, from_own)],
    )
    left = (k - above[0] - above[1]) / (at[0] + at[1])
    return float(((above[0] + left * at[0]) / k).mean())


def nearest_cosines(target: np.ndarray, others: np.ndarray, k: int) -> np.ndarray:
    """(Q, k) of unit vectors (Q, D) with the nearest k of others (P, D)."""
    return -np.partition(-(target @ others.T), k - 1, axis=1)[:, :k]


@measure(
    "vis_cover", title="coverage of images", family="visual", directed=True, needs=["images"], standard=False,
    description="how well the source’s images cover the target’s: the mean over target images of the best cosine",
)  # fmt: skip
def vis_cover(corpus: Corpus) -> np.ndarray:
    """(n, n)."""
    samples = _single(corpus)
    values = np.zeros((len(samples), len(samples)))
    for i, one in enumerate(samples):
        for j in range(i + 1):
            cosines = one @ samples[j].T
            values[i, j], values[j, i] = cosines.max(axis=0).mean(), cosines.max(axis=1).mean()
    return values


@measure(
    "vis_knnmix", title="mixing of images", family="visual", directed=True, needs=["images"], standard=False, images=NEIGHBOURS + 1,
    description="share of the ten nearest images, source and target pooled, that come from the source; mean over target images",
)  # fmt: skip
def vis_knnmix(corpus: Corpus) -> np.ndarray:
    """(n, n)."""
    samples = _single(corpus)
    own = []
    for sample in samples:
        cosines = sample @ sample.T
        np.fill_diagonal(cosines, -np.inf)
        own.append(-np.partition(-cosines, NEIGHBOURS - 1, axis=1)[:, :NEIGHBOURS])
    values = np.ones((len(samples), len(samples)))
    for i, source in enumerate(samples):
        for j, target in enumerate(samples):
            if i != j:
                values[i, j] = mixed(nearest_cosines(target, source, NEIGHBOURS), own[j])
    return values


def _single(corpus: Corpus) -> list[np.ndarray]:
    """Equal samples (N, D) in single precision: only what is nearest counts."""
    return [sample.astype(np.float32) for sample in equal_samples(corpus)]
