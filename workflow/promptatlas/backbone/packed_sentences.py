"""Sentences cut into the tokens that all have in front and the rest of each, arranged once for every step. Knows nothing of towers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from promptatlas.backbone.accelerator import sent


@dataclass(frozen=True)
class Places:
    """Where (n,) among ids the context vectors stand, and which (n,) they are."""

    where: Tensor
    which: Tensor

    @staticmethod
    def among(ids: Tensor, device: torch.device) -> Places:
        """Of ids on the host, where nobody waits for what is found."""
        where = (ids < 0).nonzero().squeeze(1)
        return Places(sent(where, device), sent(-1 - ids[where], device))


@dataclass(frozen=True)
class PackedSentences:
    """C sentences cut into P shared first tokens and S packed remaining ones (C groups of at most L).

    prefix (P,), suffix (S,): ids, context vectors as -1 - i; positions (S,): place in the sentence;
    groups (C, L): index into S, padded with 0; packed (S,): index into the flattened (C, L); last (C,): index into S of
    the end token; real (C L,): 1 where there is no padding; mask (L, L): causal, additive; last_mask (C, 1, L): what the
    end token may see; contexts: where context vectors stand in the prefix and in the suffix; unshared: what the sentences
    become where each class has vectors of its own.
    """

    prefix: Tensor
    suffix: Tensor
    positions: Tensor
    groups: Tensor
    packed: Tensor
    last: Tensor
    real: Tensor
    mask: Tensor
    last_mask: Tensor
    contexts: tuple[Places, Places]
    unshared: Unshared | None = None

    @property
    def tokens(self) -> int:
        """What one prompt adds to a pass through the tower."""
        return len(self.prefix) + len(self.suffix)

    @staticmethod
    def of(rows: list[list[int]], device: torch.device, most: int | None = None) -> PackedSentences:
        """most: of the first tokens to be shared."""
        shortest = min(len(row) for row in rows)
        shared = next((i for i in range(shortest) if any(r[i] != rows[0][i] for r in rows)), shortest - 1)
        shared = min(shared, shortest - 1, shared if most is None else most)
        lengths = [len(row) - shared for row in rows]
        longest, starts = max(lengths), [sum(lengths[:i]) for i in range(len(rows))]
        groups = [[starts[c] + min(i, lengths[c] - 1) for i in range(longest)] for c in range(len(rows))]
        packed = [c * longest + i for c, length in enumerate(lengths) for i in range(length)]
        mask = torch.full((longest, longest), float("-inf")).triu(1)
        prefix, suffix = torch.tensor(rows[0][:shared], dtype=torch.long), torch.tensor([i for row in rows for i in row[shared:]])
        on_device = lambda values: sent(torch.as_tensor(values), device)  # noqa: E731
        return PackedSentences(
            prefix=on_device(prefix),
            suffix=on_device(suffix),
            positions=on_device([shared + i for length in lengths for i in range(length)]),
            groups=on_device(groups),
            packed=on_device(packed),
            last=on_device([start + length - 1 for start, length in zip(starts, lengths, strict=True)]),
            real=on_device(torch.zeros(len(rows) * longest).index_fill_(0, torch.tensor(packed), 1.0)),
            mask=on_device(mask),
            last_mask=on_device(mask[torch.tensor(lengths) - 1].unsqueeze(1)),
            contexts=(Places.among(prefix, device), Places.among(suffix, device)),
        )


@dataclass(frozen=True)
class Unshared:
    """Sentences of which only what stands before the first context vector is shared from some layer on.

    sentences: they, cut there; source (P' + S',): where each of their tokens stands among the P + S of the cut before; where (C n,): the
    context vectors among the S', class by class.
    """

    sentences: PackedSentences
    source: Tensor
    where: Tensor

    @staticmethod
    def of(rows: list[list[int]], device: torch.device) -> Unshared:
        before = next(i for i, token in enumerate(rows[0]) if token < 0)
        closed, opened = (PackedSentences.of(rows, torch.device("cpu"), most) for most in (None, before))
        shared, start, source = len(closed.prefix), 0, [*range(before)]
        for row in rows:
            source += [i if i < shared else start + i for i in range(before, len(row))]
            start += len(row) - shared
        where = opened.contexts[1].where
        return Unshared(PackedSentences.of(rows, device, before), sent(torch.tensor(source), device), sent(where, device))

    def tokens(self, prefix: Tensor, suffix: Tensor, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Of tokens (K, P, w) and (K, S, w) those of the new cut, with vectors (K, C, n, w) in their places."""
        x = torch.cat([prefix, suffix], dim=1).index_select(1, self.source)
        before = len(self.sentences.prefix)
        return x[:, :before], x[:, before:].index_copy(1, self.where, vectors.flatten(1, 2))
