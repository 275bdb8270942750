"""One residual attention block under the published CLIP weight names, and attention over groups of tokens that share
some of their keys.

Tokens come in G groups (classes of a text batch, images of an image batch) of L tokens, for K prompts at once. Within a
group attention is ordinary; besides, every token of prompt k sees keys that belong to prompt k alone and to no group:
the context before a class name, or the prompt tokens of a layer. Those keys are computed once per prompt instead of
once per group, and no copy of them is made.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from promptatlas.backbone.linear import frozen_linear

SLOPE = 1.702  # of QuickGELU


def _quick_gelu(x: Tensor) -> Tensor:
    return x * torch.sigmoid(SLOPE * x)


ACTIVATIONS: dict[bool, Callable[[Tensor], Tensor]] = {False: F.gelu, True: _quick_gelu}  # by "is it QuickGELU?"


class Attention(nn.Module):
    """Projection weights of multi-head attention, named as in `torch.nn.MultiheadAttention`."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.empty(3 * width))
        self.out_proj = nn.Linear(width, width)


class Mlp(nn.Module):
    def __init__(self, width: int, hidden: int, activation: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.c_fc = nn.Linear(width, hidden)
        self.c_proj = nn.Linear(hidden, width)
        self.activation = activation


class Block(nn.Module):
    """Pre-norm block: x + attention(ln_1 x), then x + mlp(ln_2 x)."""

    linear: Callable[..., Tensor] = staticmethod(F.linear)

    def __init__(self, width: int, heads: int, quick_gelu: bool, hidden: int | None = None) -> None:
        super().__init__()
        self.heads = heads
        self.ln_1 = nn.LayerNorm(width)
        self.attn = Attention(width)
        self.ln_2 = nn.LayerNorm(width)
        self.mlp = Mlp(width, hidden or 4 * width, ACTIVATIONS[quick_gelu])

    def project(self, x: Tensor, parts: slice) -> list[Tensor]:
        """Queries (0), keys (1), values (2) of tokens x (..., width): a list of (..., heads, width / heads)."""
        width = x.shape[-1]
        rows = slice(parts.start * width, parts.stop * width)
        weight, bias = self.attn.in_proj_weight[rows], self.attn.in_proj_bias[rows]
        projected = self.linear(self.ln_1(x), weight, bias)
        return list(projected.unflatten(-1, (parts.stop - parts.start, self.heads, -1)).unbind(-3))

    def finish(self, x: Tensor, attended: Tensor) -> Tensor:
        """Residual, output projection and MLP; attended (..., heads, width / heads), x (..., width)."""
        x = x + self._through(self.attn.out_proj, attended.flatten(-2))
        return x + self._through(self.mlp.c_proj, self.mlp.activation(self._through(self.mlp.c_fc, self.ln_2(x))))

    def _through(self, layer: nn.Linear, x: Tensor) -> Tensor:
        return self.linear(x, layer.weight, layer.bias)


class FrozenBlock(Block):
    """A block of a tower that is never trained."""

    linear: Callable[..., Tensor] = staticmethod(frozen_linear)

    @torch.no_grad()
    def fold(self) -> None:
        """QuickGELU with its slope in the weights around it: x sigmoid(s x) = silu(s x) / s, one kernel for two and their way back."""
        if self.mlp.activation is _quick_gelu:
            self.mlp.c_fc.weight.mul_(SLOPE)
            self.mlp.c_fc.bias.mul_(SLOPE)
            self.mlp.c_proj.weight.div_(SLOPE)
            self.mlp.activation = F.silu


class Transformer(nn.Module):
    """A tower's frozen blocks, under the published names `resblocks.0...`."""

    def __init__(self, width: int, heads: int, layers: int, quick_gelu: bool, hidden: int | None) -> None:
        super().__init__()
        self.resblocks = nn.ModuleList(FrozenBlock(width, heads, quick_gelu, hidden) for _ in range(layers))


QUERY, KEY_VALUE, ALL = slice(0, 1), slice(1, 3), slice(0, 3)


def attend(q: Tensor, k: Tensor, v: Tensor, shared: tuple[Tensor, Tensor] | None, mask: Tensor | None = None) -> Tensor:
    """Attention inside groups, plus keys that a prompt shares among all its groups.

    q: (K or 1, heads, G, L, w); k, v: (K or 1, heads, G, M, w); shared: keys and values (K, heads, P, w) of prompts, or
    (1, heads, G, P, w) where each group has its own, or None; mask: additive, broadcast to (G, L, M), for the keys of the
    group only. Returns (K or 1, heads, G, L, w).
    """
    if shared is None:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    shared_k, shared_v = shared
    if shared_k.dim() == k.dim():
        k, v = torch.cat([shared_k, k], dim=-2), torch.cat([shared_v, v], dim=-2)
        return F.scaled_dot_product_attention(q, k, v, attn_mask=None if mask is None else F.pad(mask, (shared_k.shape[-2], 0)))
    prompts, heads, (groups, length, width) = len(shared_k), q.shape[1], q.shape[2:]
    q = q * width**-0.5
    own = q @ k.transpose(-2, -1)
    if mask is not None:
        own = own + mask
    rows = q.reshape(len(q), heads, groups * length, width)
    common = (rows @ shared_k.transpose(-2, -1)).unflatten(2, (groups, length))
    weights = torch.cat([common, own.expand(prompts, -1, -1, -1, -1)], dim=-1).softmax(-1)
    common, own = weights.split([shared_k.shape[2], k.shape[3]], dim=-1)
    return (common.flatten(2, 3) @ shared_v).unflatten(2, (groups, length)) + own @ v


def attend_fused(q: Tensor, k: Tensor, v: Tensor, shared: tuple[Tensor, Tensor] | None) -> Tensor:
    """What `attend` gives without a mask, by one fused call, which keeps no weights for the way back.

    Fused kernels take four dimensions: prompts and groups become one, and a prompt's keys are copied to each of its groups.
    """
    prompts, groups = len(q) if shared is None else max(len(q), len(shared[0])), q.shape[2]
    if shared is not None:
        k, v = (
            torch.cat([part.unsqueeze(2).expand(-1, -1, groups, -1, -1), own.expand(prompts, -1, -1, -1, -1)], dim=-2)
            for part, own in zip(shared, (k, v), strict=True)
        )
    q, k, v = (part.expand(prompts, -1, -1, -1, -1).transpose(1, 2).flatten(0, 1) for part in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v).unflatten(0, (prompts, groups)).transpose(1, 2)
