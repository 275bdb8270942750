"""A frozen CLIP-like model in its exported folder. The names of its files are here, so that a workflow can be planned
without torch; `Backbone` and `load` come from `model` when they are first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from promptatlas.backbone.exported import ARCHITECTURE, RECORD, TOKENIZER, WEIGHTS, fingerprint

if TYPE_CHECKING:
    from promptatlas.backbone.model import Backbone, load

__all__ = ["ARCHITECTURE", "RECORD", "TOKENIZER", "WEIGHTS", "Backbone", "fingerprint", "load"]


def __getattr__(name: str) -> Any:
    if name in ("Backbone", "load"):
        return getattr(import_module("promptatlas.backbone.model"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
