"""Logits of K prompted classifiers over one task's classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from promptatlas.backbone import Backbone
from promptatlas.backbone.packed_sentences import PackedSentences
from promptatlas.backbone.passes import in_passes, joined
from promptatlas.backbone.prompts import Prompts
from promptatlas.backbone.text import sentences
from promptatlas.backbone.whole_text import Whole

# Tokens per pass through a tower: on a CPU what stays in the cache; on a GPU what keeps an H200 busy, with 7.4 GiB for ViT-B/16 where eight
# times as many took 55 GiB and as long (benchmarks/gpu.py). Fewer images are evaluated at once when memory runs out.
TOKENS_PER_PASS = {"cpu": 4_096, "cuda": 131_072}


class PromptedClassifier:
    """The class names of one task, arranged once for prompts of one shape.

    Visual-only methods see fixed class features, computed here once; text-only methods see image features that the
    caller computed once.
    """

    def __init__(self, backbone: Backbone, class_names: tuple[str, ...], prompts: Prompts) -> None:
        self.backbone, self.class_names = backbone, class_names
        self.layout: PackedSentences | Whole | None = None
        if prompts.text is None:
            self.fixed = backbone.class_features(class_names, (prompts.template,))
        else:
            names = [f"{prompts.words} {name}".lstrip() for name in class_names]
            self.rows = sentences(backbone.tokenizer, names, prompts.text.shape[2], prompts.position)
            # What class vectors are made of; no gradient goes there.
            self.known = backbone.class_features(class_names, (prompts.template,)) if prompts.class_net else None
            self.layout = self._arranged(self.rows)

    def _arranged(self, rows: list[list[int]]) -> PackedSentences | Whole:
        return self.backbone.text.layout(rows) if self.known is None else self.backbone.text.layout_by_class(rows)

    @property
    def sentence_tokens(self) -> int:
        """Tokens of all class names that one prompt adds to a pass through the text tower; none where it leaves them as they are."""
        return 0 if self.layout is None else self.layout.tokens

    def class_features(self, prompts: Prompts) -> Tensor:
        """Normalised class weights (K or 1, C, embed_dim)."""
        if self.layout is None:
            return self.fixed.unsqueeze(0)
        features = self._read(self.layout, prompts, slice(None)) if torch.is_grad_enabled() else self._in_passes(prompts)
        return F.normalize(features, dim=-1)

    def _read(self, layout: Any, prompts: Prompts, classes: slice) -> Tensor:
        """Features (K, C, embed_dim) of some classes, which the layout has."""
        tower: Any = self.backbone.text
        if self.known is None:
            return tower(layout, prompts.text)
        return tower(layout, prompts.text, by_class=(prompts.class_layer, prompts.class_vectors(self.known[classes])))

    def _in_passes(self, prompts: Prompts) -> Tensor:
        """The same of all classes, a few prompts per pass, and of fewer classes where memory is short with one prompt."""
        layout: Any = self.layout
        room, count = self.backbone.room, len(self.rows)

        def of_prompts(some: slice) -> Tensor:
            own = prompts[some]

            def of_classes(part: slice) -> Tensor:
                return self._read(layout if part.stop >= count and not part.start else self._arranged(self.rows[part]), own, part)

            if len(own) > 1:
                return of_classes(slice(0, count))
            return joined(in_passes(of_classes, count, count, room, "sentences of one prompt"), dim=1)

        assert prompts.text is not None
        size = max(1, TOKENS_PER_PASS[prompts.text.device.type] // layout.tokens)
        return joined(in_passes(of_prompts, len(prompts), size, room, "sentences", layout.tokens))

    def image_features(self, prompts: Prompts, tokens: Tensor) -> Tensor:
        """Normalised features (K or 1, B, embed_dim) of embedded images (K or 1, B, T, width), a few prompts per pass."""
        vision: Any = self.backbone.vision
        visual = prompts.visual
        if visual is None:
            return F.normalize(vision(tokens), dim=-1)
        if prompts.before_norm:
            visual = torch.cat([vision.ln_pre(visual[:, :1]), visual[:, 1:]], dim=1)
        size = max(1, TOKENS_PER_PASS[tokens.device.type] // tokens[0, :, :, 0].numel())
        passes = visual.split(size)
        images = tokens.split(size) if len(tokens) > 1 else [tokens] * len(passes)
        return F.normalize(torch.cat([vision(*own) for own in zip(images, passes, strict=True)]), dim=-1)

    def adapted(self, prompts: Prompts, image_features: Tensor) -> Tensor:
        """Unit image features (K or 1, B, embed_dim) as an adapter of the prompts has them; the same without one."""
        if not prompts.adapter:
            return image_features
        down, up, kept = prompts.adapter
        hidden = torch.matmul(image_features, down.transpose(-2, -1)).relu()
        return F.normalize(kept.unsqueeze(-1) * image_features + torch.matmul(hidden, up.transpose(-2, -1)).relu(), dim=-1)

    def logits(self, image_features: Tensor, class_features: Tensor) -> Tensor:
        """Scaled cosines (K, B, C)."""
        return self.backbone.logit_scale * torch.matmul(image_features, class_features.transpose(-2, -1))

    def answer(self, prompts: Prompts, image_features: Tensor, weights: Tensor | None = None) -> Tensor:
        """Scaled cosines (K, B, C) of unit image features (K or 1, B, embed_dim), whatever they or the class weights depend on.

        weights: class features of these prompts, where the caller has them already and they are the same for all images.
        """
        image_features = self.adapted(prompts, image_features)
        if not prompts.meta:
            return self.logits(image_features, self.class_features(prompts) if weights is None else weights)
        return self._conditioned(prompts, image_features.expand(len(prompts), -1, -1))

    def _conditioned(self, prompts: Prompts, features: Tensor) -> Tensor:
        """Scaled cosines (K, B, C) where each image of (K, B, embed_dim) has class weights of its own under each prompt, a few per pass.

        The pairs of prompt and image of a pass are prompts side by side: what stands before the class name runs once per pair, as ever.
        """
        assert self.layout is not None
        tokens = self.layout.tokens
        size = max(1, TOKENS_PER_PASS[features.device.type] // tokens)

        def of_prompts(some: slice) -> Tensor:
            own, seen = prompts[some], features[some]

            def of_images(part: slice) -> Tensor:
                return self._of_pairs(own, seen[:, part])

            each = tokens * len(own)
            return joined(self._passes(of_images, seen.shape[1], max(1, size // len(own)), "sentences of each image", each), dim=1)

        return joined(self._passes(of_prompts, len(prompts), size, "sentences of an image under each prompt", tokens))

    def _passes(self, run: Callable[[slice], Tensor], count: int, size: int, kind: str, each: int) -> list[Tensor]:
        """As `in_passes`; but what a pass takes for gradients stays until the way back, so there smaller ones are no way out of short
        memory, and to know of them is of no use: who takes the step makes it smaller."""
        if torch.is_grad_enabled():
            return [run(slice(start, start + size)) for start in range(0, count, size)]
        return in_passes(run, count, size, self.backbone.room, kind, each)

    def _of_pairs(self, prompts: Prompts, features: Tensor) -> Tensor:
        """The same in one pass."""
        assert prompts.text is not None and self.layout is not None
        squeeze, squeezed, expand, expanded = prompts.meta
        hidden = torch.baddbmm(squeezed.unsqueeze(1), features, squeeze.transpose(1, 2)).relu()
        shift = torch.baddbmm(expanded.unsqueeze(1), hidden, expand.transpose(1, 2))
        context = (prompts.text + shift.unsqueeze(2)).flatten(0, 1).unsqueeze(1)
        weights = F.normalize(self.backbone.text(self.layout, context), dim=-1).unflatten(0, features.shape[:2])
        return self.backbone.logit_scale * torch.einsum("kbe,kbce->kbc", features, weights)
