"""UPT (Zang et al. 2022, arXiv 2210.07225) as MVLPT releases it: text and visual prompts through one small mixer.

H = [A_t V ; A_v P] is a sequence of n_text + depth * n_visual tokens of width 128; one residual block mixes it; B_t and
B_v bring the halves back to their towers. In MVLPT's release the sequence lands on the batch axis of the attention, so
every token attends to itself alone ("as_released": the output is the projected value); "joint" is attention over
all tokens, as the paper draws it.
"""

import torch
from torch import Generator, Tensor, empty, nn

from promptatlas.backbone.architecture import Architecture
from promptatlas.backbone.block import ALL, Block
from promptatlas.methods.vpt import visual_prompts


class UPT(nn.Module):
    """Raw prompts V (n, d_text) and P (depth, n, d_vision), initialised as in CoOp and VPT, and the mixer's weights."""

    text, visual = True, True

    def __init__(self, architecture: Architecture, settings: dict, generator: Generator) -> None:
        super().__init__()
        width, d_text, d_vision = settings["width"], architecture.text_width, architecture.vision_width
        context = empty(settings["context"], d_text)
        self.context = nn.Parameter(nn.init.normal_(context, std=0.02, generator=generator))
        self.prompts = nn.Parameter(visual_prompts(architecture, settings, generator))
        self.text_in, self.text_out = _projection(d_text, width, generator), _projection(width, d_text, generator)
        self.visual_in, self.visual_out = _projection(d_vision, width, generator), _projection(width, d_vision, generator)
        self.block = _mixer(width, generator)
        self.joint = settings["mixer"] == "joint"

    def forward(self) -> tuple[Tensor, Tensor]:
        h = torch.cat([self.text_in(self.context), self.visual_in(self.prompts.flatten(0, 1))])
        h = self.block.finish(h, self._attended(h))
        text, visual = h.split([len(self.context), self.prompts.shape[0] * self.prompts.shape[1]])
        return self.text_out(text).unsqueeze(0), self.visual_out(visual).view_as(self.prompts)

    def _attended(self, h: Tensor) -> Tensor:
        q, k, v = (part.transpose(0, 1) for part in self.block.project(h, ALL))
        if self.joint:
            v = (q @ k.transpose(1, 2) * q.shape[-1] ** -0.5).softmax(-1) @ v
        return v.transpose(0, 1)


def _projection(wide: int, narrow: int, generator: Generator) -> nn.Module:
    """A linear map with torch's default initialisation, or nothing where the widths already agree."""
    return nn.Identity() if wide == narrow else _default_linear(nn.Linear(wide, narrow), generator)


def _default_linear(linear: nn.Linear, generator: Generator) -> nn.Linear:
    bound = linear.in_features**-0.5
    nn.init.uniform_(linear.weight, -bound, bound, generator=generator)
    nn.init.uniform_(linear.bias, -bound, bound, generator=generator)
    return linear


def _mixer(width: int, generator: Generator) -> Block:
    """One head; initialised as torch initialises `MultiheadAttention` and `Linear`, not as CLIP does."""
    block = Block(width, heads=1, quick_gelu=True)
    nn.init.xavier_uniform_(block.attn.in_proj_weight, generator=generator)
    nn.init.zeros_(block.attn.in_proj_bias)
    _default_linear(block.attn.out_proj, generator)
    nn.init.zeros_(block.attn.out_proj.bias)
    _default_linear(block.mlp.c_fc, generator)
    _default_linear(block.mlp.c_proj, generator)
    return block
