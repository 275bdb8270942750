"""Linear maps with frozen weights whose factors have 11 significant bits, as tensor cores multiply them. Sums are of float32.

Products of such numbers are exact in float32. So a CPU, which rounds the factors and multiplies in float32, gives what a GPU gives, up
to the order of additions, and for TF32 up to how a GPU rounds numbers that lie between two. It is slower than float32 there.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from promptatlas.backbone.linear import frozen_linear, product


def tf32_linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x (..., n), weight (m, n), bias (m,) -> (..., m), float32; factors of 8 bits of exponent, also on the way back."""
    return _Tf32.apply(x, weight, bias)


def tf32_while_tuning(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`tf32_linear` where gradients are taken; float32 where answers are given."""
    return tf32_linear(x, weight, bias) if torch.is_grad_enabled() else frozen_linear(x, weight, bias)


def half_linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The same with factors and values of half precision, also on the way back.

    weight, bias: float16, and the result is float16 too; or float32 that hold numbers of float16 (`as_half`), and so does the result.
    """
    return F.linear(x.half(), weight, bias) if weight.dtype == torch.float16 else _Half.apply(x, weight, bias)


def as_tf32(x: Tensor) -> Tensor:
    """float32 of which 10 bits are left after the first, to the nearest, by Veltkamp's splitting. NaN above 2^114."""
    shifted = x * 8193.0  # 2^13 + 1
    return shifted - (shifted - x)


def as_half(x: Tensor) -> Tensor:
    """float32 that hold what float16 can: to the nearest, infinite above 65,504."""
    return x.half().float()


class _Tf32(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(weight)
        return _tf32_product(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (weight,) = ctx.saved_tensors
        return _tf32_product(gradient, weight.t()), None, None


class _Half(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(weight)
        return as_half(product(as_half(x), weight, bias))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (weight,) = ctx.saved_tensors
        return as_half(product(as_half(gradient), weight.t())), None, None


def _tf32_product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    if x.device.type == "cpu":
        return product(as_tf32(x), as_tf32(weight), bias)
    with _tensor_cores():
        return F.linear(x, weight, bias)


@contextmanager
def _tensor_cores() -> Iterator[None]:
    """Only here a GPU may round the factors of float32 products."""
    torch.backends.cuda.matmul.allow_tf32 = True
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = False
