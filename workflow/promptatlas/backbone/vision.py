"""The vision tower for K visual prompts at once, exact and without repeated work.

As long as a layer's prompt tokens are thrown away afterwards (deep prompts replace them at the next layer) only their
keys and values matter, and those do not depend on the image: they are computed once per prompt and layer. After the last
layer only the class token is read, so the last layer computes only that, where the mean of the patches is not read in its stead.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from promptatlas.backbone.architecture import Architecture
from promptatlas.backbone.block import ALL, KEY_VALUE, QUERY, FrozenBlock, Transformer, attend, attend_fused
from promptatlas.backbone.image_tower import ImageTower

# By device: whether attention is one fused call, for which a prompt's keys are copied to every image. A CPU is slower that way.
FUSED = {"cpu": False, "cuda": True}


class VisionTower(ImageTower):
    """Frozen vision transformer; state-dict names as published below `visual.`.

    gradient_scale: what gradients are multiplied by on their way through the layers; those that leave them are the true ones.
    """

    gradient_scale = 1.0

    def __init__(self, architecture: Architecture) -> None:
        super().__init__(architecture)
        a = architecture
        self.conv1 = nn.Conv2d(3, a.vision_width, a.patch_size, a.patch_size, bias=False)
        self.class_embedding = nn.Parameter(torch.empty(a.vision_width))
        tokens = (a.image_size // a.patch_size) ** 2 + 1
        self.positional_embedding = nn.Parameter(torch.empty(tokens, a.vision_width))
        self.ln_pre: nn.Module = nn.LayerNorm(a.vision_width)
        self.transformer = Transformer(a.vision_width, a.vision_heads, a.vision_layers, a.quick_gelu, a.vision_hidden)
        self.ln_post = nn.LayerNorm(a.vision_width)
        self.proj = nn.Parameter(torch.empty(a.vision_width, a.embed_dim))
        self.proj_bias = nn.Parameter(torch.empty(a.embed_dim)) if a.vision_bias else None
        self.requires_grad_(False)

    def embed(self, images: Tensor) -> Tensor:
        """Normalised images (B, 3, R, R) -> tokens (B, T, width), the class token first, after `ln_pre`."""
        x = self.conv1(images).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_embedding.to(x.dtype).expand(len(x), 1, -1), x], dim=1)
        return self.ln_pre(x + self.positional_embedding)

    def forward(self, tokens: Tensor, prompts: Tensor | None = None) -> Tensor:
        """Features (K, B, embed_dim), not normalised.

        tokens: from `embed`, (1, B, T, width) for images that all prompts share, or (K, B, T, width);
        prompts: (K, depth, n, width), or None (K = 1).
        """
        x = tokens
        if prompts is not None:
            prompts = _scale_gradient(prompts, 1 / self.gradient_scale)
        blocks: Any = self.transformer.resblocks
        deep = 0 if prompts is None else prompts.shape[1]
        for depth, block in enumerate(blocks):
            last = depth == len(blocks) - 1
            shared = None
            if prompts is not None and depth < deep:
                if depth == deep - 1 and not last:
                    x = _with_tokens(x, prompts[:, depth])
                else:
                    shared = tuple(part.transpose(1, 2) for part in block.project(prompts[:, depth], KEY_VALUE))
            x = self.last_layer(block, x, shared, tokens.shape[2]) if last else _layer(block, x, shared)
        features = self.ln_post(x) @ self.proj
        return _scale_gradient(features if self.proj_bias is None else features + self.proj_bias, self.gradient_scale)

    @staticmethod
    def last_layer(block: FrozenBlock, x: Tensor, shared: tuple[Tensor, Tensor] | None, own: int) -> Tensor:
        """What stands for the images, (K, B, width), of tokens (K or 1, B, T, width), the first `own` of which are the images' own."""
        return _class_token(block, x, shared)

    def encode(self, images: Tensor) -> Tensor:
        """Normalised images (B, 3, R, R) -> features (B, embed_dim) without prompts, L2-normalised."""
        return F.normalize(self(self.embed(images).unsqueeze(0))[0], dim=-1)


class ClipaVision(VisionTower):
    """CLIPA's (Li et al. 2023, arXiv 2305.07017): no norm before the first block, and the mean of the patches stands for the image. Prompts
    are no patches: they are left out of it, as the class token is.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__(architecture)
        self.ln_pre: nn.Module = nn.Identity()

    @staticmethod
    def last_layer(block: FrozenBlock, x: Tensor, shared: tuple[Tensor, Tensor] | None, own: int) -> Tensor:
        return _layer(block, x, shared)[:, :, 1:own].mean(2)


def _with_tokens(x: Tensor, prompts: Tensor) -> Tensor:
    """Appends prompts (K, n, width) to the tokens (K or 1, B, T, width) of every image."""
    count, images = len(prompts), x.shape[1]
    return torch.cat([x.expand(count, -1, -1, -1), prompts.unsqueeze(1).expand(-1, images, -1, -1)], dim=2)


def _heads_first(part: Tensor) -> Tensor:
    """(K, B, T, heads, w) -> (K, heads, B, T, w)."""
    return part.permute(0, 3, 1, 2, 4)


def _layer(block: FrozenBlock, x: Tensor, shared: tuple[Tensor, Tensor] | None) -> Tensor:
    q, k, v = map(_heads_first, block.project(x, ALL))
    return block.finish(x, _attend(q, k, v, shared).permute(0, 2, 3, 1, 4))


def _class_token(block: FrozenBlock, x: Tensor, shared: tuple[Tensor, Tensor] | None) -> Tensor:
    """Only the class token is asked for: returns (K, B, width)."""
    k, v = map(_heads_first, block.project(x, KEY_VALUE))
    (q,) = block.project(x[:, :, :1], QUERY)
    attended = _attend(_heads_first(q), k, v, shared)
    return block.finish(x[:, :, :1], attended.permute(0, 2, 3, 1, 4)).squeeze(2)


def _attend(q: Tensor, k: Tensor, v: Tensor, shared: tuple[Tensor, Tensor] | None) -> Tensor:
    return (attend_fused if FUSED.get(q.device.type, True) else attend)(q, k, v, shared)


def _scale_gradient(x: Tensor, factor: float) -> Tensor:
    return x if factor == 1 else _GradientScale.apply(x, factor)


class _GradientScale(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return x.view_as(x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient * ctx.factor, None
