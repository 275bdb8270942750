"""Label similarity: how close two tasks' class names lie in the text-embedding space, or which they share. Knows nothing of images."""

import re
from collections.abc import Sequence

import numpy as np

from promptatlas.evaluation.similarity.registry import Corpus, measure


def centred_unit(classes: Sequence[np.ndarray]) -> list[np.ndarray]:
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
    return covers(corpus.classes)


def covers(classes: Sequence[np.ndarray]) -> np.ndarray:
    """(n, n) how well the class names of a task (row), with features (C_t, D), cover those of another (column)."""
    embeddings = centred_unit(classes)
    return np.array([[(target @ source.T).max(axis=1).mean() for target in embeddings] for source in embeddings])


def centred_cosines(vectors: np.ndarray) -> np.ndarray:
    """Cosines (n, n) of vectors (n, D) less their mean; NaN for one that is the mean."""
    centred = vectors - vectors.mean(axis=0)
    lengths = np.linalg.norm(centred, axis=1)
    tiny = lengths <= 1e-9 * np.linalg.norm(vectors, axis=1)
    unit = centred / np.where(tiny, np.nan, lengths)[:, None]
    return unit @ unit.T


def plain(name: str) -> str:
    """A class name in lower case, with single spaces for all that is neither letter nor digit."""
    return " ".join(re.findall(r"[^\W_]+", name.casefold()))


@measure(
    "lab_centroid", title="centroid of class names", family="label", directed=False, needs=["class_names"], standard=False,
    description="cosine of the mean class-name embeddings, less their mean over tasks",
)  # fmt: skip
def lab_centroid(corpus: Corpus) -> np.ndarray:
    """(n, n); NaN for a task whose mean is that of all."""
    return centred_cosines(np.stack([np.asarray(embedding, dtype=np.float64).mean(axis=0) for embedding in corpus.classes]))


@measure(
    "lab_overlap", title="shared class names", family="label", directed=False, needs=[], standard=False,
    description="Jaccard overlap of the class names, in lower case and without punctuation",
)  # fmt: skip
def lab_overlap(corpus: Corpus) -> np.ndarray:
    """(n, n)."""
    names = _names(corpus)
    return np.array([[len(a & b) / len(a | b) for b in names] for a in names])


@measure(
    "lab_share", title="share of class names", family="label", directed=True, needs=[], standard=False,
    description="share of the target’s class names that the source has too",
)  # fmt: skip
def lab_share(corpus: Corpus) -> np.ndarray:
    """(n, n)."""
    names = _names(corpus)
    return np.array([[len(source & target) / len(target) for target in names] for source in names])


def _names(corpus: Corpus) -> list[set[str]]:
    return [{plain(name) for name in task.class_names} for task in corpus.tasks]
