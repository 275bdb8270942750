"""What a method may bring to its training: a loss of its own, a rule that makes one gradient of several, a mean over epochs.

A method writes each for one prompt; here it is run for K at once, so that no prompt sees another. Its module may have

* `loss(logits, text, image, teacher_text, teacher_image, labels)`: of B images and C classes, from scaled cosines (B, C), unit class
  features (C, e), unit image features (B, e), the teacher's of the same classes and images, and labels (B,) or marks (B, C), the loss
  of each image (B,). A term of the prompt alone is added to each. Several losses are a tuple of such.
* `teacher(backbone, class_names, templates)`: the frozen model's class features (C, e), such as `backbone.class_features(class_names,
  templates)`; its image features are those without a prompt. Without it `loss` gets None for both.
* `combine(*gradients)`: one gradient from those of each of several losses, each a dictionary of tensors by the parameter's name. It is
  run by torch.func.vmap, so that it chooses with torch.where and not with if.
* `epoch_weight(epoch, epochs)`: the weight of a prompt after an epoch, from 1, in the mean of all so far, which is what is validated
  and kept in its place; training itself goes on from the prompt as it is.

`loss` may use the module's own parameters: they are those of the prompt.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from promptatlas.backbone import Backbone
from promptatlas.backbone.classifier import PromptedClassifier
from promptatlas.backbone.prompts import Prompts
from promptatlas.base.errors import UserError
from promptatlas.methods.outside import RULES
from promptatlas.training.learners import BatchedLearners

Parameters = dict[str, Tensor]


def require_whole(method: str, module: nn.Module) -> None:
    """UserError for what is of use with a loss only."""
    for rule in ("teacher", "combine"):
        if hasattr(module, rule) and not hasattr(module, "loss"):
            raise UserError(f"method {method}: `{rule}` is for methods with a `loss` of their own; add one.")


def require_none(method: str, module: nn.Module) -> None:
    """UserError if a learner of several tasks brings what only prompts can."""
    for rule in RULES:
        if hasattr(module, rule):
            raise UserError(f"method {method}: a method of kind `shared` has no `{rule}` of its own; register it as kind `prompt`.")


class OwnLoss:
    """The loss of a method, and how its gradient comes of it, for K learners."""

    def __init__(
        self, method: str, learners: BatchedLearners, backbone: Backbone, tasks: Sequence[Any], frozen: Callable[[], Tensor]
    ) -> None:
        """tasks: those whose classes lie side by side; frozen: gives the image features of all draws (K, N, e) without a prompt."""
        self.method, self.learners = method, learners
        module: Any = learners.template_module
        self.caller, self.combine = _Caller(module), getattr(module, "combine", None)
        self.lost: dict[str, Tensor] = {}
        self.teacher_text: Tensor | None = None
        self.teacher_image: Tensor | None = None
        if hasattr(module, "teacher"):
            with torch.no_grad():
                self.teacher_text = torch.cat([module.teacher(backbone, one.class_names, one.templates) for one in tasks])
            self.teacher_image = frozen()

    def losses(
        self, classifier: PromptedClassifier, prompts: Prompts, image: Tensor, rows: Tensor, labels: Tensor, weights: Tensor, classes: slice
    ) -> Tensor:
        """Mean loss of each learner over its images (K,), or of several losses (L, K).

        image (K or 1, B, e); rows (K, B) of the images in each draw; labels (K, B) or (K, B, C); weights (K, B); classes: which of
        all those side by side the classifier has.
        """
        if prompts.meta:
            raise UserError(f"method {self.method}: a loss of its own needs class features that are the same for all images.")
        text, size = classifier.class_features(prompts), rows.shape[1]
        given = {"logits": classifier.logits(image, text), "text": text, "image": image, "labels": labels}
        if self.teacher_text is not None and self.teacher_image is not None:
            given["teacher_image"] = self.teacher_image[torch.arange(len(rows), device=rows.device).unsqueeze(1), rows]
        # What all learners have in common has one row.
        own = {name: value for name, value in given.items() if len(value) == len(rows)}
        every = {name: value[0] for name, value in given.items() if name not in own}
        every |= {} if self.teacher_text is None else {"teacher_text": self.teacher_text[classes]}

        def one(parameters: Parameters, own: Parameters) -> tuple[Tensor, ...]:
            called = {f"method.{name}": value for name, value in parameters.items()}
            return self._checked(functional_call(self.caller, called, (own | every,)), size)

        means = [(each * weights).sum(1) / weights.sum(1) for each in vmap(one)(self.learners.parameters, own)]
        self._watch("loss", given["logits"], *means)
        return means[0] if self.combine is None else torch.stack(means)

    def _checked(self, found: Any, size: int) -> tuple[Tensor, ...]:
        parts = found if isinstance(found, tuple) else (found,)
        if any(not isinstance(part, Tensor) or part.shape != (size,) for part in parts):
            raise UserError(f"method {self.method}: `loss` must give a tensor with the loss of each image, or a tuple of such.")
        if (len(parts) > 1) != (self.combine is not None):
            told = "several losses need `combine`" if self.combine is None else "`combine` needs several losses"
            raise UserError(f"method {self.method}: {told}, which makes one gradient of theirs.")
        return parts

    def backward(self, losses: Tensor) -> Tensor:
        """Leaves the gradient at the parameters; losses as `losses` gives them. Returns those that the history tells, (K,)."""
        if self.combine is None:
            losses.sum().backward()
            self._watch("gradient", losses, *(value.grad for value in self.learners.parameters.values() if value.grad is not None))
            return losses
        parameters = self.learners.parameters
        held = list(parameters.values())
        gradients = []
        for own in losses:
            found = torch.autograd.grad(own.sum(), held, retain_graph=True, allow_unused=True)
            whole = (torch.zeros_like(value) if part is None else part for value, part in zip(held, found, strict=True))
            gradients.append(dict(zip(parameters, whole, strict=True)))
        combined = vmap(self.combine)(*gradients)
        for name, value in parameters.items():
            if name not in combined or combined[name].shape != value.shape:
                raise UserError(f"method {self.method}: `combine` must give a gradient of `{name}`, of its shape.")
            value.grad = combined[name]
        self._watch("gradient", losses, *combined.values())
        return losses[0]

    @torch.no_grad()
    def _watch(self, what: str, source: Tensor, *made: Tensor) -> None:
        """Keep in mind, without waiting for the device, whether finite numbers became others."""
        lost = source.isfinite().all() & ~torch.stack([one.isfinite().all() for one in made]).all()
        self.lost[what] = self.lost[what] | lost if what in self.lost else lost

    def to_blame(self) -> str:
        """What to do if it was here that numbers became none; empty if they were none before."""
        if bool(self.lost.get("loss", False)):
            return "its `loss` makes that of finite logits: look there for a logarithm or a root of 0, or a division by 0"
        if bool(self.lost.get("gradient", False)):
            rules = "`loss`" if self.combine is None else "`loss` and `combine`"
            return f"its {rules} give a gradient that is none, of a finite loss: look there for a norm or a root of 0, or a division by 0"
        return ""


class _Caller(nn.Module):
    """Calls the loss as if the module's parameters were those of the prompt."""

    def __init__(self, method: nn.Module) -> None:
        super().__init__()
        self.method = method

    def forward(self, given: dict[str, Tensor]) -> Any:
        return self.method.loss(*(given.get(name) for name in RULES["loss"] or ()))  # type: ignore[operator]


class EpochMean:
    """The weighted mean of K learners' parameters over the epochs so far (PromptSRC)."""

    def __init__(self, method: str, weight: Callable[[int, int], float], epochs: int) -> None:
        self.method, self.weight, self.epochs = method, weight, epochs
        self.total, self.mean = 0.0, {}  # type: tuple[float, Parameters]

    @torch.no_grad()
    def after(self, epoch: int, parameters: Parameters) -> Parameters:
        """The mean after the 1-based epoch; as long as all weights are zero, the parameters themselves."""
        weight = float(self.weight(epoch, self.epochs))
        if not (math.isfinite(weight) and weight >= 0):
            raise UserError(f"method {self.method}: `epoch_weight` must be a number of at least 0, not {weight} after epoch {epoch}.")
        self.total += weight
        share = weight / self.total if self.total else 1.0
        before = self.mean or parameters
        self.mean = {name: before[name].lerp(value, share).detach() for name, value in parameters.items()}
        return self.mean
