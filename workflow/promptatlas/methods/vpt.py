"""VPT (Jia et al. 2022, arXiv 2203.12119) as MVLPT uses it: prompt tokens after the class token of the vision tower."""

from torch import Generator, Tensor, empty, nn

from promptatlas.backbone.architecture import Architecture


class VPT(nn.Module):
    """P^l ~ U(-b, b), b = sqrt(6 / (3 p^2 + d_vision)), for the first layer (shallow) or every layer (deep)."""

    text, visual = False, True

    def __init__(self, architecture: Architecture, settings: dict, generator: Generator) -> None:
        super().__init__()
        self.prompts = nn.Parameter(visual_prompts(architecture, settings, generator))

    def forward(self) -> tuple[None, Tensor]:
        return None, self.prompts


def visual_prompts(architecture: Architecture, settings: dict, generator: Generator) -> Tensor:
    """Fresh prompt tokens (depth, n, d_vision)."""
    depth = architecture.vision_layers if settings["depth"] == "deep" else 1
    bound = (6 / (3 * architecture.patch_size**2 + architecture.vision_width)) ** 0.5
    tokens = empty(depth, settings["prompts"], architecture.vision_width)
    return nn.init.uniform_(tokens, -bound, bound, generator=generator)
