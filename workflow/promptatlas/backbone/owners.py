"""Rows of a tensor for those who own them: one row has several owners, or each has its own.

What is gathered in one direction is one product in the other, the same bits every time, where torch would add up element by element.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from promptatlas.backbone.accelerator import is_accelerator

Owner = Tensor | slice  # (C,) which of T rows, or EACH
EACH = slice(None)  # owner c has row c


def of_owners(x: Tensor, owner: Owner) -> Tensor:
    """(C, ...) of x (T, ...)."""
    return x[owner] if isinstance(owner, slice) or not is_accelerator(x.device) else _Rows.apply(x, owner)


class _Rows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, owner: Tensor) -> Tensor:
        ctx.save_for_backward(owner)
        ctx.shape = x.shape
        return x.index_select(0, owner)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (owner,) = ctx.saved_tensors
        owned = owner == torch.arange(ctx.shape[0], device=owner.device).unsqueeze(1)
        return (owned.to(gradient.dtype) @ gradient.flatten(1)).view(ctx.shape), None
