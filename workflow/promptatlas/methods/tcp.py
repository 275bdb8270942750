"""TCP (Yao et al. 2024, arXiv 2311.18231): context vectors, and class vectors made of the frozen features of the class names.

With w0_k the frozen unit feature of class k, W_2 g(W_1 w0_k + b_1) + b_2 (g: QuickGELU) are n vectors that take the place of the context
vectors of class k at the input of text layer `layer`; before it all classes have the same context, and what it became in the layers
before is lost there. What is trained is of no class, so on another task the class vectors are made of that task's names. The loss is
KgCoOp's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Generator, Tensor, nn

from promptatlas.backbone.architecture import Architecture
from promptatlas.base.errors import UserError
from promptatlas.methods.kgcoop import KgCoOp

if TYPE_CHECKING:
    from promptatlas.backbone import Backbone


class TCP(KgCoOp):
    """V (n, d_text) of N(0, 0.02^2); W_1 (e / 4, e), W_2 (n d_text, e / 4) and both b as torch starts linear maps."""

    def __init__(self, architecture: Architecture, settings: dict, generator: Generator) -> None:
        super().__init__(architecture, settings, generator)
        if architecture.text_layers < 2:
            raise UserError(
                "method tcp: its class vectors enter behind the first layer of a text tower, and this one has no other; "
                "choose another backbone or method."
            )
        self.template = settings["template"]
        # A tower with fewer layers has them before its last.
        self.fixed = {**self.fixed, "class_layer": min(settings["layer"], architecture.text_layers - 1)}
        embed = architecture.embed_dim
        hidden = embed // settings["reduction"]
        self.squeeze, self.expand = nn.Linear(embed, hidden), nn.Linear(hidden, self.context.numel())
        for linear in (self.squeeze, self.expand):
            for values in (linear.weight, linear.bias):
                nn.init.uniform_(values, -(linear.in_features**-0.5), linear.in_features**-0.5, generator=generator)

    def teacher(self, backbone: Backbone, class_names: tuple[str, ...], templates: tuple[str, ...]) -> Tensor:
        """w0 (C, e), of the sentence of which class vectors are made, too."""
        return backbone.class_features(class_names, (self.template,))

    def forward(self) -> tuple[Tensor, None, None, tuple[Tensor, ...]]:  # type: ignore[override]
        net = (self.squeeze.weight, self.squeeze.bias, self.expand.weight, self.expand.bias)
        return self.context.unsqueeze(0), None, None, net
