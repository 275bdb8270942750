"""Made-up tasks of a given size, for microbenchmarks: images are noise, answers mean nothing."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice, product

import numpy as np
import torch

from promptatlas.backbone.architecture import Architecture
from promptatlas.backbone.image_tower import ImageTower
from promptatlas.study.costs import Work
from promptatlas.study.sizes import Size
from promptatlas.tasks import metrics
from promptatlas.tasks.draws import Draw
from promptatlas.tasks.task import Task
from promptatlas.training.adapters import Examples

Run = Callable[[], object]
Benchmark = tuple[Work, Callable[[], Run]]  # what is done, and getting ready to do it

WORDS = "red blue green white black big small old new good car dog cat house tree road".split()


class MadeUp:
    """A task of a given size: what `single_task` and `evaluate` ask of a prepared one."""

    def __init__(self, size: Size, pixels: int) -> None:
        self.size, self.pixels = size, pixels
        several = metrics.lookup(size.metric).multilabel
        self.task = Task("made up", "made up", "any", names(size.classes), ("a photo of a {}.",), size.metric, several)

    def images(self, split: str) -> np.ndarray:
        shape = (getattr(self.size, split), self.pixels, self.pixels, 3)
        return np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)

    def labels(self, split: str) -> np.ndarray:
        labels = np.arange(getattr(self.size, split)) % self.size.classes
        return np.eye(self.size.classes, dtype=np.uint8)[labels] if self.task.multilabel else labels

    def rows(self, split: str, numbers: np.ndarray) -> np.ndarray:
        return numbers

    def draw(self) -> Draw:
        train, held = np.arange(self.size.train), np.arange(self.size.validation)
        return Draw(train, held, "validation", self.labels("train"), self.labels("validation"))

    def examples(self, split: str, width: int, device: torch.device | str = "cpu") -> Examples:
        """Features and labels; those of a class lie around a place of their own, as real ones do."""
        labels = self.labels(split)
        nearest = labels.argmax(1) if self.task.multilabel else labels
        made = unit(features(self.size.classes, width)[nearest] + 0.7 * features(len(labels), width))
        return Examples(torch.from_numpy(made).to(device), torch.from_numpy(labels).to(device))


class MadeUpFeatures(ImageTower):
    """In the place of an image tower: features of as many images, at which it does not look."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__(architecture)
        self.width = architecture.embed_dim

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(features(len(images), self.width)).to(self.device)


def names(count: int) -> tuple[str, ...]:
    """Names of words of one token each; the first differs, or the text tower would run it once for all."""
    return tuple(" ".join(reversed(words)) for words in islice(product(WORDS, repeat=words(count)), count))


def words(count: int) -> int:
    return 2 if count <= len(WORDS) ** 2 else 3


def sized(classes: int, train: int, validation: int, test: int = 0) -> Size:
    return Size((words(classes),) * classes, train, validation, test, 0)


def features(count: int, width: int) -> np.ndarray:
    return unit(np.random.default_rng(0).normal(size=(count, width)).astype(np.float32))


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
