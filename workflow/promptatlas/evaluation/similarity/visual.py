"""Visual similarity: how close two tasks' images lie in the image-feature space."""

import numpy as np

from promptatlas.evaluation.similarity.label import centred_cosines
from promptatlas.evaluation.similarity.registry import Corpus, measure
from promptatlas.evaluation.similarity.samples import equal_samples


def square_root(covariance: np.ndarray) -> np.ndarray:
    """Symmetric square root (D, D) of a positive semi-definite matrix (D, D)."""
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(values.clip(min=0))) @ vectors.T


def frechet(mean_a: np.ndarray, covariance_a: np.ndarray, mean_b: np.ndarray, covariance_b: np.ndarray) -> float:
    """Squared Frechet (2-Wasserstein) distance of two Gaussians with means (D,) and covariances (D, D).

    ``|m_a - m_b|^2 + tr(A + B - 2 (A^1/2 B A^1/2)^1/2)``; the last trace is the sum of the square roots of the
    eigenvalues of the symmetric matrix A^1/2 B A^1/2, which is safe where a general matrix square root is not.
    """
    root = square_root(covariance_a)
    cross = np.sqrt(np.linalg.eigvalsh(root @ covariance_b @ root).clip(min=0)).sum()
    return float(((mean_a - mean_b) ** 2).sum() + np.trace(covariance_a) + np.trace(covariance_b) - 2 * cross)


@measure(
    "vis_frechet", title="visual similarity", family="visual", directed=False, needs=["images"],
    description="minus the squared Fréchet distance of the image features, covariances shrunk by Ledoit and Wolf",
)  # fmt: skip
def vis_frechet(corpus: Corpus) -> np.ndarray:
    """(n, n)."""
    from sklearn.covariance import ledoit_wolf  # slow to import, and whoever names a measure imports this file

    samples = equal_samples(corpus)
    means = [sample.mean(axis=0) for sample in samples]
    covariances = [ledoit_wolf(sample)[0] for sample in samples]
    count = len(samples)
    values = np.zeros((count, count))
    for i in range(count):
        for j in range(i):
            values[i, j] = values[j, i] = -frechet(means[i], covariances[i], means[j], covariances[j])
    return values


@measure(
    "vis_centroid", title="centroid of images", family="visual", directed=False, needs=["images"], standard=False,
    description="cosine of the mean image features, less their mean over tasks",
)  # fmt: skip
def vis_centroid(corpus: Corpus) -> np.ndarray:
    """(n, n); NaN for a task whose mean is that of all."""
    return centred_cosines(np.stack([np.asarray(images, dtype=np.float64).mean(axis=0) for images in corpus.images]))
