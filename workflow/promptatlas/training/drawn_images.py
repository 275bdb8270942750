"""The images of few-shot draws of K learners side by side: their frozen features, or the images themselves, which each step embeds anew.

Knows nothing of how a prompt is trained on them.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from promptatlas.backbone import Backbone
from promptatlas.backbone.classifier import PromptedClassifier
from promptatlas.backbone.passes import in_passes, joined
from promptatlas.backbone.prompts import Prompts
from promptatlas.training.augmentation import Crops, cropped
from promptatlas.training.image_batch import ImageBatch, batches_of


class Looked(Protocol):
    """What draws are looked up in: the rows, labels and images of a prepared task, or of several as one."""

    def rows(self, split: str, numbers: np.ndarray) -> np.ndarray: ...

    def labels(self, split: str) -> np.ndarray: ...

    def images(self, split: str) -> Any: ...


class _Draws:
    """K few-shot draws of one split; learner k's rows are numbered 0..sizes[k] - 1, shorter draws are padded.

    labels (K, N) or (K, N, C) lie on the device, `truth` is the same on the host.
    """

    def __init__(self, task: Looked, split: str, indices: list[np.ndarray], device: torch.device) -> None:
        self.sizes = [len(rows) for rows in indices]
        self.device = device
        longest = max(self.sizes)
        rows = [task.rows(split, numbers) for numbers in indices]
        self.rows = np.stack([np.pad(own, (0, longest - len(own)), mode="edge") for own in rows])
        self.truth = np.asarray(task.labels(split))[self.rows]
        self.labels = torch.from_numpy(self.truth).to(device)
        self.learner = torch.arange(len(indices), device=device).unsqueeze(1)

    def batches(
        self, size: int, permutations: list | None = None, equal: bool = False, seen: list[int] | None = None
    ) -> Iterator[ImageBatch]:
        """Each draw once, `size` examples at a time. equal: the last batch is as large as the others, by examples of weight 0. seen: how
        many of each draw, the first of its order; all if not given."""
        seen = seen or self.sizes
        longest = max(seen)
        padded = -longest % size if equal and longest > size else 0
        order = np.zeros((len(self.sizes), longest + padded), dtype=np.int64)
        for k, own in enumerate(self.sizes):
            order[k, : seen[k]] = (permutations[k](own) if permutations else np.arange(own))[: seen[k]]
        present = np.arange(order.shape[1]) < np.array(seen)[:, None]
        lengths = [min(size, order.shape[1] - start) for start in range(0, order.shape[1], size)]
        return batches_of(order, present, lengths, self.device)

    def begin(self) -> None:
        """To be called before an epoch."""

    def labels_at(self, rows: Tensor) -> Tensor:
        """Labels (K, B) or, multi-label, (K, B, C)."""
        return self.labels[self.learner, rows]


class FeatureDraws(_Draws):
    """For text-only methods: the frozen image features, computed once, (K, N, embed_dim)."""

    sees = False  # whether a step reads images

    def __init__(self, backbone: Backbone, classifier: PromptedClassifier, task: Looked, split: str, indices: list) -> None:
        super().__init__(task, split, indices, backbone.device)
        images = task.images(split)
        unique, inverse = np.unique(self.rows, return_inverse=True)
        with torch.no_grad():
            read = backbone.vision.read
            parts = in_passes(lambda part: backbone.vision.encode(read(images[unique[part]])), len(unique), 256, backbone.room, "images")
        where = torch.from_numpy(inverse.reshape(self.rows.shape)).to(backbone.device)
        self.cached = joined(parts)[where]

    def features(self, prompts: Prompts, batch: ImageBatch) -> Tensor:
        return self.cached[self.learner, batch.rows]

    def alike(self, batch: ImageBatch) -> bool:
        """Whether a step is to be computed for the images of one learner that are those of all: never, as they cost nothing here."""
        return False


class ImageDraws(_Draws):
    """For methods with visual prompts, and for all with crops: uint8 images of all draws, each held once, embedded again at every
    step."""

    sees = True
    crops: Crops | None = None

    def __init__(
        self, backbone: Backbone, classifier: PromptedClassifier, task: Looked, split: str, indices: list, crops: Crops | None = None
    ) -> None:
        super().__init__(task, split, indices, backbone.device)
        self.backbone, self.classifier, self.crops = backbone, classifier, crops
        unique, inverse = np.unique(self.rows, return_inverse=True)
        self.images = backbone.vision.resized(task.images(split)[unique])
        self.which = inverse.reshape(self.rows.shape)
        self.where = torch.from_numpy(self.which).to(backbone.device)

    def features(self, prompts: Prompts, batch: ImageBatch) -> Tensor:
        if prompts.visual is None:
            return self.frozen(batch.rows)
        which = self.where[self.learner, batch.rows]
        if self.alike(batch):  # what no prompt changes runs once
            which = which[:1]
        with torch.no_grad():
            tokens = self.backbone.vision.embed(self._read(which, batch.rows)).unflatten(0, which.shape)
        return self.classifier.image_features(prompts, tokens)

    @torch.no_grad()
    def frozen(self, rows: Tensor) -> Tensor:
        """Unit image features (K, B, embed_dim) without a prompt."""
        return self.backbone.vision.encode(self._read(self.where[self.learner, rows], rows)).unflatten(0, rows.shape)

    def _read(self, which: Tensor, rows: Tensor) -> Tensor:
        """Normalised images (n, 3, R, R), those numbered `which`, as rows (K, B) have them in this epoch."""
        images = self.images[which.flatten()]
        if self.crops is not None:
            images = cropped(images, self.crops.boxes[self.learner, rows].flatten(0, 1))
        return self.backbone.vision.normalise(images)

    def begin(self) -> None:
        if self.crops is not None:
            self.crops.draw()

    def alike(self, batch: ImageBatch) -> bool:
        """Whether all learners look at the same images."""
        if self.crops is not None:
            return False
        which = np.take_along_axis(self.which, batch.on_host, axis=1)
        return bool((which == which[:1]).all())


def logits_of(classifier: PromptedClassifier, prompts: Prompts, held: FeatureDraws | ImageDraws, weights: Tensor | None) -> Tensor:
    """Logits (K, N, C) of all images of K draws, some at a time. weights: those of the classes (K or 1, C, e), None where each image has
    its own."""

    def some(batch: ImageBatch, part: slice) -> Tensor:
        return classifier.answer(prompts, held.features(prompts, batch[part]), weights)

    room, parts = classifier.backbone.room, []
    for batch in held.batches(256):
        count = batch.on_host.shape[1]
        parts += in_passes(partial(some, batch), count, count, room, "validation images", len(prompts))
    return joined(parts, dim=1)
