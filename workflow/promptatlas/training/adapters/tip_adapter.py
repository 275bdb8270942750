"""Tip-Adapter and Tip-Adapter-F (Zhang et al. 2022, arXiv 2207.09519): the cache as it is, and with trained keys.

Both choose alpha and beta on the validation images, and so does Tip-Adapter-F its epoch; the released code chose the
epoch, and for ImageNet all three, on the test images.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from torch import Tensor

from promptatlas.backbone.accelerator import sent
from promptatlas.backbone.passes import Room, in_passes, joined
from promptatlas.base import memory
from promptatlas.base.errors import UserError
from promptatlas.base.stage import through
from promptatlas.tasks import metrics
from promptatlas.training import selection
from promptatlas.training.adapters import cache as model
from promptatlas.training.adapters.cache import Cache
from promptatlas.training.adapters.search import Choice, axis, search
from promptatlas.training.micro_batches import in_micro_batches
from promptatlas.training.optimisers import AdamW
from promptatlas.training.selection import Best
from promptatlas.training.single_task import loss

EPSILON = 1e-4  # of AdamW, as released


@dataclass(frozen=True)
class Examples:
    """features (N, D), or (P, N, D) of P augmented passes of the same images; labels (N,) or marks (N, C)."""

    features: Tensor
    labels: Tensor

    @property
    def passes(self) -> Tensor:
        return self.features if self.features.dim() == 3 else self.features.unsqueeze(0)


@dataclass(frozen=True)
class Adapter:
    """A ready classifier. scale: the factor on cosines with the weights (C, D); history: a row per epoch of training; best_epoch: the
    chosen one, 1-based, 0 without training.
    """

    scale: float
    weights: Tensor
    cache: Cache
    choice: Choice
    history: list[dict] = field(default_factory=list)
    best_epoch: int = 0

    def logits(self, features: Tensor) -> Tensor:
        """(N, C) of unit image features (N, D)."""
        return _in_passes(features, self.scale, self.weights, self.cache, self.choice.alpha, self.choice.beta, Room())


def tip_adapter(settings: dict, scale: float, weights: Tensor, train: Examples, validation: Examples, metric: str) -> Adapter:
    """scale: the backbone's; weights (C, D) of unit length; validation has one pass of unit features. Nothing is trained."""
    kept = model.cache(train.features, train.labels, len(weights))
    return Adapter(scale, weights, kept, _chosen(settings, scale, weights, kept, validation, metric))


def tip_adapter_f(
    settings: dict, scale: float, weights: Tensor, train: Examples, validation: Examples, metric: str, order: np.random.Generator
) -> Adapter:
    """Trains the keys under the first alpha and beta, one augmented pass per epoch in turn, then searches both again."""
    kept = model.cache(train.features, train.labels, len(weights))
    keys = kept.keys.clone().requires_grad_()
    optimizer = AdamW([keys], settings["learning_rate"], settings["weight_decay"], EPSILON)
    size, epochs, count = settings["batch_size"], settings["epochs"], train.passes.shape[1]
    steps, step = epochs * -(-count // size), 0
    alpha, beta, history = settings["alpha"], settings["beta"], []
    best: Best[tuple[int, Cache]] = selection.epochs(settings)
    room = Room()
    truth, held = validation.labels.cpu().numpy(), train.passes.device
    for epoch in through(range(epochs), "epoch"):
        features = torch.nn.functional.normalize(train.passes[epoch % len(train.passes)], dim=-1)
        rows, total = sent(order.permutation(count), held), torch.zeros((), dtype=torch.float64, device=held)
        for batch in rows.split(size):
            optimizer.rate = 0.5 * settings["learning_rate"] * (1 + math.cos(math.pi * step / steps))
            answers = partial(_answers, features, scale, weights, Cache(keys, kept.values), alpha, beta, batch)
            step, total = step + 1, total + _step(optimizer, answers, train.labels[batch], room)  # on the device: no step waits
        mean = total.item() / count
        if not math.isfinite(mean):
            raise UserError("The adapter's loss is not a number; lower its learning_rate.")
        now = Cache(keys.detach().clone(), kept.values)
        logits = _in_passes(validation.features, scale, weights, now, alpha, beta, room)
        score = metrics.score(metric, logits.cpu().numpy(), truth).value
        history.append({"epoch": epoch + 1, "loss": mean, "validation_score": score})
        best.offer(score, lambda now=now, epoch=epoch: (epoch + 1, now))
    chosen, kept = best.taken()
    return Adapter(scale, weights, kept, _chosen(settings, scale, weights, kept, validation, metric), history, chosen)


def _step(optimizer: AdamW, answers: Callable[[slice], Tensor], labels: Tensor, room: Room) -> Tensor:
    """One step down; returns the loss before it, summed over the images that `answers` are of."""

    def piece(part: slice) -> Tensor:
        own = labels[part]
        value = loss(answers(part)[None], own[None], torch.ones(1, len(own), device=own.device))[0]
        (value * (len(own) / len(labels))).backward()
        return value.detach().double() * len(own)

    total = in_micro_batches(piece, optimizer.zero_grad, len(labels), len(labels), room, "images of a step")
    optimizer.step()
    return total


def _answers(features: Tensor, scale: float, weights: Tensor, cache: Cache, alpha: float, beta: float, rows: Tensor, part: slice) -> Tensor:
    """Logits (B, C) of some of the `rows` of features (N, D)."""
    return model.logits(features[rows[part]], scale, weights, cache, alpha, beta)


def _in_passes(features: Tensor, scale: float, weights: Tensor, cache: Cache, alpha: float, beta: float, room: Room) -> Tensor:
    """Logits (N, C) of features (N, D), of as many images at once as fit."""

    def some(part: slice) -> Tensor:
        return model.logits(features[part], scale, weights, cache, alpha, beta)

    with memory.told("an adapter runs out of GPU memory with a single image; use a GPU with more memory."):
        return joined(in_passes(some, len(features), len(features), room, "images"))


def _chosen(settings: dict, scale: float, weights: Tensor, cache: Cache, validation: Examples, metric: str) -> Choice:
    alphas = axis(settings["alpha_max"], settings["alpha_steps"])
    betas = axis(settings["beta_max"], settings["beta_steps"])
    return search(validation.features, validation.labels, scale, weights, cache, alphas, betas, metric)
