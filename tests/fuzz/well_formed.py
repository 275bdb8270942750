"""Files as the library writes them, which the tests of this folder damage."""

import json

import torch

from promptatlas.backbone.prompts import Prompts
from promptatlas.records import card
from promptatlas.records.prompt_file import TunedPrompt

PARTS = {"backbone": "a" * 64, "prompt": "b" * 64}


def text(value) -> bytes:
    """JSON as anybody could write it, with numbers and characters that it should not have."""
    return json.dumps(value).encode()


def prompt() -> tuple[dict, dict]:
    """Tensors and metadata of a prompt file."""
    trained = TunedPrompt(
        "coop", {"context": torch.zeros(2, 4)}, Prompts(text=torch.zeros(1, 1, 2, 4)), [{"epoch": 1, "loss": 0.1}], 1, 0.5
    )
    tensors = {"parameters.context": trained.parameters["context"], "prompts.text": trained.prompts.text}
    about = {"method": "coop", "position": "end", "template": "a {}.", "words": "", "before_norm": "False",
             "history": json.dumps(trained.history), "best_epoch": "1", "seconds": "0.5", "parts": json.dumps(PARTS)}  # fmt: skip
    return tensors, about | card.write(
        method="coop", settings={"epochs": 2}, class_names=["a", "b"], seed=1, backbone={"name": "mini", "sha256": "a" * 64}
    )
