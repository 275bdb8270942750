"""A step in micro-batches, where all its images do not fit into GPU memory, with the gradient of the whole.

Exact up to rounding: the loss is a mean of losses of each image, and gradients add up. Knows nothing of methods.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from promptatlas.backbone.passes import Room
from promptatlas.base.memory import runs_out


def in_micro_batches(
    step: Callable[[slice], Tensor], begin: Callable[[], None], count: int, size: int, room: Room, kind: str, each: int = 1
) -> Tensor:
    """The sum of what `step` returns of consecutive slices of `count` items, `size` of them at most and as many as `room` knows to fit.

    step: adds the gradient of its slice to what is at the parameters; begin: forgets what is there. A slice that does not fit may have
    left a part of its gradient, so all begins anew then. Raises what `step` does if a single item does not fit.
    """
    size = room.size(kind, size, each)
    while True:
        begin()
        try:
            total = step(slice(0, size))
            for start in range(size, count, size):
                total = total + step(slice(start, start + size))
            return total
        except RuntimeError as error:
            if min(size, count) == 1 or not runs_out(error):
                raise
        size = room.halved(kind, min(size, count), each)
