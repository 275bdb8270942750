"""Several results computed at once, so that one that cannot be computed does not take the others along.

Knows nothing of what is computed, nor imports torch: jobs that have no use for it start faster.
"""

import sys
import traceback
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import TypeVar

from promptatlas.base import plugins
from promptatlas.base.errors import Failed, UserError, of_the_disk
from promptatlas.base.json_record import Newer
from promptatlas.runs.coming_task import Changed

Item = TypeVar("Item")
Result = TypeVar("Result")
LONGEST = 300
NO_MEMORY = "can't allocate memory"  # what torch calls it on a CPU


def each(compute: Callable[..., Sequence[Result]], items: Sequence[Item]) -> list[Result | Failed]:
    """What `compute` makes of all `items` at once. If that fails, half of them after the other half, down to single ones; in
    place of what cannot be computed stands why.

    A full disk or a broken GPU is nobody's fault and ends the job. So does a file of a newer promptatlas, which a failed result
    would take the place of, and what only preparing a task tells.
    """
    try:
        return list(compute(items))
    except Exception as error:
        if (torch := _torch()) and isinstance(error, torch.AcceleratorError):
            told = f"the GPU stopped working ({short(error)}); run the same command again: what is finished is kept"
            raise UserError(told) from error
        if of_the_disk(error) or isinstance(error, (Newer, Changed)):
            raise
        if len(items) == 1:
            return [failed(error)]
    if (torch := _torch()) and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    half = len(items) // 2
    return each(compute, items[:half]) + each(compute, items[half:])


def alone(compute: Callable[..., Result]) -> Result | Failed:
    """What `compute` makes, or why it cannot."""
    return each(lambda _: [compute()], [None])[0]


def failed(error: Exception) -> Failed:
    """Why a result could not be computed."""
    if isinstance(error, Failed):
        return error
    if isinstance(error, UserError):
        return Failed(str(error))
    if (torch := _torch()) and isinstance(error, torch.OutOfMemoryError):
        return Failed("GPU memory runs out even for a single result; use a GPU with more memory")
    if isinstance(error, MemoryError) or NO_MEMORY in str(error):
        return Failed("memory runs out even for a single result; close other programs or use a machine with more memory")
    told = plugins.blamed(error) or f"{type(error).__name__}: {short(error)} (an error of the program)"
    return Failed(told, traceback.format_exc())


def _torch() -> ModuleType | None:
    """torch, if anything in this process has a use for it."""
    return sys.modules.get("torch")


def short(error: Exception) -> str:
    return " ".join(str(error).split())[:LONGEST]
