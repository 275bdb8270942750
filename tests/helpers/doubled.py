"""Both forms of a random CLIP in float64, where a naive reference and ours may differ by rounding alone."""

from copy import deepcopy
from dataclasses import replace
from functools import lru_cache

import open_clip
import torch
import torch.nn.functional as F

tokenize = open_clip.get_tokenizer("ViT-B-32")


def doubled(tiny):
    """(open_clip model, Backbone), each a copy in float64. Not to be changed: whoever asks again gets the same towers."""
    model, backbone = tiny
    model = copied(model)
    model.attn_mask = model.attn_mask.double()
    return model, replace(backbone, text=copied(backbone.text), vision=copied(backbone.vision))


@lru_cache(maxsize=6)  # two models and their towers
def copied(module):
    return deepcopy(module).double()


def assert_gradients_agree(learners, k, ours, p, expected, labels):
    """Gradients of the cross-entropy of logits (B, C) in learner k's parameters: ours, and those of p by `expected`."""
    wanted = torch.autograd.grad(F.cross_entropy(expected, labels), list(p.values()))
    leaves = [learners.parameters[key] for key in p]
    found = torch.autograd.grad(F.cross_entropy(ours, labels), leaves, retain_graph=True)
    for name, one, other in zip(p, found, wanted, strict=True):
        torch.testing.assert_close(one[k], other, atol=1e-6, rtol=1e-5, msg=name)
