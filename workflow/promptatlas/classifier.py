"""Logits of K prompted classifiers over one task's classes. Knows nothing of learning or of where images come from."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from promptatlas.backbone import Backbone
from promptatlas.backbone.text import Layout, plain_sentences, sentences
from promptatlas.prompts import Prompts


class PromptedClassifier:
    """The class names of one task, arranged once for prompts of one shape.

    Visual-only methods see fixed class features, computed here once; text-only methods see image features that the
    caller computed once.
    """

    def __init__(self, backbone: Backbone, class_names: tuple[str, ...], prompts: Prompts) -> None:
        self.backbone = backbone
        self.layout: Layout | None = None
        if prompts.text is None:
            self.fixed = backbone.class_features(class_names, (prompts.template,))
        else:
            names = [f"{prompts.words} {name}".lstrip() for name in class_names]
            rows = sentences(backbone.tokenizer, names, prompts.text.shape[2], prompts.position)
            self.layout = backbone.text.layout(rows)

    def class_features(self, prompts: Prompts) -> Tensor:
        """Normalised class weights (K or 1, C, embed_dim)."""
        if self.layout is None:
            return self.fixed.unsqueeze(0)
        return F.normalize(self.backbone.text(self.layout, prompts.text), dim=-1)

    def image_features(self, prompts: Prompts, tokens: Tensor) -> Tensor:
        """Normalised features (K or 1, B, embed_dim) of embedded images (K or 1, B, T, width)."""
        vision, visual = self.backbone.vision, prompts.visual
        if prompts.before_norm:
            visual = torch.cat([vision.ln_pre(visual[:, :1]), visual[:, 1:]], dim=1)
        return F.normalize(vision(tokens, visual), dim=-1)

    def logits(self, image_features: Tensor, class_features: Tensor) -> Tensor:
        """Scaled cosines (K, B, C)."""
        return self.backbone.logit_scale * torch.matmul(image_features, class_features.transpose(-2, -1))
