"""ProGrad (Zhu et al. 2023, arXiv 2205.14865): CoOp whose steps never go against what the hand-written sentences know.

With p0 the frozen model's probabilities of an image, g = the gradient of the cross-entropy, h = that of -sum_k p0_k log p_k, of length one:

    g - share min(g . h, 0) h

is the gradient of the step, prompt by prompt. The second loss itself is never descended; its gradient is that of KL(p0 || p).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from promptatlas.backbone.architecture import Architecture
from promptatlas.methods.coop import CoOp
from promptatlas.methods.losses import cross_entropy

if TYPE_CHECKING:
    from promptatlas.backbone import Backbone


class ProGrad(CoOp):
    """CoOp's V (M, d_text): the last of them from the `initial` words, those before them zeros ("as_released") or N(0, 0.02^2)."""

    separable = True

    def __init__(self, architecture: Architecture, settings: dict, generator: Generator) -> None:
        super().__init__(architecture, settings, generator)
        self.share, self.before = settings["share"], settings["before_words"]
        if len(settings["initial"].split()) < settings["context"]:
            self.initial = settings["initial"]

    def start(self, words: Tensor) -> None:
        """The last vectors become the embedded words (at most M, d_text)."""
        if self.before == "as_released":
            self.context.data.zero_()
        self.context.data[len(self.context) - len(words) :] = words

    def teacher(self, backbone: Backbone, class_names: tuple[str, ...], templates: tuple[str, ...]) -> Tensor:
        """The frozen class features (C, e) of the task's first sentence."""
        self.scale = backbone.logit_scale
        return backbone.class_features(class_names, templates[:1])

    def loss(
        self, logits: Tensor, text: Tensor, image: Tensor, teacher_text: Tensor, teacher_image: Tensor, labels: Tensor
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        known = (self.scale * teacher_image @ teacher_text.T).softmax(-1)
        return cross_entropy(logits, labels), -(known * logits.log_softmax(-1)).sum(-1)

    def combine(self, own: dict[str, Tensor], known: dict[str, Tensor]) -> dict[str, Tensor]:
        """Parameter by parameter, as the release has it."""
        return {name: self.projected(own[name], known[name]) for name in own}

    def projected(self, own: Tensor, known: Tensor) -> Tensor:
        length = known.square().sum().sqrt()
        direction = known / torch.where(length > 0, length, 1.0)  # no direction where nothing is against: the gradient as it is
        return own - self.share * (own * direction).sum().clamp(max=0) * direction
