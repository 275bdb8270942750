"""Maximum mean discrepancy: whether two tasks' images could come from one distribution, by a kernel."""

import numpy as np

from promptatlas.evaluation.similarity.registry import Corpus, measure
from promptatlas.evaluation.similarity.samples import equal_samples
from promptatlas.evaluation.similarity.transport import squared_distances

FOR_WIDTH = 50  # images of each task between which distances are looked at
ROWS = 500  # of a kernel matrix at a time


def kernel_sum(one: np.ndarray, other: np.ndarray, width: float) -> float:
    """Sum over pairs of points (P, D) and (Q, D) of ``exp(-|x - y|^2 / 2 width^2)``."""
    parts = (squared_distances(one[start : start + ROWS], other) for start in range(0, len(one), ROWS))
    return float(sum(np.exp(part / (-2 * width**2)).sum() for part in parts))


def mmd(one: np.ndarray, other: np.ndarray, width: float) -> float:
    """Unbiased squared maximum mean discrepancy of samples (P, D) and (Q, D), negative at times (Gretton et al., JMLR 2012, eq. 3)."""
    return _within(one, width) + _within(other, width) - 2 * kernel_sum(one, other, width) / (len(one) * len(other))


def _within(sample: np.ndarray, width: float) -> float:
    """Mean of the kernel over pairs of different points."""
    return (kernel_sum(sample, sample, width) - len(sample)) / (len(sample) * (len(sample) - 1))


def median_distance(samples: list[np.ndarray]) -> float:
    """Of the first images of every sample (N, D), all pooled."""
    pooled = np.concatenate([sample[:FOR_WIDTH] for sample in samples])
    return float(np.sqrt(np.median(squared_distances(pooled, pooled)[np.tril_indices(len(pooled), -1)])))


@measure(
    "vis_mmd", title="discrepancy of images", family="visual", directed=False, needs=["images"], standard=False, images=2,
    description="minus the unbiased squared maximum mean discrepancy of the image features, Gaussian kernel of median width",
)  # fmt: skip
def vis_mmd(corpus: Corpus) -> np.ndarray:
    """(n, n); NaN where all images are the same."""
    samples = equal_samples(corpus)
    width = median_distance(samples)
    if not width > 0:
        return np.full((len(samples), len(samples)), np.nan)
    own = [_within(sample, width) for sample in samples]
    values = np.zeros((len(samples), len(samples)))
    for i, one in enumerate(samples):
        for j in range(i):
            across = kernel_sum(one, samples[j], width) / (len(one) * len(samples[j]))
            values[i, j] = values[j, i] = 2 * across - own[i] - own[j]
    return values
