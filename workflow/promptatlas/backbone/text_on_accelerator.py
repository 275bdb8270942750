"""The text tower as an accelerator computes it: the sums of `text.TextTower.forward` in fewer and larger kernels.

There a step waits for kernels to be started, not for sums. So the tokens of all prompts and classes go through the linear maps as one
list: the prefixes of K prompts, then the remaining tokens of their C classes. Attention is one fused call in which each class has a
copy of the keys before its name; as padding stands at the end, a causal mask hides it from every token that counts. On a CPU the copies
cost more than they save.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from promptatlas.backbone.block import QUERY, FrozenBlock
from promptatlas.backbone.gathers import PackedTokens, PaddedTokens
from promptatlas.backbone.owners import Owner, of_owners
from promptatlas.backbone.packed_sentences import PackedSentences

ALIGNED = 16  # numbers: rows of a mask start at multiples, as fused attention wants them


def forward(
    tower: Any, layout: PackedSentences, context: Tensor | None, owner: Owner | None, by_class: tuple[int, Tensor] | None = None
) -> Tensor:  # fmt: skip
    """Features (K, C, embed_dim), or (1, C, embed_dim) with owners, of a `text.TextTower`; everything as in its `forward`."""
    tokens = _Tokens(layout, 1 if context is None else len(context), owner)
    blocks: Any = tower.transformer.resblocks
    x = tower.token_embedding(tokens.listed(layout.prefix, layout.suffix).clamp(min=0))
    if context is not None:
        x = tokens.with_vectors(x, context[:, 0])
    places = torch.arange(tokens.before, device=tower.device)
    x = x + tower.positional_embedding[tokens.listed(places, layout.positions)]
    for depth, block in enumerate(blocks):
        if context is not None and 0 < depth < context.shape[1]:
            x = tokens.with_vectors(x, context[:, depth])
        if by_class is not None and depth == by_class[0]:
            x, tokens = tokens.opened(x, layout, by_class[1])
        x = (_last_layer if depth == len(blocks) - 1 else _layer)(block, x, tokens)
    return tower.ln_final(x) @ tower.text_projection


class _Tokens:
    """Where everything stands in the list of tokens: K prefixes of `before` tokens, then `copies` times S packed tokens."""

    def __init__(self, layout: PackedSentences, prompts: int, owner: Owner | None) -> None:
        self.prompts, self.owner, self.copies = prompts, owner, prompts if owner is None else 1
        self.before, self.after = len(layout.prefix), len(layout.suffix)
        self.classes, self.longest = layout.groups.shape
        self.groups, self.packed, self.last = layout.groups.flatten(), layout.packed, layout.last
        self.real = layout.real
        self.in_prefix, self.in_suffix = (places.where for places in layout.contexts)
        self.mask, self.last_mask = _widened(layout.mask, self.before), _widened(layout.last_mask, self.before)

    def listed(self, prefix: Tensor, suffix: Tensor) -> Tensor:
        """(K before + copies S,) of what holds for each prefix (before,) and each packed token (S,)."""
        return torch.cat([prefix.repeat(self.prompts), suffix.repeat(self.copies)])

    def parts(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Of a list (K before + copies S, w): (K, before, w) and (copies, S, w)."""
        prefix, suffix = x.split([self.prompts * self.before, self.copies * self.after])
        return prefix.unflatten(0, (self.prompts, self.before)), suffix.unflatten(0, (self.copies, self.after))

    def with_vectors(self, x: Tensor, vectors: Tensor) -> Tensor:
        """The list with the vectors (K, n, d) in their places: the first of them in the prefix, the others after every name."""
        first = len(self.in_prefix)
        if self.owner is not None and len(self.in_suffix):
            raise ValueError("sentences with owners have their context vectors before the names")
        start = torch.arange(self.prompts, device=x.device).unsqueeze(1)
        where = [start * self.before + self.in_prefix]
        held = [vectors[:, :first].flatten(0, 1)]
        if len(self.in_suffix):
            where.append(self.prompts * self.before + start * self.after + self.in_suffix)
            held.append(vectors[:, first:].repeat(1, self.classes, 1).flatten(0, 1))
        return x.index_copy(0, torch.cat([own.flatten() for own in where]), torch.cat(held))

    def opened(self, x: Tensor, layout: PackedSentences, vectors: Tensor) -> tuple[Tensor, _Tokens]:
        """The list where the vectors (K, C, n, w) are each class's own, and where everything stands in it."""
        assert layout.unshared is not None
        parts = layout.unshared.tokens(*self.parts(x), vectors)
        return torch.cat([part.flatten(0, 1) for part in parts]), _Tokens(layout.unshared.sentences, self.prompts, None)

    def by_class(self, projected: Tensor) -> tuple[Tensor, Tensor]:
        """Of a list: the prefixes (K, before, w), and the packed tokens by class (copies, C, L, w)."""
        prefix, suffix = self.parts(projected)
        return prefix, PaddedTokens.apply(suffix, 1, self.groups, self.packed).unflatten(1, (self.classes, self.longest))

    def after_prefix(self, prefix: Tensor, own: Tensor) -> Tensor:
        """(copies C, before + L, w): the tokens of each class, and before them a copy of the prefix that it has."""
        before = prefix.unsqueeze(1).expand(-1, self.classes, -1, -1) if self.owner is None else of_owners(prefix, self.owner).unsqueeze(0)
        return torch.cat([before, own], dim=2).flatten(0, 1)


def _layer(block: FrozenBlock, x: Tensor, tokens: _Tokens) -> Tensor:
    width = x.shape[-1]
    prefix, own = tokens.by_class(block.linear(block.ln_1(x), block.attn.in_proj_weight, block.attn.in_proj_bias))
    (prefix_q, prefix_kv), (q, kv) = (part.split([width, 2 * width], dim=-1) for part in (prefix, own))
    before = F.scaled_dot_product_attention(*_heads(block, prefix_q, prefix_kv), is_causal=True)
    given = _heads(block, q.flatten(0, 1), tokens.after_prefix(prefix_kv, kv))
    after = _merged(F.scaled_dot_product_attention(*given, attn_mask=tokens.mask)).reshape(tokens.copies, -1, width)
    after = PackedTokens.apply(after, 1, tokens.packed, tokens.groups, tokens.real)
    attended = torch.cat([_merged(before).flatten(0, 1), after.flatten(0, 1)])
    return block.finish(x, attended.unflatten(-1, (block.heads, -1)))


def _last_layer(block: FrozenBlock, x: Tensor, tokens: _Tokens) -> Tensor:
    """Only the end tokens are asked for: returns (copies, C, width)."""
    width = x.shape[-1]
    kv = block.linear(block.ln_1(x), block.attn.in_proj_weight[width:], block.attn.in_proj_bias[width:])
    ends = tokens.parts(x)[1].index_select(1, tokens.last)
    (q,) = block.project(ends, QUERY)
    mask = tokens.last_mask.unsqueeze(1).repeat(tokens.copies, 1, 1, 1)
    given = _heads(block, q.flatten(-2).flatten(0, 1).unsqueeze(1), tokens.after_prefix(*tokens.by_class(kv)))
    attended = _merged(F.scaled_dot_product_attention(*given, attn_mask=mask)).view_as(ends)
    return block.finish(ends, attended.unflatten(-1, (block.heads, -1)))


def _heads(block: FrozenBlock, queries: Tensor, keys: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Queries (B, L, w), keys and values (B, M, 2 w) -> three of (B, heads, ., w / heads)."""
    parts = (queries, *keys.split(queries.shape[-1], dim=-1))
    q, k, v = (part.unflatten(-1, (block.heads, -1)).transpose(1, 2) for part in parts)
    return q, k, v


def _merged(attended: Tensor) -> Tensor:
    """(B, heads, L, w) -> (B, L, heads w)."""
    return attended.transpose(1, 2).flatten(2)


def _widened(mask: Tensor, before: int) -> Tensor:
    """The mask (..., L, M) with what stands before, which everyone sees; rows aligned."""
    length = before + mask.shape[-1]
    return F.pad(mask, (before, -length % ALIGNED))[..., :length]
