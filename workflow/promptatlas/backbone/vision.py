"""The vision tower for K visual prompts at once, exact and without repeated work.

As long as a layer's prompt tokens are thrown away afterwards (deep prompts replace them at the next layer) only their
keys and values matter, and those do not depend on the image: they are computed once per prompt and layer. After the last
layer only the class token is read, so the last layer computes only that. Knows nothing of methods or tasks.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from promptatlas.backbone.architecture import Architecture
from promptatlas.backbone.block import ALL, KEY_VALUE, QUERY, Block, attend


class VisionTower(nn.Module):
    """Frozen vision transformer; state-dict names as published below `visual.`."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        a = architecture
        self.image_size = a.image_size
        self.conv1 = nn.Conv2d(3, a.vision_width, a.patch_size, a.patch_size, bias=False)
        self.class_embedding = nn.Parameter(torch.empty(a.vision_width))
        tokens = (a.image_size // a.patch_size) ** 2 + 1
        self.positional_embedding = nn.Parameter(torch.empty(tokens, a.vision_width))
        self.ln_pre = nn.LayerNorm(a.vision_width)
        self.transformer = nn.Module()
        self.transformer.resblocks = nn.ModuleList(
            Block(a.vision_width, a.vision_heads, a.quick_gelu) for _ in range(a.vision_layers)
        )
        self.ln_post = nn.LayerNorm(a.vision_width)
        self.proj = nn.Parameter(torch.empty(a.vision_width, a.embed_dim))
        self.register_buffer("mean", torch.tensor(a.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(a.std).view(1, 3, 1, 1), persistent=False)
        self.requires_grad_(False)

    @property
    def device(self) -> torch.device:
        return self.proj.device

    def normalise(self, images: Tensor) -> Tensor:
        """uint8 images (B, R, R, 3) -> float (B, 3, R, R) with the mean and spread of the model's training."""
        return (images.permute(0, 3, 1, 2).float() / 255 - self.mean) / self.std

    def resized(self, images: np.ndarray) -> Tensor:
        """Pictures from disk, uint8 (B, S, S, 3) -> uint8 (B, R, R, 3) on the tower's device, R the model's size.

        Bicubic and antialiased in whole bytes on the CPU, as Pillow does it.
        """
        pictures = torch.from_numpy(np.array(images))
        size = (self.image_size, self.image_size)
        if pictures.shape[1:3] != size:
            planes = F.interpolate(pictures.permute(0, 3, 1, 2), size, mode="bicubic", antialias=True)
            pictures = planes.permute(0, 2, 3, 1)
        return pictures.to(self.device)

    def read(self, images: np.ndarray) -> Tensor:
        """Pictures from disk, uint8 (B, S, S, 3) -> normalised (B, 3, R, R) on the tower's device."""
        return self.normalise(self.resized(images))

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
        blocks = self.transformer.resblocks
        deep = 0 if prompts is None else prompts.shape[1]
        for depth, block in enumerate(blocks):
            last = depth == len(blocks) - 1
            shared = None
            if depth < deep:
                if depth == deep - 1 and not last:
                    x = _with_tokens(x, prompts[:, depth])
                else:
                    shared = tuple(part.transpose(1, 2) for part in block.project(prompts[:, depth], KEY_VALUE))
            x = (_last_layer if last else _layer)(block, x, shared)
        return self.ln_post(x) @ self.proj

    def encode(self, images: Tensor) -> Tensor:
        """Normalised images (B, 3, R, R) -> features (B, embed_dim) without prompts, L2-normalised."""
        return F.normalize(self(self.embed(images).unsqueeze(0))[0], dim=-1)


def _with_tokens(x: Tensor, prompts: Tensor) -> Tensor:
    """Appends prompts (K, n, width) to the tokens (K or 1, B, T, width) of every image."""
    count, images = len(prompts), x.shape[1]
    return torch.cat([x.expand(count, -1, -1, -1), prompts.unsqueeze(1).expand(-1, images, -1, -1)], dim=2)


def _heads_first(part: Tensor) -> Tensor:
    """(K, B, T, heads, w) -> (K, heads, B, T, w)."""
    return part.permute(0, 3, 1, 2, 4)


def _layer(block: Block, x: Tensor, shared: tuple[Tensor, Tensor] | None) -> Tensor:
    q, k, v = map(_heads_first, block.project(x, ALL))
    return block.finish(x, attend(q, k, v, shared).permute(0, 2, 3, 1, 4))


def _last_layer(block: Block, x: Tensor, shared: tuple[Tensor, Tensor] | None) -> Tensor:
    """Only the class token is asked for: returns (K, B, width)."""
    k, v = map(_heads_first, block.project(x, KEY_VALUE))
    (q,) = block.project(x[:, :, :1], QUERY)
    attended = attend(_heads_first(q), k, v, shared)
    return block.finish(x[:, :, :1], attended.permute(0, 2, 3, 1, 4)).squeeze(2)
