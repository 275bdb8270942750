"""Several results computed at once, so that one that cannot be computed does not take the others along.

Knows nothing of what is computed, nor imports torch: jobs that have no use for it start faster.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Generic, TypeVar

from promptatlas.base import memory, plugins
from promptatlas.base.errors import Failed, UserError, of_the_disk
from promptatlas.base.json_record import Newer
from promptatlas.runs.coming_task import Changed

Item = TypeVar("Item", bound=Hashable)
Result = TypeVar("Result")
LONGEST = 300
NO_MEMORY = "can't allocate memory"  # what torch calls it on a CPU


@dataclass(frozen=True)
class Parted(Generic[Item, Result]):
    """Items in two parts, each in order. sound: with what was made of them; failed: with why nothing could be."""

    sound: dict[Item, Result]
    failed: dict[Item, Failed]

    def __or__(self, other: Parted[Item, Result]) -> Parted[Item, Result]:
        return Parted(self.sound | other.sound, self.failed | other.failed)


def each(compute: Callable[[Sequence[Item]], Sequence[Result]], items: Sequence[Item]) -> Parted[Item, Result]:
    """What `compute` makes of all `items` at once. If that fails, half of them after the other half, down to single ones.

    A full disk or a broken GPU is nobody's fault and ends the job. So does a file of a newer promptatlas, which a failed result
    would take the place of, and what only preparing a task tells.
    """
    try:
        made = list(compute(items))
    except Exception as error:
        if (torch := _torch()) and isinstance(error, torch.AcceleratorError) and not memory.runs_out(error):
            told = f"the GPU stopped working ({short(error)}); run the same command again: what is finished is kept"
            raise UserError(told) from error
        if of_the_disk(error) or isinstance(error, (Newer, Changed)):
            raise
        if len(items) == 1:
            return Parted({}, {items[0]: failed(error)})
    else:
        return Parted(dict(zip(items, made, strict=True)), {})
    memory.tidy()
    half = len(items) // 2
    return each(compute, items[:half]) | each(compute, items[half:])


def apart(compute: Callable[[Item], Result], items: Iterable[Item]) -> Parted[Item, Result]:
    """What `compute` makes of each item by itself."""
    parted: Parted[Item, Result] = Parted({}, {})
    for item in items:
        parted |= each(lambda some: [compute(one) for one in some], [item])
    return parted


def alone(compute: Callable[[], Result]) -> Result:
    """What `compute` makes. Raises Failed if it cannot, whatever it raised."""
    parted = apart(lambda _: compute(), [None])
    for why in parted.failed.values():
        raise why
    return parted.sound[None]


def failed(error: Exception) -> Failed:
    """Why a result could not be computed."""
    if isinstance(error, Failed):
        return error
    if isinstance(error, UserError):
        return Failed(str(error))
    if memory.runs_out(error):
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
