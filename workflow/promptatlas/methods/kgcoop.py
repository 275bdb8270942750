"""KgCoOp (Yao et al. 2023, arXiv 2303.13283): CoOp whose class features stay close to those of a hand-written sentence.

With w_k the unit class features under the prompt and w0_k those of the task's first sentence,

    loss = cross-entropy + weight (1 - mean_k w_k . w0_k).

The paper writes squared distances |w_k - w0_k|^2 = 2 (1 - w_k . w0_k), so its lambda of 4 is the release's 8, which is the default here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Generator, Tensor

from promptatlas.backbone.architecture import Architecture
from promptatlas.methods.coop import CoOp
from promptatlas.methods.losses import cross_entropy

if TYPE_CHECKING:
    from promptatlas.backbone import Backbone


class KgCoOp(CoOp):
    """CoOp's V (M, d_text), from the `initial` words."""

    separable = True

    def __init__(self, architecture: Architecture, settings: dict, generator: Generator) -> None:
        super().__init__(architecture, settings, generator)
        self.weight = settings["weight"]

    def teacher(self, backbone: Backbone, class_names: tuple[str, ...], templates: tuple[str, ...]) -> Tensor:
        """w0 (C, e)."""
        return backbone.class_features(class_names, templates[:1])

    def loss(
        self, logits: Tensor, text: Tensor, image: Tensor, teacher_text: Tensor, teacher_image: Tensor, labels: Tensor
    ) -> Tensor:  # fmt: skip
        return cross_entropy(logits, labels) + self.weight * (1 - (text * teacher_text).sum(-1).mean())
