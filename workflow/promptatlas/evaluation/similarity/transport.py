"""Optimal transport: how far the images or class names of one task have to be moved to lie where those of another lie.

Exact and by scipy alone: an assignment where as many points of equal weight stand on both sides, else a linear programme, which takes
0.3 s for 397 and 196 classes. A library for transport would be 180 MB more to install.
"""

import numpy as np

from promptatlas.evaluation.similarity.label import centred_unit
from promptatlas.evaluation.similarity.registry import Corpus, measure
from promptatlas.evaluation.similarity.samples import by_pair, equal_samples

IMAGES = 1000


def transport(cost: np.ndarray) -> float:
    """Least mean cost of moving P points of weight 1/P onto Q points of weight 1/Q, cost (P, Q)."""
    from scipy.optimize import linear_sum_assignment, linprog
    from scipy.sparse import eye_array, kron, vstack

    sources, targets = cost.shape
    if sources == targets:
        return float(cost[linear_sum_assignment(cost)].mean())
    leaves = kron(eye_array(sources), np.ones((1, targets)))
    arrives = kron(np.ones((1, sources)), eye_array(targets))
    weights = np.repeat([1 / sources, 1 / targets], [sources, targets])
    # The last equation follows from the others.
    found = linprog(cost.ravel(), A_eq=vstack([leaves, arrives]).tocsr()[:-1], b_eq=weights[:-1], method="highs-ds")
    return float(found.fun)


def squared_distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(P, Q) between points (P, D) and (Q, D)."""
    squared = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1) - 2 * one @ other.T
    return squared.clip(min=0)


@measure(
    "vis_w2", title="transport of images", family="visual", directed=False, needs=["images"], standard=False,
    description="minus the squared 2-Wasserstein distance of the image features, exact, as many images from each task",
)  # fmt: skip
def vis_w2(corpus: Corpus) -> np.ndarray:
    """(n, n)."""
    return by_pair(equal_samples(corpus, IMAGES), lambda a, b: -transport(squared_distances(a, b)), itself=0)


@measure(
    "lab_ot", title="transport of class names", family="label", directed=False, needs=["class_names"], standard=False,
    description="minus the least mean cost, 1 − cosine, of moving the source’s class names onto the target’s",
)  # fmt: skip
def lab_ot(corpus: Corpus) -> np.ndarray:
    """(n, n)."""
    return by_pair(centred_unit(corpus.classes), lambda a, b: -transport(1 - a @ b.T), itself=0)
