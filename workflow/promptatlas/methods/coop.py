"""CoOp (Zhou et al. 2022, arXiv 2109.01134): context vectors in the text tower, shared by all classes."""

from torch import Generator, Tensor, nn

from promptatlas.backbone.architecture import Architecture
from promptatlas.methods.contexts import random_context, split_words


class CoOp(nn.Module):
    """V (M, d_text) around the class name: N(0, 0.02^2), or the `initial` words where there are some."""

    text, visual = True, False

    def __init__(self, architecture: Architecture, settings: dict, generator: Generator) -> None:
        super().__init__()
        self.initial, kept = split_words(settings)
        self.fixed = {"words": kept}
        self.context = nn.Parameter(random_context(1, settings["context"], architecture.text_width, generator)[0])

    def start(self, words: Tensor) -> None:
        """The context becomes the embedded words (M, d_text)."""
        self.context.data[:] = words

    def forward(self) -> tuple[Tensor, None]:
        return self.context.unsqueeze(0), None
