"""A model of a given architecture without trained weights, for measuring how fast it is. Its answers mean nothing."""

from typing import Any

import torch

from promptatlas.backbone import export
from promptatlas.backbone.model import Backbone, towers
from promptatlas.backbone.parts import TEXT
from promptatlas.backbone.precision import FLOAT32, compute_in

SCALE = 100.0


def untrained(model: str, pretrained: str, device: str, precision: str = FLOAT32) -> Backbone:
    """Both towers as `backbone.load` gives them, with numbers that neither overflow nor vanish."""
    architecture = export.described(model, pretrained)
    with torch.device("meta"):
        both: Any = towers(architecture, int(TEXT["vocab_size"]))
    both = both.to_empty(device=device)
    with torch.no_grad():
        for tensor in (*both.parameters(), *both.buffers()):
            tensor.fill_(0.01 if tensor.dim() == 2 else 1.0)
    compute_in(precision, both["text"], both["visual"])
    return Backbone(architecture, both["text"], both["visual"], export.tokenizer(), SCALE, "untrained", precision)
