"""SigLIP's towers (Zhai et al. 2023, arXiv 2303.15343), forward only. The last place of the text tower, which reads its padding too, is
the sentence. The image tower's weight names are those of timm.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from promptatlas.backbone.architecture import Architecture
from promptatlas.backbone.image_tower import ImageTower
from promptatlas.backbone.whole_text import WholeText

EPSILON = 1e-6  # of every layer norm
_GELU: dict[bool, Callable[[Tensor], Tensor]] = {False: F.gelu, True: partial(F.gelu, approximate="tanh")}  # by "is it the tanh form?"


class SiglipText(WholeText):
    """Frozen text encoder; state-dict names as published below `text.`. Its tokenizer pads."""

    def __init__(self, architecture: Architecture, vocabulary: int) -> None:
        super().__init__(architecture, vocabulary)
        a = architecture
        blocks: Any = self.transformer.resblocks
        for block in blocks:
            block.mlp.activation = _GELU[a.text_tanh]
            block.ln_1.eps = block.ln_2.eps = EPSILON
        self.ln_final = nn.LayerNorm(a.text_width, EPSILON)
        self.requires_grad_(False)

    @staticmethod
    def projection(a: Architecture) -> nn.Parameter | nn.Module:
        return nn.Linear(a.text_width, a.embed_dim) if a.text_projects else nn.Identity()

    def projected(self, x: Tensor) -> Tensor:
        return self.text_projection(x)


class SiglipVision(ImageTower):
    """Frozen image encoder; state-dict names as published below `visual.`, which are timm's below `trunk.`."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__(architecture)
        self.trunk = _Trunk(architecture)
        self.requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images (B, 3, R, R) -> features (B, embed_dim), not normalised."""
        return self.trunk(images)


class _Trunk(nn.Module):
    def __init__(self, a: Architecture) -> None:
        super().__init__()
        width, hidden = a.vision_width, a.vision_hidden or 4 * a.vision_width
        self.patch_embed: Any = nn.Module()
        self.patch_embed.proj = nn.Conv2d(3, width, a.patch_size, a.patch_size)
        self.pos_embed = nn.Parameter(torch.empty(1, (a.image_size // a.patch_size) ** 2, width))
        self.blocks = nn.ModuleList(_Layer(width, a.vision_heads, hidden, a.vision_tanh) for _ in range(a.vision_layers))
        self.norm = nn.LayerNorm(width, EPSILON)
        self.attn_pool = _Pool(width, a.vision_heads, hidden, a.vision_tanh)

    def forward(self, images: Tensor) -> Tensor:
        x = self.patch_embed.proj(images).flatten(2).transpose(1, 2) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        return self.attn_pool(self.norm(x))


class _Mlp(nn.Module):
    def __init__(self, width: int, hidden: int, tanh: bool) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.activation = _GELU[tanh]

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.activation(self.fc1(x)))


class _Layer(nn.Module):
    def __init__(self, width: int, heads: int, hidden: int, tanh: bool) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width, EPSILON), nn.LayerNorm(width, EPSILON)
        self.attn: Any = nn.Module()
        self.attn.qkv, self.attn.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = _Mlp(width, hidden, tanh)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.attn.qkv(self.norm1(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        x = x + self.attn.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return x + self.mlp(self.norm2(x))


class _Pool(nn.Module):
    """A trained query attends to all places (multi-head attention pooling)."""

    def __init__(self, width: int, heads: int, hidden: int, tanh: bool) -> None:
        super().__init__()
        self.heads = heads
        self.latent = nn.Parameter(torch.empty(1, 1, width))
        self.q, self.kv, self.proj = nn.Linear(width, width), nn.Linear(width, 2 * width), nn.Linear(width, width)
        self.norm = nn.LayerNorm(width, EPSILON)
        self.mlp = _Mlp(width, hidden, tanh)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, width) -> (B, width)."""
        q = self.q(self.latent.expand(len(x), -1, -1)).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        k, v = self.kv(x).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        pooled = self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))[:, 0]
        return pooled + self.mlp(self.norm(pooled))
