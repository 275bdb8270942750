"""In which precision a frozen model multiplies. A study says it; no device chooses it.

Only the products with the weights of layers are ever reduced, those of a CLIP vision transformer and, while prompts are tuned, of the
text tower. The patches' convolution, norms, sums of residuals, softmax, projections, logits, losses, prompts and optimisers stay in
float32, and so do the image towers that take no visual prompts.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from promptatlas.backbone.block import FrozenBlock
from promptatlas.backbone.image_tower import ImageTower
from promptatlas.backbone.reduced import as_half, half_linear, tf32_linear, tf32_while_tuning
from promptatlas.backbone.vision import VisionTower
from promptatlas.base.errors import UserError

FLOAT32, TF32, FLOAT16 = PRECISIONS = "float32", "tf32", "float16"
# By device: whether numbers of half precision are kept as such. A CPU keeps them as float32, in which it multiplies faster.
HALF = {"cpu": False, "cuda": True}
# By device: whether QuickGELU is folded into the weights also in float32. Results of a CPU keep their bits.
FOLDED = {"cpu": False, "cuda": True}
LOSS_SCALE = 1024.0  # keeps gradients of half precision from vanishing


def mark(precision: str) -> dict[str, str]:
    """What the precision adds to a fingerprint that is older than the choice."""
    return {} if precision == FLOAT32 else {"precision": precision}


def compute_in(precision: str, text: nn.Module, vision: ImageTower) -> None:
    """Have both towers, on their device and with their weights, multiply in a precision from here on. Once: weights are changed.

    UserError for weights that are too large for it.
    """
    device = vision.device.type
    layers = _blocks(vision) if isinstance(vision, VisionTower) else []
    if precision != FLOAT32 or FOLDED.get(device, True):
        for block in layers:
            block.fold()
    if precision == FLOAT32:
        return
    for block in _blocks(text):
        block.linear = tf32_while_tuning
    for block in layers:
        block.linear = tf32_linear if precision == TF32 else half_linear
    if precision == FLOAT16 and isinstance(vision, VisionTower):
        vision.gradient_scale = LOSS_SCALE
        for block in layers:
            for part in (block.attn, block.attn.out_proj, block.mlp.c_fc, block.mlp.c_proj):
                _halve(part, HALF.get(device, True), vision.name)


def _blocks(tower: Any) -> list[FrozenBlock]:
    return list(tower.transformer.resblocks)


def _halve(part: nn.Module, kept: bool, name: str) -> None:
    for weight in part.parameters(recurse=False):
        halved: Tensor = weight.data.half() if kept else as_half(weight.data)
        if not torch.isfinite(halved).all():
            raise UserError(f"precision: weights of {name!r} are too large for float16; set it to tf32 or float32")
        weight.data = halved
