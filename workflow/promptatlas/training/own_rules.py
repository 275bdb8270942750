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
* `separable = True`: the loss of an image needs no other image. Then a step that does not fit into memory is taken in micro-batches, and
  on a GPU batches are padded and their steps recorded, as for methods that bring no loss.

`loss` may use the module's own parameters: they are those of the prompt. What else `loss` needs of the backbone, such as its logit scale,
`teacher` may keep in the module.
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
        self, method: str, learners: BatchedLearners, backbone: Backbone, tasks: Sequence[Any], frozen: Callable[[], Tensor],
        anew: Callable[[Tensor], Tensor] | None = None,
    ) -> None:  # fmt: skip
        """tasks: those whose classes lie side by side; frozen: gives the image features of all draws (K, N, e) without a prompt; anew: in
        its place, where they are others in every epoch, gives those (K, B, e) of rows (K, B)."""
        self.method, self.learners = method, learners
        module: Any = learners.template_module
        self.caller, self.combine = _Caller(module), getattr(module, "combine", None)
        self.separable = bool(getattr(module, "separable", False))
        # Written in place, where a recorded step finds them again.
        self.lost = {what: torch.zeros((), dtype=torch.bool, device=backbone.device) for what in ("loss", "gradient")}
        self.begin()
        self.teacher_text: Tensor | None = None
        self.teacher_image: Tensor | None = None
        self.anew = anew
        if hasattr(module, "teacher"):
            with torch.no_grad():
                self.teacher_text = torch.cat([module.teacher(backbone, one.class_names, one.templates) for one in tasks])
            self.teacher_image = None if anew else frozen()

    def losses(
        self, classifier: PromptedClassifier, prompts: Prompts, image: Tensor, rows: Tensor, labels: Tensor, weights: Tensor, classes: slice
    ) -> Tensor:
        """Mean loss of each learner over its images (K,), or of several losses (L, K).

        image (K or 1, B, e); rows (K, B) of the images in each draw; labels (K, B) or (K, B, C); weights (K, B); classes: which of
        all those side by side the classifier has.
        """
        if prompts.meta:
            raise UserError(f"method {self.method}: a loss of its own needs class features that are the same for all images.")
        known = None if self.teacher_text is None else self._known(image, rows)
        text, size, image = classifier.class_features(prompts), rows.shape[1], classifier.adapted(prompts, image)
        given = {"logits": classifier.logits(image, text), "text": text, "image": image, "labels": labels}
        if known is not None:
            given["teacher_image"] = known
        # What all learners have in common has one row.
        own = {name: value for name, value in given.items() if len(value) == len(rows)}
        every = {name: value[0] for name, value in given.items() if name not in own}
        every |= {} if self.teacher_text is None else {"teacher_text": self.teacher_text[classes]}

        def one(parameters: Parameters, own: Parameters) -> tuple[Tensor, ...]:
            called = {f"method.{name}": value for name, value in parameters.items()}
            return self._checked(functional_call(self.caller, called, (own | every,)), size)

        means = [(each * weights).sum(1) / weights.sum(1) for each in vmap(one)(self.learners.parameters, own)]
        self._watch("loss", given["logits"].isfinite().all(), *means)
        return means[0] if self.combine is None else torch.stack(means)

    def _known(self, image: Tensor, rows: Tensor) -> Tensor:
        """The frozen model's features (K, B, e) of the images: those that a method without visual prompts sees."""
        if self.teacher_image is not None:
            return self.teacher_image[torch.arange(len(rows), device=rows.device).unsqueeze(1), rows]
        return self.anew(rows) if self.anew and self.learners.visual else image

    def _checked(self, found: Any, size: int) -> tuple[Tensor, ...]:
        parts = found if isinstance(found, tuple) else (found,)
        if any(not isinstance(part, Tensor) or part.shape != (size,) for part in parts):
            raise UserError(f"method {self.method}: `loss` must give a tensor with the loss of each image, or a tuple of such.")
        if (len(parts) > 1) != (self.combine is not None):
            told = "several losses need `combine`" if self.combine is None else "`combine` needs several losses"
            raise UserError(f"method {self.method}: {told}, which makes one gradient of theirs.")
        return parts

    def begin(self) -> None:
        """Forgets the gradients of a step."""
        self.gradients: list[Parameters] = []
        self.finite: list[Tensor] = []

    def add(self, losses: Tensor, share: Tensor | float) -> Tensor:
        """Adds the gradient of some images, which are `share` of each learner's (K,); losses as `losses` gives them. Returns those that
        the history tells, (K,)."""
        self.finite.append(losses.detach().isfinite().all())
        if self.combine is None:
            (losses * share).sum().backward()
            return losses.detach()
        parameters, before = self.learners.parameters, self.gradients
        held, self.gradients = list(parameters.values()), []
        for number, own in enumerate(losses * share):
            found = torch.autograd.grad(own.sum(), held, retain_graph=True, allow_unused=True)
            whole = (torch.zeros_like(value) if part is None else part for value, part in zip(held, found, strict=True))
            gradient = dict(zip(parameters, whole, strict=True))
            self.gradients.append({name: before[number][name] + value for name, value in gradient.items()} if before else gradient)
        return losses[0].detach()

    def finish(self) -> None:
        """Leaves the gradient of the whole step at the parameters."""
        parameters = self.learners.parameters
        if self.combine is not None:
            combined = vmap(self.combine)(*self.gradients)
            for name, value in parameters.items():
                if name not in combined or combined[name].shape != value.shape:
                    raise UserError(f"method {self.method}: `combine` must give a gradient of `{name}`, of its shape.")
                value.grad = combined[name]
        made = [value.grad for value in parameters.values() if value.grad is not None]
        self._watch("gradient", torch.stack(self.finite).all(), *made)

    @torch.no_grad()
    def _watch(self, what: str, finite: Tensor, *made: Tensor) -> None:
        """Keep in mind, without waiting for the device, whether finite numbers became others."""
        self.lost[what] |= finite & ~torch.stack([one.isfinite().all() for one in made]).all()

    def to_blame(self) -> str:
        """What to do if it was here that numbers became none; empty if they were none before."""
        if bool(self.lost["loss"]):
            return "its `loss` makes that of finite logits: look there for a logarithm or a root of 0, or a division by 0"
        if bool(self.lost["gradient"]):
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
