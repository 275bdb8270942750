"""A frozen CLIP-like model in its exported folder. The names of its files live here, so that a workflow can be planned
without torch; `Backbone` and `load` come from `model` when they are first asked for. Knows nothing of methods or tasks.
"""

from __future__ import annotations

import hashlib
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from promptatlas.backbone.model import Backbone, load

__all__ = ["ARCHITECTURE", "TOKENIZER", "WEIGHTS", "Backbone", "fingerprint", "load"]

WEIGHTS, ARCHITECTURE, TOKENIZER = "backbone.safetensors", "architecture.json", "tokenizer.json"
RECORD = "sha256.json"  # of the contents of the others


def fingerprint(folder: Path) -> str:
    """SHA-256 of the weights and of the architecture."""
    digest = hashlib.sha256()
    for name in (WEIGHTS, ARCHITECTURE):
        with open(Path(folder) / name, "rb") as file:
            while chunk := file.read(1 << 24):
                digest.update(chunk)
    return digest.hexdigest()


def __getattr__(name: str) -> Any:
    if name in ("Backbone", "load"):
        return getattr(import_module("promptatlas.backbone.model"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
