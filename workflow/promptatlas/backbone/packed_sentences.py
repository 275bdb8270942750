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
    the end token; mask (L, L): causal, additive; last_mask (C, 1, L): what the end token may see; contexts: where context
    vectors stand in the prefix and in the suffix.
    """

    prefix: Tensor
    suffix: Tensor
    positions: Tensor
    groups: Tensor
    packed: Tensor
    last: Tensor
    mask: Tensor
    last_mask: Tensor
    contexts: tuple[Places, Places]

    @property
    def tokens(self) -> int:
        """What one prompt adds to a pass through the tower."""
        return len(self.prefix) + len(self.suffix)

    @staticmethod
    def of(rows: list[list[int]], device: torch.device) -> PackedSentences:
        shortest = min(len(row) for row in rows)
        shared = next((i for i in range(shortest) if any(r[i] != rows[0][i] for r in rows)), shortest - 1)
        shared = min(shared, shortest - 1)
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
            mask=on_device(mask),
            last_mask=on_device(mask[torch.tensor(lengths) - 1].unsqueeze(1)),
            contexts=(Places.among(prefix, device), Places.among(suffix, device)),
        )
