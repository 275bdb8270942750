"""Tip-Adapter and Tip-Adapter-F (Zhang et al. 2022, arXiv 2207.09519): the cache as it is, and with trained keys.

Both choose alpha and beta on the validation images, and so does Tip-Adapter-F its epoch; the released code chose the
epoch, and for ImageNet all three, on the test images.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from promptatlas.backbone.passes import Room
from promptatlas.training import selection
from promptatlas.training.adapters import cache as model
from promptatlas.training.adapters.cache import Cache
from promptatlas.training.adapters.search import Choice, axis, search
from promptatlas.training.adapters.trained import Examples, batches, epochs, in_parts, step
from promptatlas.training.optimisers import AdamW

EPSILON = 1e-4  # of AdamW, as released


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

    def logits(self, features: Tensor, room: Room | None = None) -> Tensor:
        """(N, C) of unit image features (N, D)."""
        own = self.scale, self.weights, self.cache, self.choice.alpha, self.choice.beta
        return in_parts(lambda part: model.logits(part, *own), features, room or Room())

    @property
    def chosen(self) -> dict[str, float]:
        """What the validation images chose beside the epoch."""
        return {"alpha": self.choice.alpha, "beta": self.choice.beta}


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
    size, count, room = settings["batch_size"], train.passes.shape[1], Room()
    steps, taken = settings["epochs"] * -(-count // size), itertools.count()
    first = Choice(settings["alpha"], settings["beta"], math.nan)

    def epoch(number: int) -> Tensor:
        features, total = train.unit(number), torch.zeros((), dtype=torch.float64, device=keys.device)
        for rows in batches(count, size, order, keys.device):
            optimizer.rate = 0.5 * settings["learning_rate"] * (1 + math.cos(math.pi * next(taken) / steps))
            answers = partial(_answers, features, scale, weights, Cache(keys, kept.values), first.alpha, first.beta, rows)
            total = total + step(optimizer, answers, train.labels[rows], room)  # on the device: no step waits
        return total / count

    def now() -> tuple[Adapter, Tensor]:
        ready = Adapter(scale, weights, Cache(keys.detach().clone(), kept.values), first)
        return ready, ready.logits(validation.features, room)

    best: selection.Best[tuple[int, Adapter]] = selection.epochs(settings)
    chosen, adapter, history = epochs(settings["epochs"], epoch, now, best, validation.labels, metric, "lower its learning_rate")
    choice = _chosen(settings, scale, weights, adapter.cache, validation, metric)
    return replace(adapter, choice=choice, history=history, best_epoch=chosen)


def _answers(features: Tensor, scale: float, weights: Tensor, cache: Cache, alpha: float, beta: float, rows: Tensor, part: slice) -> Tensor:
    """Logits (B, C) of some of the `rows` of features (N, D)."""
    return model.logits(features[rows[part]], scale, weights, cache, alpha, beta)


def _chosen(settings: dict, scale: float, weights: Tensor, cache: Cache, validation: Examples, metric: str) -> Choice:
    alphas = axis(settings["alpha_max"], settings["alpha_steps"])
    betas = axis(settings["beta_max"], settings["beta_steps"])
    return search(validation.features, validation.labels, scale, weights, cache, alphas, betas, metric)
