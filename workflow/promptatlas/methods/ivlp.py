"""Independent vision-language prompting (Khattak et al. 2023, arXiv 2210.03117, section 4.2): MaPLe's ablation without
coupling.
"""

from torch import Generator, Tensor, nn

from promptatlas.backbone.architecture import Architecture
from promptatlas.methods.contexts import random_context, split_words


class IVLP(nn.Module):
    """Text (J, n, d_text), the first layer from the `initial` words, and visual (J, m, d_vision); else N(0, 0.02^2)."""

    text, visual = True, True

    def __init__(self, architecture: Architecture, settings: dict, generator: Generator) -> None:
        super().__init__()
        a, layers = architecture, settings["layers"]
        self.initial, kept = split_words(settings)
        self.fixed = {"words": kept, "before_norm": True}
        context = random_context(min(layers, a.text_layers), settings["context"], a.text_width, generator)
        prompts = random_context(min(layers, a.vision_layers), settings["prompts"], a.vision_width, generator)
        self.context, self.prompts = nn.Parameter(context), nn.Parameter(prompts)

    def start(self, words: Tensor) -> None:
        """The first layer's context becomes the embedded words (n, d_text)."""
        self.context.data[0] = words

    def forward(self) -> tuple[Tensor, Tensor]:
        return self.context, self.prompts
