"""CoCoOp (Zhou et al. 2022, arXiv 2203.05557): CoOp's context vectors, shifted by a function of the image.

With f the unit feature of an image, every context vector becomes v_m + W_2 relu(W_1 f + b_1) + b_2. So each image has class
weights of its own: the text tower runs once per image and class, not once per class.
"""

from torch import Generator, Tensor, nn

from promptatlas.backbone.architecture import Architecture
from promptatlas.methods.contexts import random_context, split_words


class CoCoOp(nn.Module):
    """V (1, n, d_text) from the `initial` words; W_1 (e / 16, e) and W_2 (d_text, e / 16) as torch starts linear maps."""

    text, visual = True, False

    def __init__(self, architecture: Architecture, settings: dict, generator: Generator) -> None:
        super().__init__()
        width, embed = architecture.text_width, architecture.embed_dim
        self.initial, kept = split_words(settings)
        self.fixed = {"words": kept}
        self.context = nn.Parameter(random_context(1, settings["context"], width, generator))
        hidden = embed // settings["reduction"]
        self.squeeze, self.expand = nn.Linear(embed, hidden), nn.Linear(hidden, width)
        for linear in (self.squeeze, self.expand):
            for values in (linear.weight, linear.bias):
                nn.init.uniform_(values, -(linear.in_features**-0.5), linear.in_features**-0.5, generator=generator)

    def start(self, words: Tensor) -> None:
        """The context becomes the embedded words (n, d_text)."""
        self.context.data[0] = words

    def forward(self) -> tuple[Tensor, None, tuple[Tensor, ...]]:
        return self.context, None, (self.squeeze.weight, self.squeeze.bias, self.expand.weight, self.expand.bias)
