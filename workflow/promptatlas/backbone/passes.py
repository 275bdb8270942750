"""Many items through a tower in passes of a few, and of fewer once GPU memory runs out, which is remembered.

Nothing here knows what an item is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

from promptatlas.backbone.accelerator import Fetch
from promptatlas.base.memory import runs_out, tidy

Made = TypeVar("Made")


class Room:
    """How much of a kind the device takes at once, as far as was found out: half of what did not fit, from then on.

    An item weighs `each`, in a unit of its kind such as tokens, so that what was found with one task holds for another.
    """

    def __init__(self) -> None:
        self._most: dict[str, int] = {}

    def size(self, kind: str, wanted: int, each: int = 1) -> int:
        """How many items to take at once, of `wanted`; at least one."""
        return max(1, min(wanted, self._most.get(kind, wanted * each) // each))

    def halved(self, kind: str, size: int, each: int = 1) -> int:
        """How many items to take at once from now on, as `size` of them did not fit."""
        tidy()
        self._most[kind] = size // 2 * each
        return size // 2


def in_passes(run: Callable[[slice], Made], count: int, size: int, room: Room, kind: str, each: int = 1) -> list[Made]:
    """What `run` makes of consecutive slices of `count` items, `size` of them at most, and as many as `room` knows to fit.

    Raises what `run` does if a single item does not fit.
    """
    start, parts, size = 0, list[Made](), room.size(kind, size, each)
    while start < count:
        tried = min(size, count - start)
        try:
            parts.append(run(slice(start, start + size)))
        except RuntimeError as error:
            if tried == 1 or not runs_out(error):
                raise
        else:
            start += size
            continue
        size = room.halved(kind, tried, each)
    return parts


def fetched_in_passes(run: Callable[[slice], Tensor], count: int, size: int, room: Room, kind: str, each: int = 1) -> list[Tensor]:
    """What `in_passes` gives, on the host. A pass is waited for once the next one is started, so that the host reads what comes while the
    device computes; never more than one pass is ahead."""
    found, coming = list[Tensor](), list[Fetch]()

    def started(part: slice) -> None:
        coming.append(Fetch(run(part)))
        if len(coming) > 1:
            found.append(coming.pop(0).taken())

    in_passes(started, count, size, room, kind, each)
    return [*found, *(own.taken() for own in coming)]


def joined(parts: list[Tensor], dim: int = 0) -> Tensor:
    """One after another along `dim`, without a copy where there is one only."""
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=dim)
