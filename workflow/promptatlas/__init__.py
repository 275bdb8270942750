"""promptatlas measures which visual task helps which, for prompts trained on frozen CLIP-like models."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from promptatlas.base.version import NUMERICS_VERSION

if TYPE_CHECKING:
    from promptatlas.cli.study_file import StudyFile as Study
    from promptatlas.exchange.inference import load_prompt
    from promptatlas.recommendation.answer import recommend
    from promptatlas.recommendation.unlabelled import recommend_unlabelled
    from promptatlas.report.any_matrix import analyse

__all__ = ["NUMERICS_VERSION", "Study", "analyse", "load_prompt", "recommend", "recommend_unlabelled"]

# Where each is, and what it is called there if that is something else.
LATER = {
    "Study": "promptatlas.cli.study_file:StudyFile",
    "analyse": "promptatlas.report.any_matrix",
    "load_prompt": "promptatlas.exchange.inference",
    "recommend": "promptatlas.recommendation.answer",
    "recommend_unlabelled": "promptatlas.recommendation.unlabelled",
}


def __getattr__(name: str) -> Any:
    """What takes time to import, when it is first asked for, so that a workflow is planned without torch."""
    if name in LATER:
        module, _, called = LATER[name].partition(":")
        return getattr(import_module(module), called or name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """With the names that are imported when they are asked for."""
    return sorted({*globals(), *LATER})
