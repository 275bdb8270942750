"""What a frozen model's answers suggest about names and labels: class names that it cannot tell apart, and labels that may be
swapped. Nothing here is an error.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from promptatlas.base.messages import counted, some
from promptatlas.tasks import metrics

SAME = 0.999  # cosine of the features of two class names
SHARE = 0.8  # below this share of chance labels are probably swapped
ERRORS = 3  # by how many standard errors a score must be below that of guessing
FEW = 3


def alike(names: Sequence[str], features: np.ndarray) -> str:
    """A sentence without a full stop that names classes with features (C, D), of length one, that are the same; empty if none are."""
    first, second = np.nonzero(np.triu(features @ features.T > SAME, 1))
    if not len(first):
        return ""
    pairs = some((f"{names[i]} and {names[j]}" for i, j in zip(first.tolist(), second.tolist(), strict=True)), FEW)
    return (
        f"the model cannot tell {counted(len(first), 'pair')} of class names apart ({pairs}; cosine above {SAME}); "
        "give names that differ in meaning with `classes`"
    )


def swapped(metric: str, score: float, chance: float, images: int) -> str:
    """A sentence if the zero-shot score of so many test images is far below that of guessing; empty if it is not, or not known.

    Not known is it where the metric knows no standard error of guessing.
    """
    if not score < SHARE * chance:  # also of a task of which nothing is known
        return ""
    error = metrics.lookup(metric).guessing_error
    if error is None or not images or not score < chance - ERRORS * error(chance, images):
        return ""
    return (
        f"its zero-shot score, {100 * score:.1f} %, is far below the {100 * chance:.1f} % of guessing: the labels, or the names in "
        "`classes`, are probably swapped"
    )
