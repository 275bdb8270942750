"""promptatlas measures which visual task helps which, for prompts trained on frozen CLIP-like models."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from promptatlas.base.version import NUMERICS_VERSION

if TYPE_CHECKING:
    from promptatlas.exchange.inference import load_prompt
    from promptatlas.recommendation.answer import recommend
    from promptatlas.recommendation.unlabelled import recommend_unlabelled
    from promptatlas.report.any_matrix import analyse

__all__ = ["NUMERICS_VERSION", "analyse", "load_prompt", "recommend", "recommend_unlabelled"]

LATER = {
    "analyse": "promptatlas.report.any_matrix",
    "load_prompt": "promptatlas.exchange.inference",
    "recommend": "promptatlas.recommendation.answer",
    "recommend_unlabelled": "promptatlas.recommendation.unlabelled",
}


def __getattr__(name: str) -> Any:
    """What takes time to import, when it is first asked for, so that a workflow is planned without torch."""
    if name in LATER:
        return getattr(import_module(LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
