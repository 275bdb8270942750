"""Many items through a tower in passes of a few, and of fewer once GPU memory runs out."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def in_passes(run: Callable[[slice], Tensor], count: int, size: int) -> list[Tensor]:
    """What `run` makes of consecutive slices of `count` items, `size` of them at most and half as many from where they do not fit.

    Raises torch.OutOfMemoryError if a single item does not fit.
    """
    start, parts = 0, []
    while start < count:
        try:
            parts.append(run(slice(start, start + size)))
        except torch.OutOfMemoryError:
            if min(size, count - start) == 1:
                raise
            size = min(size, count - start) // 2
            continue
        start += size
    return parts
