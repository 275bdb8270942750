"""Images of several tasks, each judged among the classes of its own task, which lie side by side. Knows nothing of how they are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from promptatlas.backbone.accelerator import sent
from promptatlas.training.learner_loss import NEVER, loss


@dataclass(frozen=True)
class TaskPart:
    """What a batch has of one task, on the host: images (n,) and classes (R,), numbered over all tasks; labels (n,) or marks (n, R)
    among these classes.
    """

    images: np.ndarray
    classes: np.ndarray
    labels: np.ndarray


def pooled(labels: Sequence[np.ndarray], classes: Sequence[int]) -> np.ndarray:
    """Labels (n,) or marks (n, C) of each task, one task after another: class numbers among those of all (N,) or, if any task has marks,
    marks (N, sum of C). classes: how many each task has.
    """
    first = np.cumsum([0, *classes])
    if not any(own.ndim == 2 for own in labels):
        return np.concatenate([own + before for own, before in zip(labels, first, strict=False)])
    row = np.cumsum([0, *map(len, labels)])
    marks = np.zeros((row[-1], first[-1]), np.uint8)
    for i, own in enumerate(labels):
        of_task = own if own.ndim == 2 else own[:, None] == np.arange(classes[i])
        marks[row[i] : row[i + 1], first[i] : first[i + 1]] = of_task
    return marks


def task_by_task(features: Tensor, weights: Tensor, parts: Sequence[TaskPart]) -> Tensor:
    """The mean loss of images with features (B, e), each among the classes of its own task, of those with weights (R, e)."""
    total: Any = 0.0
    features_of, weights_of = features.split([len(part.images) for part in parts]), weights.split([len(part.classes) for part in parts])
    for own, classes, part in zip(features_of, weights_of, parts, strict=True):
        logits, labels = own @ classes.T, torch.from_numpy(part.labels)
        ones = torch.ones(1, len(own), dtype=logits.dtype)
        total = total + loss(logits[None], labels[None], ones)[0] * (len(own) / len(features))
    return total


def all_together(features: Tensor, weights: Tensor, parts: Sequence[TaskPart]) -> Tensor:
    """The same up to rounding, in as few kernels for many tasks as for one."""
    device, count = features.device, np.arange(len(parts))
    image_task = sent(np.repeat(count, [len(part.images) for part in parts]), device)
    class_task = sent(np.repeat(count, [len(part.classes) for part in parts]), device)
    labels = sent(pooled([part.labels for part in parts], [len(part.classes) for part in parts]), device)
    ones = torch.ones(len(features), device=device, dtype=features.dtype)
    return among_own(features @ weights.T, image_task, class_task, labels, ones)


def among_own(logits: Tensor, image_task: Tensor, class_task: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """The mean loss of images with logits (B, R), labels (B,) or marks (B, R) and weights (B,), where the probability of another task's
    classes is exactly zero. Tasks are numbers (B,) and (R,).
    """
    own = logits.masked_fill(image_task.unsqueeze(1) != class_task, NEVER)
    return loss(own[None], labels[None], weights[None])[0]
