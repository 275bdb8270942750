"""Toy methods with rules of their own: after KgCoOp, ProGrad and PromptSRC, as small as can be."""

from contextlib import contextmanager

import torch

from promptatlas import methods
from promptatlas.methods.coop import CoOp
from promptatlas.methods.ivlp import IVLP
from promptatlas.methods.losses import cross_entropy
from promptatlas.methods.registry import METHODS


class Plain(CoOp):
    """CoOp with a loss of its own that is the usual one."""

    def loss(self, logits, text, image, teacher_text, teacher_image, labels):
        assert teacher_text is None and teacher_image is None
        return cross_entropy(logits, labels)


class Close(CoOp):
    """Class features stay close to those of the hand-written sentences, and the context small (KgCoOp)."""

    def __init__(self, architecture, settings, generator):
        super().__init__(architecture, settings, generator)
        self.weight, self.decay = settings["weight"], settings["decay"]

    def teacher(self, backbone, class_names, templates):
        return backbone.class_features(class_names, templates[:1])

    def loss(self, logits, text, image, teacher_text, teacher_image, labels):
        far = 1 - (text * teacher_text).sum(-1).mean()
        return cross_entropy(logits, labels) + self.weight * far + self.decay * self.context.square().sum()


class Aligned(CoOp):
    """No step against what the hand-written sentences know (ProGrad)."""

    def __init__(self, architecture, settings, generator):
        super().__init__(architecture, settings, generator)
        self.share = settings["share"]

    def teacher(self, backbone, class_names, templates):
        return backbone.class_features(class_names, templates)

    def loss(self, logits, text, image, teacher_text, teacher_image, labels):
        known = (10 * teacher_image @ teacher_text.T).softmax(-1)
        return cross_entropy(logits, labels), -(known * logits.log_softmax(-1)).sum(-1)

    def combine(self, own, known):
        return {name: self.projected(own[name], known[name]) for name in own}

    def projected(self, own, known):
        known = known / known.norm()
        return own - self.share * torch.clamp((own * known).sum(), max=0) * known


class Averaged(IVLP):
    """Both towers stay close to the frozen model, and the mean over epochs is kept (PromptSRC)."""

    def __init__(self, architecture, settings, generator):
        super().__init__(architecture, settings, generator)
        self.centre, self.width = settings["centre"], settings["width"]

    def teacher(self, backbone, class_names, templates):
        return backbone.class_features(class_names, templates)

    def loss(self, logits, text, image, teacher_text, teacher_image, labels):
        near = (image - teacher_image).abs().mean(-1)
        known = (10 * teacher_image @ teacher_text.T).log_softmax(-1)
        divergence = (known.exp() * (known - logits.log_softmax(-1))).mean(-1)
        return cross_entropy(logits, labels) + 25 * (text - teacher_text).abs().mean() + 10 * near + divergence

    def epoch_weight(self, epoch, epochs):
        return torch.tensor(-((epoch - self.centre) ** 2) / (2 * self.width**2)).exp().item()


PHOTO = {"context": 4, "initial": "a photo of a", "position": "end", "counts_words": True}
TOYS = {
    "toy_plain": ("Plain", PHOTO),
    "toy_close": ("Close", PHOTO | {"weight": 8.0, "decay": 0.01}),
    "toy_aligned": ("Aligned", PHOTO | {"share": 0.8}),
    "toy_averaged": ("Averaged", {"context": 2, "prompts": 2, "layers": 2, "initial": "a photo of a", "centre": 2.0, "width": 1.0}),
}


@contextmanager
def registered():
    """The toys are methods inside."""
    for name, (cls, own) in TOYS.items():
        methods.register(name, f"methods_with_rules:{cls}", visual=cls == "Averaged", **own)
    try:
        yield
    finally:
        for name in TOYS:
            METHODS.remove(name)
