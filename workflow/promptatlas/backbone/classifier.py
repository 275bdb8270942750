"""Logits of K prompted classifiers over one task's classes."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from promptatlas.backbone import Backbone
from promptatlas.backbone.packed_sentences import PackedSentences
from promptatlas.backbone.passes import in_passes, joined
from promptatlas.backbone.prompts import Prompts
from promptatlas.backbone.siglip import Whole
from promptatlas.backbone.text import sentences

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
            rows = sentences(backbone.tokenizer, names, prompts.text.shape[2], prompts.position)
            self.layout = backbone.text.layout(rows)

    @property
    def sentence_tokens(self) -> int:
        """Tokens of all class names that one prompt adds to a pass through the text tower; none where it leaves them as they are."""
        return 0 if self.layout is None else self.layout.tokens

    def class_features(self, prompts: Prompts) -> Tensor:
        """Normalised class weights (K or 1, C, embed_dim)."""
        if self.layout is None:
            return self.fixed.unsqueeze(0)
        return F.normalize(self.backbone.text(self.layout, prompts.text), dim=-1)

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

    def logits(self, image_features: Tensor, class_features: Tensor) -> Tensor:
        """Scaled cosines (K, B, C)."""
        return self.backbone.logit_scale * torch.matmul(image_features, class_features.transpose(-2, -1))

    def answer(self, prompts: Prompts, image_features: Tensor) -> Tensor:
        """Scaled cosines (K, B, C) of unit image features (K or 1, B, embed_dim), whatever the class weights depend on."""
        if not prompts.meta:
            return self.logits(image_features, self.class_features(prompts))
        features = image_features.expand(len(prompts), -1, -1)
        return torch.stack([self._conditioned(prompts[k : k + 1], own) for k, own in enumerate(features)])

    def _conditioned(self, prompts: Prompts, features: Tensor) -> Tensor:
        """Scaled cosines (B, C) where each image (B, embed_dim) has class weights of its own, a few images per pass.

        The images of a pass are prompts side by side: what stands before the class name runs once per image, as ever.
        """
        assert prompts.text is not None and self.layout is not None
        squeeze, squeezed, expand, expanded = (part[0] for part in prompts.meta)
        text, layout = prompts.text[0], self.layout
        size = max(1, TOKENS_PER_PASS[features.device.type] // layout.tokens)

        def some(part: slice) -> Tensor:
            own = features[part]
            shift = F.linear(F.linear(own, squeeze, squeezed).relu(), expand, expanded)
            context = text + shift.unsqueeze(1)
            weights = F.normalize(self.backbone.text(layout, context.unsqueeze(1)), dim=-1)
            return self.backbone.logit_scale * torch.einsum("be,bce->bc", own, weights)

        return joined(in_passes(some, len(features), size, self.backbone.room, "sentences of each image", layout.tokens))
