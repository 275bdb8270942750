"""As many images from every task, and what is measured for each pair of tasks."""

from collections.abc import Callable, Sequence

import numpy as np

from promptatlas.base.rng import named_rng
from promptatlas.evaluation.similarity.registry import Corpus

MOST_IMAGES = 2000


def equal_samples(corpus: Corpus, most: int = MOST_IMAGES) -> list[np.ndarray]:
    """As many images from every task, (N, D) each: distances are biased upwards by small samples, so N must not differ."""
    size = min(most, min(len(images) for images in corpus.images))
    samples = []
    for name, images in zip(corpus.names, corpus.images, strict=True):
        chosen = np.sort(named_rng("similarity", "sample", name).permutation(len(images))[:size])
        samples.append(np.asarray(images[chosen], dtype=np.float64))
    return samples


def by_pair(given: Sequence[np.ndarray], closeness: Callable[[np.ndarray, np.ndarray], float], itself: float) -> np.ndarray:
    """(n, n) of what is the same both ways; `itself` on the diagonal."""
    count = len(given)
    values = np.full((count, count), float(itself))
    for i in range(count):
        for j in range(i):
            values[i, j] = values[j, i] = closeness(given[i], given[j])
    return values
