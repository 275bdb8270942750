"""SigLIP's towers (Zhai et al. 2023, arXiv 2303.15343), forward only. Its text tower has no causal mask and reads the
padding too, and the last place is the sentence: nothing can be shared between classes or left out, so every sentence
runs whole. The image tower's weight names are those of timm.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from promptatlas.backbone.accelerator import sent
from promptatlas.backbone.architecture import Architecture
from promptatlas.backbone.block import ALL, Transformer
from promptatlas.backbone.image_tower import ImageTower
from promptatlas.backbone.text import TextEncoder

EPSILON = 1e-6  # of every layer norm
_GELU: dict[bool, Callable[[Tensor], Tensor]] = {False: F.gelu, True: partial(F.gelu, approximate="tanh")}  # by "is it the tanh form?"


@dataclass(frozen=True)
class Whole:
    """C sentences of full length L: ids (C, L), context vectors as -1 - i; sentence, place and which (n,) of every context vector."""

    ids: Tensor
    sentence: Tensor
    place: Tensor
    which: Tensor

    @property
    def tokens(self) -> int:
        """What one prompt adds to a pass through the tower."""
        return self.ids.numel()

    @staticmethod
    def of(rows: list[list[int]], device: torch.device) -> Whole:
        """Context vectors are looked for on the host, where nobody waits for what is found."""
        ids = torch.tensor(rows)
        sentence, place = (ids < 0).nonzero(as_tuple=True)
        return Whole(*(sent(values, device) for values in (ids, sentence, place, -1 - ids[sentence, place])))


class SiglipText(TextEncoder):
    """Frozen text encoder; state-dict names as published below `text.`."""

    def __init__(self, architecture: Architecture, vocabulary: int) -> None:
        super().__init__(architecture, vocabulary)
        a = architecture
        self.transformer = Transformer(a.text_width, a.text_heads, a.text_layers, False, a.text_hidden)
        blocks: Any = self.transformer.resblocks
        for block in blocks:
            block.mlp.activation = _GELU[a.text_tanh]
            block.ln_1.eps = block.ln_2.eps = EPSILON
        self.ln_final = nn.LayerNorm(a.text_width, EPSILON)
        self.text_projection = nn.Linear(a.text_width, a.embed_dim) if a.text_projects else nn.Identity()
        self.requires_grad_(False)

    def layout(self, rows: list[list[int]]) -> Whole:
        """Sentences (see `text.sentences`) arranged for `forward`. Raises UserError for one that is too long."""
        self.require_short(rows)
        return Whole.of(rows, self.device)

    def forward(self, layout: Whole, context: Tensor | None = None, owner: Tensor | None = None) -> Tensor:
        """Features (K, C, embed_dim), not normalised; context (K, depth, n, width), or None (K = 1).

        owner (C,): sentence c has the vectors of prompt owner[c] alone, so the features are (1, C, embed_dim).
        """
        where, which = (layout.sentence, layout.place), layout.which
        if owner is not None:  # the vectors of all prompts, numbered as those of one
            assert context is not None
            which = which + owner[where[0]] * context.shape[2]
            context = context.transpose(0, 1).flatten(1, 2).unsqueeze(0)
        x = self.token_embedding(layout.ids.clamp(min=0)) + self.positional_embedding
        x = x.expand(1 if context is None else len(context), -1, -1, -1)
        blocks: Any = self.transformer.resblocks
        for depth, block in enumerate(blocks):
            if context is not None and depth < context.shape[1]:
                vectors = context[:, depth, which]
                if depth == 0:
                    vectors = vectors + self.positional_embedding[where[1]]
                x = x.index_put((torch.arange(len(x), device=x.device)[:, None], *where), vectors)
            q, k, v = (part.transpose(2, 3) for part in block.project(x, ALL))
            x = block.finish(x, F.scaled_dot_product_attention(q, k, v).transpose(2, 3))
        return self.text_projection(self.ln_final(x[:, :, -1]))


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
