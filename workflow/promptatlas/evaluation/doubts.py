"""What a frozen model's answers suggest about names and labels: class names that it cannot tell apart or that say nothing, labels that may
be swapped, and scores that are no better than guessing. Nothing here is an error.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from scipy.special import bdtrc

from promptatlas.base.messages import counted, some
from promptatlas.tasks import metrics

SAME = 0.999  # cosine of the features of two class names
SHARE = 0.8  # below this share of chance labels are probably swapped
ERRORS = 3  # by how many standard errors a score must be below that of guessing
FEW = 3
CODES = 0.9  # the share of class names from which on they are codes
GUESSING = 0.05  # with this probability some of several prompts that guess is called better
_CODE = re.compile(r"(?:class|label|category|cls|type|group|id|[^\W\d_]{1,2})?[\W_]*\d[\d\W_]*[^\W\d_]?", re.IGNORECASE)


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
    """A sentence if the zero-shot prompt's score on so many test images is far below that of guessing; empty if it is not, or not known.

    Not known is it where the metric knows no standard error of guessing.
    """
    if not score < SHARE * chance:  # also of a task of which nothing is known
        return ""
    error = metrics.lookup(metric).guessing_error
    if error is None or not images or not score < chance - ERRORS * error(chance, images):
        return ""
    return (
        f"the score of the zero-shot prompt, {100 * score:.1f} %, is far below the {100 * chance:.1f} % of guessing: the labels, or the "
        "names in `classes`, are probably swapped"
    )


def codes(names: Sequence[str], templates: Sequence[str]) -> str:
    """A sentence where class names look like numbers or codes (`3`, `class_7`, `n01440764`) and no template says that they are numbers."""
    found = _coded(names, templates)
    if not found or len(found) < CODES * len(names):
        return ""
    return f"the class names look like codes ({some(found, FEW)}), which say little to a prompt; give names that describe with `classes`"


def say_nothing(names: Sequence[str], templates: Sequence[str], features: np.ndarray) -> bool:
    """Whether most class names say nothing to the model: they look like codes, or their features (C, D), of length one, are those of
    another. A score below guessing then tells nothing of the labels.
    """
    same = features @ features.T > SAME
    np.fill_diagonal(same, False)
    codes = _coded(names, templates)
    return sum(name in codes or bool(row.any()) for name, row in zip(names, same, strict=True)) > len(names) / 2


def _coded(names: Sequence[str], templates: Sequence[str]) -> list[str]:
    if any(word in template for template in templates for word in ("number", "digit")):
        return []
    return [name for name in names if _CODE.fullmatch(name.strip())]


def guess(metric: str, labels: np.ndarray, classes: int) -> float:
    """What the best way to guess scores on such labels: blindly, or always the largest class."""
    chance = metrics.chance(metric, labels, classes)
    return max(chance, float(np.bincount(labels).max() / len(labels))) if metric == metrics.ONE_CLASS else chance


def guessed(metric: str, scores: Sequence[float], labels: np.ndarray, classes: int) -> str:
    """A sentence where none of the scores of several prompts on the same images is above guessing, allowing for how many they are; empty
    where one is, or the metric knows no standard error of guessing; another where the images are so few that none could be. labels: (N,)
    class numbers or (N, C) marks.
    """
    error, count, best = metrics.lookup(metric).guessing_error, len(labels), max(scores)
    if error is None:
        return ""
    chance = guess(metric, labels, classes)

    def as_good(score: float) -> float:
        """How probably guessing scores that, or more."""
        if metric == metrics.ONE_CLASS:  # of few images that are right the number is far from normal
            return float(bdtrc(round(score * count) - 1, count, chance)) if round(score * count) else 1.0
        return 1 - NormalDist().cdf((score - chance) / error(chance, count))

    if len(scores) * as_good(best) < GUESSING:
        return ""
    if len(scores) * as_good(1.0) >= GUESSING:
        return (
            f"{counted(count, 'image')} of {classes} classes are too few to tell any of {counted(len(scores), 'prompt')} from "
            "guessing, even one that is right on all"
        )
    return (
        f"no prompt, the zero-shot one included, is surely better than guessing on these images (the best {100 * best:.1f} %, "
        f"guessing {100 * chance:.1f} %): perhaps this backbone does not see these classes or their names say nothing to it, or there are "
        "too few images"
    )
