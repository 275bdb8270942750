"""The text tower for K context prompts and C class names at once, exact and without repeated work.

Under the causal mask a position depends only on what stands before it. So the tokens that open every sentence alike
(start token, context vectors before the name) run once per prompt; each class runs only its own remaining tokens, which
attend to the shared keys; nothing after the end token is computed. Linear layers see the remaining tokens of all
classes packed one after another, so that a long name does not pad the others.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from promptatlas.backbone import text_on_accelerator
from promptatlas.backbone.accelerator import is_accelerator
from promptatlas.backbone.architecture import Architecture
from promptatlas.backbone.block import ALL, KEY_VALUE, QUERY, FrozenBlock, Transformer, attend
from promptatlas.backbone.gathers import PackedTokens, PaddedTokens
from promptatlas.backbone.owners import Owner
from promptatlas.backbone.packed_sentences import PackedSentences, Places, Unshared
from promptatlas.backbone.tokenizer import Tokenizer
from promptatlas.base.errors import UserError


def sentences(tokenizer: Tokenizer, class_names: list[str], context: int, position: str) -> list[list[int]]:
    """Token ids of one prompted sentence per class; context vector i is written as -1 - i.

    "end": start, V_1..V_n, name, ".", end; "middle": the name after V_{n // 2}; "front": the name first (MVLPT and CoOp,
    `PromptLearner.forward`). The name's length is counted without the full stop, as there.
    """
    vectors = [-1 - i for i in range(context)]
    before = {"end": context, "middle": context // 2, "front": 0}[position]
    rows = []
    for name in class_names:
        text = name.replace("_", " ")
        ids, name_length = tokenizer.encode(text + "."), len(tokenizer.encode(text))
        ids = vectors[:before] + ids[:name_length] + vectors[before:] + ids[name_length:]
        rows.append(tokenizer.sentence(ids))
    return rows


def plain_sentences(tokenizer: Tokenizer, texts: list[str]) -> list[list[int]]:
    """Token ids with start and end token, for sentences without context vectors."""
    return [tokenizer.sentence(tokenizer.encode(text)) for text in texts]


ByClass = tuple[int, Tensor]  # the layer at whose input the vectors of each class enter, and these


class TextEncoder(nn.Module):
    """What text towers share: the embeddings of tokens and places, and how long a sentence may be."""

    def __init__(self, architecture: Architecture, vocabulary: int) -> None:
        super().__init__()
        self.context_length = architecture.context_length
        self.token_embedding = nn.Embedding(vocabulary, architecture.text_width)
        self.positional_embedding = nn.Parameter(torch.empty(architecture.context_length, architecture.text_width))

    @property
    def device(self) -> torch.device:
        return self.positional_embedding.device

    def require_short(self, rows: list[list[int]]) -> None:
        """UserError for a sentence that is too long."""
        if (longest := max(map(len, rows))) > self.context_length:
            raise UserError(
                f"a class name needs {longest} tokens with its prompt, but the text tower reads {self.context_length}: "
                "shorten the name or the prompt."
            )


class TextTower(TextEncoder):
    """Frozen text encoder; state-dict names as published (`token_embedding.weight`, `transformer.resblocks.0...`)."""

    def __init__(self, architecture: Architecture, vocabulary: int) -> None:
        super().__init__(architecture, vocabulary)
        a = architecture
        self.transformer = Transformer(a.text_width, a.text_heads, a.text_layers, a.quick_gelu, a.text_hidden)
        self.ln_final = nn.LayerNorm(a.text_width)
        self.text_projection = nn.Parameter(torch.empty(a.text_width, a.embed_dim))
        self.requires_grad_(False)

    def layout(self, rows: list[list[int]]) -> PackedSentences:
        """Sentences (see `sentences`) arranged for `forward`; computed once, used for every step."""
        self.require_short(rows)
        return PackedSentences.of(rows, self.device)

    def layout_by_class(self, rows: list[list[int]]) -> PackedSentences:
        """The same for vectors of each class, too."""
        return replace(self.layout(rows), unshared=Unshared.of(rows, self.device))

    def forward(
        self, layout: PackedSentences, context: Tensor | None = None, owner: Owner | None = None, by_class: ByClass | None = None
    ) -> Tensor:  # fmt: skip
        """Features (K, C, embed_dim), not normalised; context (K, depth, n, width), or None for plain sentences (K = 1).

        owner (C,): sentence c is read after prompt owner[c] alone, or after prompt c (EACH), so the features are (1, C, embed_dim).
        Every context vector must then stand before the names, where all sentences are alike. by_class: a layer from 1, and vectors
        (K, C, n, width) that replace the context of each class at its input; the layout is by `layout_by_class` then.
        """
        if is_accelerator(self.device):
            return text_on_accelerator.forward(self, layout, context, owner, by_class)
        prompts = 1 if context is None else len(context)
        places = torch.arange(len(layout.prefix), device=self.device)
        in_prefix, in_suffix = layout.contexts
        prefix_splice = _Splice(layout.prefix, self.positional_embedding[places], in_prefix)
        suffix_splice = _Splice(layout.suffix, self.positional_embedding[layout.positions], in_suffix)
        prefix = prefix_splice.embed(self.token_embedding, context, prompts)
        if owner is not None and len(suffix_splice.where):
            raise ValueError("sentences with owners have their context vectors before the names")
        suffix = suffix_splice.embed(self.token_embedding, context, prompts if owner is None else 1)
        blocks: Any = self.transformer.resblocks
        for depth, block in enumerate(blocks):
            if context is not None and 0 < depth < context.shape[1]:
                prefix = prefix_splice.replace(prefix, context[:, depth])
                suffix = suffix_splice.replace(suffix, context[:, depth])
            if by_class is not None and depth == by_class[0]:
                assert layout.unshared is not None
                prefix, suffix = layout.unshared.tokens(prefix, suffix, by_class[1])
                layout = layout.unshared.sentences
            last = depth == len(blocks) - 1
            shared, prefix = self._prefix_layer(block, prefix, last)
            if owner is not None:
                keys, values = shared
                shared = keys[owner].transpose(0, 1).unsqueeze(0), values[owner].transpose(0, 1).unsqueeze(0)
            suffix = (self._last_layer if last else self._suffix_layer)(block, suffix, shared, layout)
        return self.ln_final(suffix) @ self.text_projection

    @staticmethod
    def _prefix_layer(block: FrozenBlock, x: Tensor, last: bool) -> tuple[tuple[Tensor, Tensor], Tensor]:
        """Keys and values (K, heads, P, w) for everyone, and the next input (K, P, width), not needed after the last."""
        if last:
            k, v = (part.transpose(1, 2) for part in block.project(x, KEY_VALUE))
            return (k, v), x
        q, k, v = (part.transpose(1, 2) for part in block.project(x, ALL))
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return (k, v), block.finish(x, attended.transpose(1, 2))

    @staticmethod
    def _suffix_layer(block: FrozenBlock, x: Tensor, shared: tuple[Tensor, Tensor], layout: PackedSentences) -> Tensor:
        q, k, v = (_grouped(part, layout) for part in block.project(x, ALL))
        attended = attend(q, k, v, shared, layout.mask)
        after = attended.flatten(2, 3).transpose(1, 2)
        return block.finish(x, PackedTokens.apply(after, 1, layout.packed, layout.groups.flatten(), layout.real))

    @staticmethod
    def _last_layer(block: FrozenBlock, x: Tensor, shared: tuple[Tensor, Tensor], layout: PackedSentences) -> Tensor:
        """Only the end tokens are asked for: returns (K, C, width)."""
        k, v = (_grouped(part, layout) for part in block.project(x, KEY_VALUE))
        ends = x[:, layout.last]
        (q,) = block.project(ends, QUERY)
        attended = attend(q.transpose(1, 2).unsqueeze(3), k, v, shared, layout.last_mask)
        return block.finish(ends, attended.squeeze(3).transpose(1, 2))


class _Splice:
    """Puts context vectors among token embeddings."""

    def __init__(self, ids: Tensor, positions: Tensor, places: Places) -> None:
        self.ids, self.positions = ids, positions
        self.where, self.which = places.where, places.which

    def embed(self, table: nn.Embedding, context: Tensor | None, prompts: int) -> Tensor:
        x = (table(self.ids.clamp(min=0)) + self.positions).expand(prompts, -1, -1)
        if context is None or not len(self.where):
            return x
        return x.index_copy(1, self.where, context[:, 0, self.which] + self.positions[self.where])

    def replace(self, x: Tensor, vectors: Tensor) -> Tensor:
        return x.index_copy(1, self.where, vectors[:, self.which]) if len(self.where) else x


def _grouped(tokens: Tensor, layout: PackedSentences) -> Tensor:
    """(K, S, heads, w) -> (K, heads, C, L, w)."""
    return PaddedTokens.apply(tokens.transpose(1, 2), 2, layout.groups.flatten(), layout.packed).unflatten(2, layout.groups.shape)
