"""Ways to compute with frozen towers, as experiments: the path of today, tensor cores, half precision, fused attention.

None of it is what promptatlas does but the first. A variant holds inside `with using(name, backbone):`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor

from promptatlas.backbone import vision as vision_module
from promptatlas.backbone.model import Backbone

PLAIN = "float32"
# name -> (kind of product whose ceiling counts, TF32, autocast of the vision tower, products of the vision tower, fused attention)
VARIANTS: dict[str, tuple[str, bool, torch.dtype | None, torch.dtype | None, bool]] = {
    PLAIN: ("float32", False, None, None, False),
    "float32 fused": ("float32", False, None, None, True),
    "tf32": ("tf32", True, None, None, False),
    "tf32 fused": ("tf32", True, None, None, True),
    "float16 autocast": ("float16", False, torch.float16, None, False),
    "bfloat16 autocast": ("bfloat16", False, torch.bfloat16, None, False),
    "float16 products": ("float16", False, None, torch.float16, False),
    "float16 products fused": ("float16", False, None, torch.float16, True),
    "float16 products fused, tf32 text": ("float16", True, None, torch.float16, True),
}


@contextmanager
def using(name: str, backbone: Backbone) -> Iterator[None]:
    _, tf32, autocast, products, fused = VARIANTS[name]
    with ExitStack() as stack:
        if tf32:
            stack.enter_context(_tf32())
        if autocast is not None:
            stack.enter_context(_autocast(backbone, autocast))
        if products is not None:
            stack.enter_context(_products(backbone, products))
        if fused:
            stack.enter_context(_replaced(vision_module, "attend", attend_fused))
        yield


@contextmanager
def _tf32() -> Iterator[None]:
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


@contextmanager
def _replaced(owner: object, name: str, value: object) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


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
def _products(backbone: Backbone, dtype: torch.dtype) -> Iterator[None]:
    """The four products of each vision layer and its attention in half precision; residual stream, norms, projection in float32."""
    kept: dict[tuple[int, torch.Size], tuple[Tensor, Tensor | None]] = {}

    def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        key = weight.data_ptr(), weight.shape
        if key not in kept:
            kept[key] = weight.to(dtype), None if bias is None else bias.to(dtype)
        return F.linear(x.to(dtype), *kept[key])

    blocks = list(backbone.vision.transformer.resblocks)  # type: ignore[union-attr, arg-type]
    for block in blocks:
        object.__setattr__(block, "linear", linear)
    try:
        yield
    finally:
        for block in blocks:
            object.__delattr__(block, "linear")


def attend_fused(q: Tensor, k: Tensor, v: Tensor, shared: tuple[Tensor, Tensor] | None, mask: Tensor | None = None) -> Tensor:
    """What `block.attend` gives, by one fused call on four-dimensional tensors: a prompt's keys are copied to every image."""
    if mask is not None:
        raise ValueError("only the vision tower attends without a mask")
    prompts, images = len(q) if shared is None else max(len(q), len(shared[0])), q.shape[2]
    if shared is not None:
        k, v = (
            torch.cat([part.unsqueeze(2).expand(-1, -1, images, -1, -1), own.expand(prompts, -1, -1, -1, -1)], dim=-2)
            for part, own in zip(shared, (k, v), strict=True)
        )
    q, k, v = (part.expand(prompts, -1, -1, -1, -1).transpose(1, 2).flatten(0, 1) for part in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v).unflatten(0, (prompts, images)).transpose(1, 2)
