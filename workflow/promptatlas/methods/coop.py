"""CoOp (Zhou et al. 2022, arXiv 2109.01134): context vectors in the text tower, shared by all classes."""

from torch import Generator, Tensor, empty, nn

from promptatlas.backbone.architecture import Architecture


class CoOp(nn.Module):
    """V ~ N(0, 0.02^2), (M, d_text), in place of "a photo of a" around the class name."""

    text, visual = True, False

    def __init__(self, architecture: Architecture, settings: dict, generator: Generator) -> None:
        super().__init__()
        context = empty(settings["context"], architecture.text_width)
        self.context = nn.Parameter(nn.init.normal_(context, std=0.02, generator=generator))

    def forward(self) -> tuple[Tensor, None]:
        return self.context.unsqueeze(0), None
