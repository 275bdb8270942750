"""Both forms of a random CLIP in float64, where a naive reference and ours may differ by rounding alone."""

from copy import deepcopy
from dataclasses import replace

import open_clip

tokenize = open_clip.get_tokenizer("ViT-B-32")


def doubled(tiny):
    """(open_clip model, Backbone), each a copy in float64."""
    model, backbone = tiny
    model = deepcopy(model).double()
    model.attn_mask = model.attn_mask.double()
    return model, replace(backbone, text=deepcopy(backbone.text).double(), vision=deepcopy(backbone.vision).double())
