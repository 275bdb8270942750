"""TaskRes (Yu et al. 2023, arXiv 2211.10277): class weights from text, and beside each a residual that is trained.

    logits = s f u(t_k + alpha x_k)^T

f unit image features, t_k the features of class k as the text tower gives them (the mean over sentences, of no unit length), x_k the
residual, zero at the start, u to unit length, s the backbone's logit scale. So the longer t_k is, the less a step turns it: unit t_k
would be another method.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from promptatlas.backbone.passes import Room
from promptatlas.training import selection
from promptatlas.training.adapters.linear import Linear
from promptatlas.training.adapters.trained import Examples, batches, epochs, step
from promptatlas.training.optimisers import Adam
from promptatlas.training.schedule import learning_rate


def turned(weights: Tensor, residual: Tensor, alpha: float, scale: float) -> Tensor:
    """s u(t + alpha x), (C, D), of t and x (C, D)."""
    return scale * F.normalize(weights + alpha * residual, dim=-1)


def task_res(
    settings: dict, scale: float, weights: Tensor, train: Examples, validation: Examples, metric: str, order: np.random.Generator
) -> Linear:
    """weights (C, D): class features as the text tower gives them; validation has one pass of unit features."""
    residual = torch.zeros_like(weights).requires_grad_()
    optimizer = Adam([residual], settings["learning_rate"], settings["weight_decay"])
    room, count = Room(), train.passes.shape[1]
    classes = partial(turned, weights, alpha=settings["alpha"], scale=scale)

    def answers(features: Tensor, part: slice) -> Tensor:
        return features[part] @ classes(residual).T

    def epoch(number: int) -> Tensor:
        features, total = train.unit(number), torch.zeros((), dtype=torch.float64, device=residual.device)
        optimizer.rate = learning_rate(settings, number)
        for rows in batches(count, settings["batch_size"], order, residual.device):
            total += step(optimizer, partial(answers, features[rows]), train.labels[rows], room)  # on the device: no step waits
        return total / count

    def now() -> tuple[Linear, Tensor]:
        with torch.no_grad():
            ready = Linear(classes(residual))
        return ready, ready.logits(validation.features, room)

    best: selection.Best[tuple[int, Linear]] = selection.epochs(settings)
    chosen, kept, history = epochs(
        settings["epochs"], epoch, now, best, validation.labels, metric, "lower the learning_rate of task_res"
    )  # fmt: skip
    return Linear(kept.weights, history=history, best_epoch=chosen)
