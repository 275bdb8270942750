"""A model of a given architecture without trained weights, for measuring how fast it is. Its answers mean nothing."""

from typing import Any

import torch

from promptatlas.backbone import export
from promptatlas.backbone.model import Backbone, towers
from promptatlas.backbone.parts import CLIPA, SIGLIP, TEXT
from promptatlas.backbone.precision import FLOAT32, compute_in
from promptatlas.backbone.tokenizer import Tokenizer

SCALE = 100.0


class _Padded:
    """CLIP's words at the length of SigLIP's text tower, which reads all of it: whose words they are costs nothing."""

    def __init__(self, words: Tokenizer, length: int) -> None:
        self.encode, self.words, self.length = words.encode, words, length

    def sentence(self, ids: list[int]) -> list[int]:
        row = self.words.sentence(ids)
        return row + [0] * (self.length - len(row))


def untrained(model: str, pretrained: str, device: str, precision: str = FLOAT32) -> Backbone:
    """Both towers as `backbone.load` gives them, with numbers that neither overflow nor vanish."""
    architecture = export.described(model, pretrained)
    words: Any = export.tokenizer()
    with torch.device("meta"):
        both: Any = towers(architecture, int(TEXT["vocab_size"]))
    both = both.to_empty(device=device)
    with torch.no_grad():
        for tensor in (*both.parameters(), *both.buffers()):
            tensor.fill_(0.01 if tensor.dim() == 2 else 1.0)
    if architecture.text_tower in (SIGLIP, CLIPA):
        words = _Padded(words, architecture.context_length)
    compute_in(precision, both["text"], both["visual"])
    return Backbone(architecture, both["text"], both["visual"], words, SCALE, "untrained", precision)
