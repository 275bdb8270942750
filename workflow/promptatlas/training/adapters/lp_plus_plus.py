"""LP++ (Huang et al. 2024, arXiv 2404.02285): a linear probe that blends class weights from text into its own.

    logits = f W^T + b + alpha_k f t_k

f unit image features, t_k unit class features; there is no factor on cosines. W, b and alpha_k are trained on all few-shot images at
once, in blocks: W and b in every epoch, alpha in every tenth, each with a step size that follows from the features by a bound on the
curvature of its block. W starts from the sum of each class's image features, all alpha_k from 250 times the mean of f t_k over the
images of a class and then over classes.

As released, the gradient of alpha is never cleared, so that a step goes along the sum since the first epoch.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from promptatlas.backbone.accelerator import sent
from promptatlas.backbone.passes import Room
from promptatlas.base.errors import UserError
from promptatlas.training import selection
from promptatlas.training.adapters.linear import Linear
from promptatlas.training.adapters.trained import Examples, epochs, gradient
from promptatlas.training.optimisers import SGD
from promptatlas.training.selection import Best, Latest

START, EVERY = 250.0, 10
REMEDY = "its step sizes follow from the features of the few-shot images: look at these images and their labels"


def step_sizes(features: Tensor, text: Tensor) -> tuple[float, float]:
    """Of W and b, 4 N / lambda_max(F^T F), and of alpha, N / (4 max_k sum_i (f_i t_k)^2); features (N, D), text (N, C): all f_i t_k."""
    smaller = min((features.T @ features, features @ features.T), key=len)  # with the same largest eigenvalue
    largest, most = torch.linalg.eigvalsh(smaller.double())[-1], text.double().square().sum(0).max()
    return (4 * len(features) / largest).item(), (len(features) / (4 * most)).item()


class Blocks:
    """W (C, D), b (C,) and alpha (C,) on few-shot images. marks (N, C): which classes each image is of."""

    def __init__(self, features: Tensor, labels: Tensor, marks: Tensor, text: Tensor, bias: Tensor, settings: dict) -> None:
        """features (N, D) and labels (N,) or (N, C) of the images; text (C, D): unit class features; bias (C,) to start from."""
        self.features, self.labels, self.text, self.room = features, labels, text, Room()
        self.blend = features @ text.T
        counts = marks.sum(0)
        means = (self.blend * marks).sum(0)[counts > 0] / counts[counts > 0]
        self.weights, self.bias = (marks.T @ features).requires_grad_(), bias.requires_grad_()
        self.alpha = (START * means.mean()).repeat(len(text)).requires_grad_()
        rate, self.alpha_rate = step_sizes(features, self.blend)
        self.optimizer = SGD([self.weights, self.bias], rate, 0.0, settings["momentum"])
        self.kept = settings["alpha_gradient"] == "as_released"
        self.along = torch.zeros_like(self.alpha)

    def answers(self, part: slice) -> Tensor:
        """Logits (B, C) of some images."""
        return self.features[part] @ self.weights.T + self.bias + self.alpha * self.blend[part]

    def forget(self) -> None:
        self.optimizer.zero_grad()
        self.alpha.grad = None

    def epoch(self, number: int) -> Tensor:
        """One step of W and b and, every tenth time, one of alpha, from the same gradient; returns the mean loss before."""
        total = gradient(self.forget, self.answers, self.labels, self.room)
        assert self.alpha.grad is not None
        self.along = self.along * self.kept + self.alpha.grad
        self.optimizer.step()
        if (number + 1) % EVERY == 0:
            self.alpha.data -= self.alpha_rate * self.along
        return total / len(self.labels)

    @torch.no_grad()
    def ready(self) -> Linear:
        """The classifier as it is now: f W^T + alpha_k f t_k is one product."""
        return Linear(self.weights + self.alpha.unsqueeze(1) * self.text, self.bias.clone())


def lp_plus_plus(
    settings: dict, scale: float, weights: Tensor, train: Examples, validation: Examples, metric: str, order: np.random.Generator
) -> Linear:
    """weights (C, D) of unit length; `scale` has no part in it; train: its first pass is seen; order: b starts from it, as torch starts
    a linear map. Of epochs that validate equally well the last is kept, as released.
    """
    features, bound = train.unit(0), weights.shape[1] ** -0.5
    if not (features.isfinite().all() and weights.isfinite().all()):
        raise UserError(f"features that LP++ starts from are not numbers; {REMEDY}.")
    marks = train.labels if train.labels.dim() == 2 else torch.nn.functional.one_hot(train.labels.long(), len(weights))
    bias = sent(order.uniform(-bound, bound, len(weights)), features.device).to(features.dtype)
    blocks = Blocks(features, train.labels, marks.to(features.dtype), weights, bias, settings)

    def now() -> tuple[Linear, Tensor]:
        ready = blocks.ready()
        return ready, ready.logits(validation.features, blocks.room)

    best: Best[tuple[int, Linear]] = selection.epochs(settings, Latest)
    chosen, kept, history = epochs(settings["epochs"], blocks.epoch, now, best, validation.labels, metric, REMEDY)
    return Linear(kept.weights, kept.bias, history, chosen)
