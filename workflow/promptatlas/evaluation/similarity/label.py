"""Label similarity: how close two tasks' class names lie in the text-embedding space. Knows nothing of images."""

import numpy as np

from promptatlas.evaluation.similarity.registry import Corpus, measure


def centred_unit(classes: tuple[np.ndarray, ...]) -> list[np.ndarray]:
    """Class embeddings (C_t, D) of every task, minus the mean over all classes of all tasks, scaled to length one.

    Uncentred embeddings lie in a narrow cone in which every cosine is close to one.
    """
    mean = np.concatenate(classes).astype(np.float64).mean(axis=0)
    centred = [np.asarray(embedding, dtype=np.float64) - mean for embedding in classes]
    return [embedding / np.linalg.norm(embedding, axis=1, keepdims=True).clip(min=1e-12) for embedding in centred]


@measure(
    "lab_cover", title="label similarity", family="label", directed=True, needs=["class_names"],
    description="how well the source’s class names cover the target’s: the mean over target classes of the best cosine",
)  # fmt: skip
def lab_cover(corpus: Corpus) -> np.ndarray:
    """(n, n)."""
    embeddings = centred_unit(corpus.classes)
    return np.array([[(target @ source.T).max(axis=1).mean() for target in embeddings] for source in embeddings])
