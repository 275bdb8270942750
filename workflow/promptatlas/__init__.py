"""promptatlas measures which visual task helps which, for prompts trained on frozen CLIP-like models."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from promptatlas.base.version import NUMERICS_VERSION

if TYPE_CHECKING:
    from promptatlas.exchange.inference import load_prompt

__all__ = ["NUMERICS_VERSION", "load_prompt"]


def __getattr__(name: str) -> Any:
    """`load_prompt` when it is first asked for, so that a workflow is planned without torch."""
    if name == "load_prompt":
        return import_module("promptatlas.exchange.inference").load_prompt
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
