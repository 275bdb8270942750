"""Packed tokens to classes of one length and back. What is gathered in one direction is gathered in the other, too, where torch would
add up element by element; the same numbers, as padding has no gradient.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class PaddedTokens(torch.autograd.Function):
    """Packed tokens x, S of them along `dim` -> C L of them, those numbered `groups` (C L,); padding repeats a token.

    packed (S,): where each token stands among them.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, dim: int, groups: Tensor, packed: Tensor) -> Tensor:
        ctx.dim = dim
        ctx.save_for_backward(packed)
        return x.index_select(dim, groups)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        (packed,) = ctx.saved_tensors
        return gradient.index_select(ctx.dim, packed), None, None, None


class PackedTokens(torch.autograd.Function):
    """C L tokens along `dim` -> the S that are no padding; real (C L,): 1 for those, 0 for padding."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, dim: int, packed: Tensor, groups: Tensor, real: Tensor) -> Tensor:
        ctx.dim = dim
        ctx.save_for_backward(groups, real)
        return x.index_select(dim, packed)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None, None]:
        groups, real = ctx.saved_tensors
        real = real.to(gradient.dtype).view(-1, *(1,) * (gradient.dim() - ctx.dim - 1))
        return gradient.index_select(ctx.dim, groups) * real, None, None, None, None
