"""Text towers in which no place may be left out: without a causal mask every place reads the padding behind the sentence, too, so
nothing can be shared between classes and every sentence runs whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from promptatlas.backbone.accelerator import is_accelerator, sent
from promptatlas.backbone.architecture import Architecture
from promptatlas.backbone.block import ALL, Transformer
from promptatlas.backbone.owners import Owner, of_owners
from promptatlas.backbone.text import ByClass, TextEncoder

PADDING = 0  # the id behind a sentence


@dataclass(frozen=True)
class Whole:
    """C sentences of full length L: ids (C, L), context vectors as -1 - i; of the n vectors of each sentence, one sentence after the other,
    sentence, place and which (C n,).

    end: (C,) places that are read, where they are not the last; mask: additive (C, 1, L, L), where there is one.
    """

    ids: Tensor
    sentence: Tensor
    place: Tensor
    which: Tensor
    end: Tensor | None = None
    mask: Tensor | None = None

    @property
    def tokens(self) -> int:
        """What one prompt adds to a pass through the tower."""
        return self.ids.numel()

    @staticmethod
    def of(ids: Tensor, device: torch.device, end: Tensor | None = None, mask: Tensor | None = None) -> Whole:
        """Of ids (C, L) on the host, where nobody waits for what is found."""
        sentence, place = (ids < 0).nonzero(as_tuple=True)
        held = (sent(values, device) for values in (ids, sentence, place, -1 - ids[sentence, place]))
        return Whole(*held, *(None if own is None else sent(own, device) for own in (end, mask)))


class WholeText(TextEncoder):
    """Frozen text encoder; state-dict names as published below `text.`. The last place is the sentence."""

    def __init__(self, architecture: Architecture, vocabulary: int) -> None:
        super().__init__(architecture, vocabulary)
        a = architecture
        self.transformer = Transformer(a.text_width, a.text_heads, a.text_layers, a.quick_gelu, a.text_hidden)
        self.ln_final = nn.LayerNorm(a.text_width)
        self.text_projection: Any = self.projection(a)
        self.requires_grad_(False)

    @staticmethod
    def projection(a: Architecture) -> nn.Parameter | nn.Module:
        return nn.Parameter(torch.empty(a.text_width, a.embed_dim))

    def padded(self, rows: list[list[int]]) -> Tensor:
        """Sentences (see `text.sentences`) at full length, (C, L). UserError for one that is too long."""
        self.require_short(rows)
        return torch.tensor([row + [PADDING] * (self.context_length - len(row)) for row in rows])

    def layout(self, rows: list[list[int]]) -> Whole:
        """Sentences arranged for `forward`. Raises UserError for one that is too long."""
        return Whole.of(self.padded(rows), self.device)

    def layout_by_class(self, rows: list[list[int]]) -> Whole:
        """The same, as each sentence runs by itself."""
        return self.layout(rows)

    def forward(
        self, layout: Whole, context: Tensor | None = None, owner: Owner | None = None, by_class: ByClass | None = None
    ) -> Tensor:  # fmt: skip
        """Features (K, C, embed_dim), not normalised; context (K, depth, n, width), or None (K = 1).

        owner (C,): sentence c has the vectors of prompt owner[c] alone, or of prompt c (EACH), so the features are (1, C, embed_dim).
        by_class: a layer from 1, and vectors (K, C, n, width) that replace the context of each class at its input.
        """
        x = self.embedded(layout)
        x = x.expand(1 if context is None or owner is not None else len(context), -1, -1, -1)
        where = layout.sentence * x.shape[2] + layout.place
        blocks: Any = self.transformer.resblocks
        for depth, block in enumerate(blocks):
            if context is not None and depth < context.shape[1]:
                vectors = _in_sentences(context[:, depth], layout, owner)
                if depth == 0:
                    vectors = vectors + self.positional_embedding[layout.place]
                x = x.flatten(1, 2).index_copy(1, where, vectors).view_as(x)
            if by_class is not None and depth == by_class[0]:
                x = x.flatten(1, 2).index_copy(1, where, by_class[1].flatten(1, 2)).view_as(x)
            q, k, v = (part.transpose(2, 3) for part in block.project(x, ALL))
            x = block.finish(x, F.scaled_dot_product_attention(q, k, v, attn_mask=layout.mask).transpose(2, 3))
        return self.projected(self.ln_final(self.read(x, layout)))

    def embedded(self, layout: Whole) -> Tensor:
        """(C, L, width), whatever it is where context vectors will stand."""
        return self.token_embedding(layout.ids.clamp(min=0)) + self.positional_embedding

    def read(self, x: Tensor, layout: Whole) -> Tensor:
        """What stands for the sentences, (K, C, width), in the last layer's (K, C, L, width)."""
        return x[:, :, -1]

    def projected(self, x: Tensor) -> Tensor:
        return x @ self.text_projection


def _in_sentences(context: Tensor, layout: Whole, owner: Owner | None) -> Tensor:
    """The vectors (K, n, width), as they come in one sentence after the other, (K, C n, width); with owners (1, C n, width)."""
    if owner is not None:
        return of_owners(context, owner).flatten(0, 1).unsqueeze(0)
    if is_accelerator(context.device):
        return context.unsqueeze(1).expand(-1, len(layout.ids), -1, -1).flatten(1, 2)
    return context[:, layout.which]  # adds gradients up in another order, by which a CPU keeps its bits


class MobileClipText(WholeText):
    """MobileCLIP's without a causal mask (Vasu et al. 2024, arXiv 2311.17049): the end token is the sentence, padding is read."""

    def layout(self, rows: list[list[int]]) -> Whole:
        ids = self.padded(rows)
        return Whole.of(ids, self.device, end=ids.argmax(1))  # no id is higher than the end token's

    def read(self, x: Tensor, layout: Whole) -> Tensor:
        assert layout.end is not None
        return x.flatten(1, 2).index_select(1, torch.arange(x.shape[1], device=x.device) * x.shape[2] + layout.end)


class CocaText(WholeText):
    """CoCa's (Yu et al. 2022, arXiv 2205.01917) as its released weights have it: a class token after the padding is the sentence.

    Under the causal mask it would see every place; of the padding all but the first place is hidden from it, and so is itself, because
    the mask of the released models is one place late. What nobody sees is left out.
    """

    def __init__(self, architecture: Architecture, vocabulary: int) -> None:
        super().__init__(architecture, vocabulary)
        width = architecture.text_width
        self.cls_emb = nn.Parameter(torch.empty(width), requires_grad=False)
        self.positional_embedding = nn.Parameter(torch.empty(self.context_length + 1, width), requires_grad=False)

    def layout(self, rows: list[list[int]]) -> Whole:
        ids = self.padded(rows)
        hidden = torch.cat([torch.zeros(len(ids), 1, dtype=torch.bool), ids == PADDING], dim=1)  # (C, L + 1) keys
        causal = torch.ones(hidden.shape[1], hidden.shape[1]).triu(1).bool()
        seen = min(max(map(len, rows)) + 1, self.context_length)
        kept = torch.tensor([*range(seen), self.context_length])
        barred = (hidden[:, None, None, :] | causal)[:, :, kept][..., kept]
        mask = torch.zeros(barred.shape).masked_fill(barred, float("-inf"))
        return Whole.of(ids[:, :seen], self.device, mask=mask)

    def embedded(self, layout: Whole) -> Tensor:
        words = self.token_embedding(layout.ids.clamp(min=0)) + self.positional_embedding[: layout.ids.shape[1]]
        end = self.cls_emb + self.positional_embedding[-1]
        return torch.cat([words, end.expand(len(words), 1, -1)], dim=1)
