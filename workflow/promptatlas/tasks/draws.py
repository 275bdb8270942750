"""Few-shot draws: which images of the pools a prompt may be trained on.

Two published schemes. "coop" draws k per class from the train pool and min(k, 4) per class from the validation pool
(CoOp, Zhou et al. 2022, as in Dassl). "elevater" walks a shuffled train pool greedily and sets a fifth of the draw
aside for validation (ELEVATER, Li et al. 2022, as in vision-datasets 0.2.17).
"""

import hashlib
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from promptatlas.base.errors import UserError
from promptatlas.base.rng import named_rng

SCHEMES = ("coop", "elevater")
MOST_VALIDATION_SHOTS = 4
EMPTY = {
    "train": "add some or leave the task out",
    "validation": "write `draw: elevater`, which validates on training images, add a folder `val` (or a validation list), or add training "
    "images: where a class has two or more, some are set aside",
}  # fmt: skip


@dataclass(frozen=True)
class Draw:
    """Indices into the train pool and into the pool `validation_split` ("validation" or "train"), with their labels."""

    train: np.ndarray
    validation: np.ndarray
    validation_split: str
    train_labels: np.ndarray
    validation_labels: np.ndarray

    @property
    def sha256(self) -> str:
        """Hash over the drawn indices and their labels: equal draws of equal data, and only those, agree."""
        digest = hashlib.sha256(self.validation_split.encode())
        for array in (self.train, self.validation, self.train_labels, self.validation_labels):
            digest.update(str(array.shape).encode() + np.ascontiguousarray(array, dtype="<i8").tobytes())
        return digest.hexdigest()

    def without(self, train: list[int], validation: list[int]) -> "Draw":
        """The draw without the images of these numbers in the pools, which cannot be read."""
        kept = ~np.isin(self.train, train)
        held = ~np.isin(self.validation, validation if self.validation_split == "validation" else train)
        return Draw(
            self.train[kept], self.validation[held], self.validation_split,
            self.train_labels[kept], self.validation_labels[held],
        )  # fmt: skip

    def shots_per_class(self, classes: int) -> list[int]:
        """How many training images each class really has: fewer than asked for where the pool has no more."""
        return by_class(self.train_labels, classes).tolist()


@dataclass(frozen=True)
class NestedDraw:
    """Images of the train pool in draws of several sizes, each within the next larger one.

    images: (N,) their numbers in the pool, ascending; shots: (N,) the smallest number of images per class with which each is drawn.
    """

    images: np.ndarray
    shots: np.ndarray

    def without(self, images: Sequence[int]) -> "NestedDraw":
        """The draw without the images of these numbers in the pool, which cannot be read."""
        kept = ~np.isin(self.images, images)
        return NestedDraw(self.images[kept], self.shots[kept])


def nested_draw(labels: np.ndarray, shots: Sequence[int], seed: int, task_name: str, scheme: str = "coop") -> NestedDraw:
    """Draw from the labels (N,) or marks (N, C) of the train pool as many images per class as each of `shots` says.

    The largest are the images that `draw` takes from the train pool with this seed, those set aside for validation among them. The next
    smaller are drawn from them in the same way, with random numbers of their own, and so on.
    """
    *smaller, largest = sorted(shots)
    images = np.sort(_from_pool(labels, largest, seed, scheme))
    least = np.full(len(images), largest)
    within = np.arange(len(images))
    for few in reversed(smaller):
        own = int(named_rng("nested draw", task_name, seed, few).integers(2**31))
        within = within[np.sort(_from_pool(labels[images[within]], few, own, scheme))]
        least[within] = few
    return NestedDraw(images, least)


def _from_pool(labels: np.ndarray, shots: int, seed: int, scheme: str) -> np.ndarray:
    """Numbers of the images of one pool that a scheme draws."""
    if scheme == "elevater" or labels.ndim == 2:
        return greedy(labels, shots, seed)
    return per_class(labels, shots, random.Random(seed))


def draw(
    labels_train: np.ndarray,
    labels_validation: np.ndarray,
    shots: int,
    seed: int,
    task_name: str,
    scheme: str = "coop",
) -> Draw:
    """Draw `shots` images per class.

    Labels are (N,) class numbers or (N, C) marks. The draw depends on `seed` and the labels only; `task_name` is for
    messages. Multi-label pools under "coop" are walked greedily, each pool for itself, as CoOp has no rule for them.
    """
    if scheme not in SCHEMES:
        raise UserError(f"Few-shot scheme {scheme!r} is unknown; use one of {', '.join(SCHEMES)}.")
    if shots < 1:
        raise UserError(f"shots is {shots}; a few-shot draw needs at least 1 image per class.")
    for split, labels in (("train", labels_train), ("validation", labels_validation)):
        if len(labels) == 0 and (split == "train" or scheme == "coop"):
            raise UserError(f"task {task_name!r} has no {split} images to draw from; {EMPTY[split]}")
    multilabel = labels_train.ndim == 2
    if scheme == "elevater":
        drawn = greedy(labels_train, shots, seed)
        held_out = first_fifth(labels_train[drawn])
        kept = held_out if shots == 1 else np.setdiff1d(np.arange(len(drawn)), held_out)
        return _with_labels(drawn[kept], drawn[held_out], "train", labels_train, labels_train)
    few = min(shots, MOST_VALIDATION_SHOTS)
    if multilabel:
        train, validation = greedy(labels_train, shots, seed), greedy(labels_validation, few, seed)
    else:
        generator = random.Random(seed)
        train = per_class(labels_train, shots, generator)
        validation = per_class(labels_validation, few, generator)
    return _with_labels(train, validation, "validation", labels_train, labels_validation)


def by_class(labels: np.ndarray, classes: int) -> np.ndarray:
    """How many images each class has, (C,), from class numbers (N,) or marks (N, C)."""
    return labels.sum(axis=0) if labels.ndim == 2 else np.bincount(labels, minlength=classes)


def per_class(labels: np.ndarray, shots: int, generator: random.Random) -> np.ndarray:
    """CoOp's draw: for each class, in order of first appearance, `shots` of its images (all, in order, if fewer)."""
    groups: dict[int, list[int]] = {}
    for index, label in enumerate(labels.tolist()):
        groups.setdefault(label, []).append(index)
    chosen: list[int] = []
    for members in groups.values():
        chosen += generator.sample(members, shots) if len(members) >= shots else members
    return np.array(chosen, dtype=np.int64)


def greedy(labels: np.ndarray, shots: int, seed: int) -> np.ndarray:
    """ELEVATER's draw: walk the shuffled pool and keep an image while one of its classes still needs it.

    An image is skipped if every class on it has its `shots`; otherwise it is kept unless it would push a full class
    too far (beyond 1.5 times `shots`) for the sake of a class that is already half full. An image without
    any class is kept up to `shots` times. The walk ends when every class has enough.
    """
    marks = _marks(labels)
    order = list(range(len(labels)))
    random.Random(seed).shuffle(order)
    counts = np.zeros(marks.shape[1], dtype=np.int64)
    wanted = marks.any(axis=0)
    negatives, chosen = 0, []
    for index in order:
        present = counts[marks[index]]
        if present.size == 0:
            if negatives < shots:
                negatives += 1
                chosen.append(index)
            continue
        if present.min() >= shots:
            continue
        if present.min() <= shots / 2 or present.max() <= 1.5 * shots:
            counts[marks[index]] += 1
            chosen.append(index)
        if (counts[wanted] >= shots).all():
            break
    return np.array(chosen, dtype=np.int64)


def first_fifth(labels: np.ndarray) -> np.ndarray:
    """Positions held out for validation: first fit, until each class has a fifth of its images, rounded up."""
    marks = _marks(labels)
    missing = np.array([math.ceil(0.2 * n) for n in marks.sum(axis=0)])
    held_out = []
    for position, mark in enumerate(marks):
        if (missing[mark] > 0).any():
            missing[mark] -= 1
            held_out.append(position)
    return np.array(held_out, dtype=np.int64)


def _marks(labels: np.ndarray) -> np.ndarray:
    """Boolean (N, C) marks from class numbers or marks."""
    if labels.ndim == 2:
        return labels.astype(bool)
    return labels[:, None] == np.arange(labels.max() + 1)


def _with_labels(train: np.ndarray, validation: np.ndarray, split: str, labels_train: np.ndarray, labels_validation: np.ndarray) -> Draw:
    return Draw(train, validation, split, np.asarray(labels_train[train]), np.asarray(labels_validation[validation]))
