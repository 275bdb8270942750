"""MaPLe (Khattak et al. 2023, arXiv 2210.03117): prompts in the first J layers of both towers, the visual ones computed
from the textual ones.

P_l (n, d_text) enters text layer l in place of what layer l - 1 made of P_{l-1}; its image F_l(P_l) = P_l A_l^T + b_l
(n, d_vision) does the same in the vision tower, l = 0 .. J - 1. From layer J on all tokens evolve freely.
"""

import torch
from torch import Generator, Tensor, nn

from promptatlas.backbone.architecture import Architecture
from promptatlas.methods.contexts import random_context, split_words


class MaPLe(nn.Module):
    """P (J, n, d_text): P_0 is the embedded `initial` words, the others N(0, 0.02^2). F_1 .. F_{J-1} start as copies of
    one linear map, F_0 as one of its own. A tower with fewer than J layers has that many."""

    text, visual = True, True

    def __init__(self, architecture: Architecture, settings: dict, generator: Generator) -> None:
        super().__init__()
        depth = min(settings["layers"], architecture.text_layers, architecture.vision_layers)
        narrow, wide = architecture.text_width, architecture.vision_width
        self.initial, kept = split_words(settings)
        self.fixed = {"words": kept, "before_norm": True}
        self.context = nn.Parameter(random_context(depth, settings["context"], narrow, generator))
        bound = narrow**-0.5  # torch's default for a linear map
        weight, bias = torch.empty(2, wide, narrow), torch.empty(2, wide)
        for values in (weight[0], bias[0], weight[1], bias[1]):
            nn.init.uniform_(values, -bound, bound, generator=generator)
        layers = torch.arange(depth).clamp(max=1)
        self.weight, self.bias = nn.Parameter(weight[layers]), nn.Parameter(bias[layers])

    def start(self, words: Tensor) -> None:
        """The first layer's context becomes the embedded words (n, d_text)."""
        self.context.data[0] = words

    def forward(self) -> tuple[Tensor, Tensor]:
        return self.context, self.context @ self.weight.transpose(1, 2) + self.bias.unsqueeze(1)
