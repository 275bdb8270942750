"""Optimal transport of images together with what their labels mean: a class is where its images lie, so that classes of two tasks can be
compared though they share no name (Alvarez-Melis & Fusi, NeurIPS 2020).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from promptatlas.base.rng import named_rng
from promptatlas.evaluation.similarity.registry import Corpus, measure
from promptatlas.evaluation.similarity.transport import squared_distances, transport

IMAGES = 1000


class LabelledImages(NamedTuple):
    """Images (N, D) of one task, each with its class number (N,), and the Gaussians of the C classes that have any: means and standard
    deviations (C, D) along each axis."""

    images: np.ndarray
    classes: np.ndarray
    means: np.ndarray
    spreads: np.ndarray


def labelled(images: np.ndarray, classes: np.ndarray, every: np.ndarray | None = None, of: np.ndarray | None = None) -> LabelledImages:
    """Images (N, D) with class numbers (N,) of any numbers. every, of: the images and class numbers that the Gaussians come from, if
    others; they hold all classes. A class of one image has no spread."""
    every, of = (images, classes) if every is None or of is None else (every, of)
    names, places = np.unique(of, return_inverse=True)
    groups = [np.asarray(every[places == place], dtype=np.float64) for place in range(len(names))]
    means, spreads = np.stack([one.mean(axis=0) for one in groups]), np.stack([one.std(axis=0) for one in groups])
    return LabelledImages(np.asarray(images, dtype=np.float64), np.searchsorted(names, classes), means, spreads)


def distance(one: LabelledImages, other: LabelledImages) -> float:
    """Squared: the least mean over pairs of images of ``|x - x'|^2 + W2^2(class of x, class of x')``.

    The squared 2-Wasserstein distance of two Gaussians with diagonal covariances is that of their means plus that of their
    standard deviations, which is what diagonal covariances are taken for here, as an option of the authors' code does.
    """
    between = squared_distances(one.means, other.means) + squared_distances(one.spreads, other.spreads)
    return transport(squared_distances(one.images, other.images) + between[one.classes[:, None], other.classes])


def one_class_each(names: Sequence[str], labels: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Class numbers (N,) of each task, -1 for an image of none: of several marks (N, C) of an image one, at random."""
    found = []
    for name, own in zip(names, labels, strict=True):
        if own.ndim == 1:
            found.append(own)
            continue
        marks = own > 0
        chance = named_rng("similarity", "otdd", name).random(marks.shape) * marks
        found.append(np.where(marks.any(axis=1), chance.argmax(axis=1), -1))
    return found


@measure(
    "vis_otdd", title="transport of labelled images", family="visual", directed=False, needs=["images", "labels"], standard=False,
    description="minus the squared optimal-transport distance of two data sets, labels taken for Gaussians of their images, exact, as many "
    "images from each task",
)  # fmt: skip
def vis_otdd(corpus: Corpus) -> np.ndarray:
    """(n, n); NaN where a task has no image with a label."""
    classes = one_class_each(corpus.names, corpus.labels)
    usable = [np.flatnonzero(own >= 0) for own in classes]
    size, samples = min([IMAGES, *(len(own) for own in usable if len(own))]), []
    for name, images, own, rows in zip(corpus.names, corpus.images, classes, usable, strict=True):
        some = rows[np.sort(named_rng("similarity", "sample", name).permutation(len(rows))[:size])]
        samples.append(labelled(images[some], own[some], images[rows], own[rows]) if len(rows) else None)
    values = np.full((len(samples),) * 2, np.nan)
    for i, one in enumerate(samples):
        for j, other in enumerate(samples[:i]):
            if one is not None and other is not None:
                values[i, j] = values[j, i] = -distance(one, other)
        values[i, i] = np.nan if one is None else 0.0
    return values
