"""Linear maps with frozen weights, by the faster of the two float32 matrix products that torch holds for a CPU.

`F.linear` calls MKL, which uses half the width of the vector units of an AMD CPU with AVX-512; oneDNN uses all of it
(twice the speed, benchmarks/frozen_linear.py). torch's compiler reaches oneDNN through the operator below; without a
compiler on the user's machine it is called by hand. Both are exact up to the order of additions.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable


def _onednn() -> Any:
    """The operator, or None where MKL is as fast (no AVX-512) or torch is built without oneDNN."""
    if torch.backends.cpu.get_cpu_capability() != "AVX512" or not torch.backends.mkldnn.is_available():
        return None
    return getattr(torch.ops.mkldnn, "_linear_pointwise", None)


_PRODUCT = _onednn()


def frozen_linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x (..., n), weight (m, n), bias (m,) -> (..., m). Gradients reach x alone."""
    if _PRODUCT is None or x.device.type != "cpu" or x.dtype != torch.float32:
        return F.linear(x, weight, bias)
    return _FrozenLinear.apply(x, weight, bias)


def product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The same without gradients."""
    if _PRODUCT is None or x.device.type != "cpu" or x.dtype != torch.float32:
        return F.linear(x, weight, bias)
    return _PRODUCT(x, weight, bias, "none", [], "")


class _FrozenLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(weight)
        return _PRODUCT(x, weight, bias, "none", [], "")

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (weight,) = ctx.saved_tensors
        return _PRODUCT(gradient, weight.t(), None, "none", [], ""), None, None
