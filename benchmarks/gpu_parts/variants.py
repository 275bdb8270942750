"""Ways to compute with frozen towers: the precisions that can be set and, as experiments, other forms of the same.

A variant holds inside `with using(name, backbone) as model`, for the model that it gives.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from promptatlas.backbone.block import ACTIVATIONS, SLOPE
from promptatlas.backbone.model import Backbone
from promptatlas.backbone.precision import FLOAT16, FLOAT32, TF32, compute_in
from promptatlas.backbone.vision import FUSED

PLAIN = FLOAT32
# name -> (kind of product whose ceiling counts, precision that is set, TF32 everywhere, autocast of the image tower, as a CPU attends)
VARIANTS: dict[str, tuple[str, str, bool, torch.dtype | None, bool]] = {
    PLAIN: ("float32", FLOAT32, False, None, False),
    "float32 by parts": ("float32", FLOAT32, False, None, True),
    TF32: ("tf32", TF32, False, None, False),
    "tf32 everywhere": ("tf32", FLOAT32, True, None, False),
    FLOAT16: ("float16", FLOAT16, False, None, False),
    "float16 autocast": ("float16", FLOAT32, False, torch.float16, False),
    "bfloat16 autocast": ("bfloat16", FLOAT32, False, torch.bfloat16, False),
}


@contextmanager
def using(name: str, backbone: Backbone) -> Iterator[Backbone]:
    """The model itself for the plain variant, a copy for others. backbone: in float32, as its device computes it."""
    _, precision, tf32, autocast, by_parts = VARIANTS[name]
    if name == PLAIN:
        yield backbone
        return
    model = replace(backbone, text=copy.deepcopy(backbone.text), vision=copy.deepcopy(backbone.vision), precision=precision)
    compute_in(precision, model.text, model.vision)
    with ExitStack() as stack:
        if tf32:
            stack.enter_context(_tf32())
        if autocast is not None:
            stack.enter_context(_autocast(model, autocast))
        if by_parts:
            stack.enter_context(_parted(model))
        yield model


@contextmanager
def _tf32() -> Iterator[None]:
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


@contextmanager
def _autocast(backbone: Backbone, dtype: torch.dtype) -> Iterator[None]:
    """torch's own choice of operators in half precision, in the vision tower alone; features leave it in float32."""
    vision, kind = backbone.vision, backbone.device.type

    def cast(run: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def inside(*arguments: Tensor) -> Tensor:
            with torch.autocast(kind, dtype=dtype):
                return run(*arguments).float()

        return inside

    own = {name: getattr(vision, name) for name in ("forward", "embed")}
    for name, run in own.items():
        object.__setattr__(vision, name, cast(run))
    try:
        yield
    finally:
        for name in own:
            object.__delattr__(vision, name)


@contextmanager
def _parted(backbone: Backbone) -> Iterator[None]:
    """Attention without copies of a prompt's keys, by several calls, and QuickGELU apart from the weights."""
    device = backbone.device.type
    before = FUSED[device]
    FUSED[device] = False
    _unfold(backbone.vision)
    try:
        yield
    finally:
        FUSED[device] = before


@torch.no_grad()
def _unfold(vision: Any) -> None:
    for block in vision.transformer.resblocks:
        if block.mlp.activation is torch.nn.functional.silu:
            block.mlp.c_fc.weight.div_(SLOPE)
            block.mlp.c_fc.bias.div_(SLOPE)
            block.mlp.c_proj.weight.mul_(SLOPE)
            block.mlp.activation = ACTIVATIONS[True]
