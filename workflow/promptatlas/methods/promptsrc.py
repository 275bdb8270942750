"""PromptSRC (Khattak et al. 2023, arXiv 2307.06948): prompts in both towers that stay close to the frozen model, averaged over epochs.

With W, F the unit features of classes and images under the prompt, W0, F0 the frozen model's (W0 the mean over a task's sentences), and
p, p0 the probabilities that they give,

    loss = cross-entropy + text_weight mean |W - W0| + image_weight mean |F - F0| + KL(p0 || p),

means over classes or images and over all e places; "as_released" the KL is divided by the number of classes, too. Kept is the mean of the
prompts after each epoch t with weights exp(-(t - centre)^2 / (2 width^2)). Nothing of this depends on which prompts there are.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from torch import Generator, Tensor

from promptatlas.backbone.architecture import Architecture
from promptatlas.methods.ivlp import IVLP
from promptatlas.methods.losses import cross_entropy
from promptatlas.methods.maple import MaPLe

if TYPE_CHECKING:
    from promptatlas.backbone import Backbone


class SelfRegulated:
    """What PromptSRC brings to prompts of both towers. Stands before their class."""

    separable = True

    def __init__(self, architecture: Architecture, settings: dict, generator: Generator) -> None:
        super().__init__(architecture, settings, generator)  # type: ignore[call-arg]
        self.weights = settings["text_weight"], settings["image_weight"]
        self.by_class = settings["divergence"] == "as_released"
        self.centre, self.width = settings["centre"], settings["width"]

    def teacher(self, backbone: Backbone, class_names: tuple[str, ...], templates: tuple[str, ...]) -> Tensor:
        """W0 (C, e)."""
        self.scale = backbone.logit_scale
        return backbone.class_features(class_names, templates)

    def loss(
        self, logits: Tensor, text: Tensor, image: Tensor, teacher_text: Tensor, teacher_image: Tensor, labels: Tensor
    ) -> Tensor:  # fmt: skip
        of_text, of_image = self.weights
        known = (self.scale * teacher_image @ teacher_text.T).log_softmax(-1)
        divergence = (known.exp() * (known - logits.log_softmax(-1))).sum(-1)
        near = of_text * (text - teacher_text).abs().mean() + of_image * (image - teacher_image).abs().mean(-1)
        return cross_entropy(logits, labels) + near + divergence / (len(text) if self.by_class else 1)

    def epoch_weight(self, epoch: int, epochs: int) -> float:
        return math.exp(-((epoch - self.centre) ** 2) / (2 * self.width**2))


class PromptSRC(SelfRegulated, IVLP):
    """IVLP's text (J, n, d_text) and visual (J, m, d_vision) prompts."""


class PromptSRCOnMaPLe(SelfRegulated, MaPLe):
    """MaPLe's prompts, the visual ones computed from the textual."""
