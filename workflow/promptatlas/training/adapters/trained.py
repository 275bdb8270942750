"""What adapters that are trained on frozen features share: epochs, steps and answers, of as many images at once as memory holds.

Knows nothing of what is trained.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from promptatlas.backbone.accelerator import sent
from promptatlas.backbone.passes import Room, in_passes, joined
from promptatlas.base import memory
from promptatlas.base.errors import UserError
from promptatlas.base.stage import through
from promptatlas.tasks import metrics
from promptatlas.training.learner_loss import loss
from promptatlas.training.micro_batches import in_micro_batches
from promptatlas.training.optimisers import Optimiser
from promptatlas.training.selection import Best


@dataclass(frozen=True)
class Examples:
    """features (N, D), or (P, N, D) of P augmented passes of the same images; labels (N,) or marks (N, C)."""

    features: Tensor
    labels: Tensor

    @property
    def passes(self) -> Tensor:
        return self.features if self.features.dim() == 3 else self.features.unsqueeze(0)

    def unit(self, epoch: int) -> Tensor:
        """The unit features (N, D) that an epoch sees: the passes in turn."""
        return F.normalize(self.passes[epoch % len(self.passes)], dim=-1)


class Ready(Protocol):
    """A ready classifier; chosen: what validation images chose beside the epoch; best_epoch: 1-based, 0 without training."""

    @property
    def chosen(self) -> dict[str, float]: ...

    @property
    def best_epoch(self) -> int: ...

    def logits(self, features: Tensor) -> Tensor:
        """(N, C) of unit image features (N, D)."""


Kept = TypeVar("Kept")


def epochs(
    count: int, epoch: Callable[[int], Tensor], now: Callable[[], tuple[Kept, Tensor]], best: Best[tuple[int, Kept]], truth: Tensor,
    metric: str, remedy: str,
) -> tuple[int, Kept, list[dict]]:  # fmt: skip
    """Trains for `count` epochs; the epoch that was chosen, 1-based, what was kept of it, and a row of history for each.

    epoch: trains through the 0-based one and gives the mean loss; now: what is to be kept as it is, and its logits of the validation
    images, whose labels are `truth`; remedy: what to do if the loss is no number.
    """
    labels, history = truth.cpu().numpy(), []
    for number in through(range(count), "epoch"):
        mean = epoch(number).item()
        if not math.isfinite(mean):
            raise UserError(f"The adapter's loss is not a number; {remedy}.")
        kept, logits = now()
        score = metrics.score(metric, logits.cpu().numpy(), labels).value
        history.append({"epoch": number + 1, "loss": mean, "validation_score": score})
        best.offer(score, lambda kept=kept, number=number: (number + 1, kept))
    return *best.taken(), history


def batches(count: int, size: int, order: np.random.Generator, device: torch.device) -> Iterator[Tensor]:
    """Each of `count` images once, in a new order, `size` at a time."""
    yield from sent(order.permutation(count), device).split(size)


def step(optimizer: Optimiser, answers: Callable[[slice], Tensor], labels: Tensor, room: Room) -> Tensor:
    """One step down; returns the loss before it, summed over the images that `answers` (B, C) are of. labels (B,) or marks (B, C)."""
    total = gradient(optimizer.zero_grad, answers, labels, room)
    optimizer.step()
    return total


def gradient(begin: Callable[[], None], answers: Callable[[slice], Tensor], labels: Tensor, room: Room) -> Tensor:
    """Leaves the gradient of the mean loss at the parameters, where `begin` forgets what there was; returns the sum of the losses."""

    def piece(part: slice) -> Tensor:
        own = labels[part]
        value = loss(answers(part)[None], own[None], torch.ones(1, len(own), device=own.device))[0]
        (value * (len(own) / len(labels))).backward()
        return value.detach().double() * len(own)

    return in_micro_batches(piece, begin, len(labels), len(labels), room, "images of a step")


def in_parts(logits: Callable[[Tensor], Tensor], features: Tensor, room: Room) -> Tensor:
    """Logits (N, C) of features (N, D), of as many images at once as fit."""
    with memory.told("an adapter runs out of GPU memory with a single image; use a GPU with more memory."):
        return joined(in_passes(lambda part: logits(features[part]), len(features), len(features), room, "images"))
