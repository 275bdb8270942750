"""Sets of images with known factors, and tasks that label them.

An image depends on the set's name, the split and its number alone, so two tasks that label the same set see the
same images, and a longer split only adds to a shorter one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from promptatlas.base.rng import named_rng
from promptatlas.tasks.mini import looks
from promptatlas.tasks.task import Task

Factors = dict[str, Any]


class Shown(Protocol):
    """What a task takes its images from."""

    @property
    def name(self) -> str: ...

    def split(self, split: str, count: int) -> tuple[np.ndarray, list[Factors]]:
        """The first `count` images (count, 32, 32, 3) uint8 of `split` and their factors."""


@dataclass(frozen=True)
class ImageSet:
    """`factors(number, rng)` decides what image `number` shows, `draw(factors, rng)` draws it, `look` wears it."""

    name: str
    factors: Callable[[int, np.random.Generator], Factors]
    draw: Callable[[Factors, np.random.Generator], np.ndarray]
    look: Callable[[np.ndarray, np.random.Generator], np.ndarray] = looks.none

    def image(self, split: str, number: int) -> tuple[np.ndarray, Factors]:
        """Image `number` of `split`, (32, 32, 3) uint8, and its factors."""
        rng = named_rng("mini", self.name, split, number)
        factors = self.factors(number, rng)
        seen = self.look(self.draw(factors, rng) / 255, rng)
        return (seen.clip(0, 1) * 255).round().astype(np.uint8), factors

    def split(self, split: str, count: int) -> tuple[np.ndarray, list[Factors]]:
        """The first `count` images (count, 32, 32, 3) of `split` and their factors."""
        pairs = [self.image(split, number) for number in range(count)]
        return np.stack([image for image, _ in pairs]), [factors for _, factors in pairs]


@dataclass(frozen=True)
class MiniTask:
    """A task over an image set: `label(factors)` gives a class name, or for a multi-label task a set of them."""

    task: Task
    images: Shown
    label: Callable[[Factors], Any]
    sizes: dict[str, int]

    def labels(self, factors: list[Factors]) -> np.ndarray:
        """Class numbers (N,) int64, or 0/1 marks (N, C) uint8."""
        names = self.task.class_names
        if self.task.multilabel:
            return np.array([[name in self.label(f) for name in names] for f in factors], dtype=np.uint8)
        return np.array([names.index(self.label(f)) for f in factors], dtype=np.int64)


def sizes(classes: int, train: int = 64, validation: int = 12, test: int = 50) -> dict[str, int]:
    """Images per split for `classes` balanced classes, given images per class."""
    return {"train": train * classes, "validation": validation * classes, "test": test * classes}


def task_hardness(rng: np.random.Generator) -> float:
    """How worn a benchmark image is; the pretraining images are milder on average."""
    return rng.uniform(0.4, 1.0)
