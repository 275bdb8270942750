"""The images of one step of K learners. Knows nothing of what they are for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from promptatlas.backbone.accelerator import sent


@dataclass(frozen=True)
class ImageBatch:
    """rows (K, B) into each learner's draw and weights (K, B), 0 where a learner has no example; on_host: the rows of the whole
    batch once more.

    What depends on the rows is decided on the host, which would have to wait for them elsewhere.
    """

    rows: Tensor
    weights: Tensor
    on_host: np.ndarray

    def __getitem__(self, part: slice) -> ImageBatch:
        """Some of the B. What is decided by the rows is decided for the whole batch: a record of its step is for others like it."""
        return ImageBatch(self.rows[:, part], self.weights[:, part], self.on_host)

    def weighed(self, weights: Tensor) -> ImageBatch:
        return ImageBatch(self.rows, weights, self.on_host)


Step = Callable[[ImageBatch], Tensor]


def batches_of(order: np.ndarray, present: np.ndarray, lengths: Sequence[int], device: torch.device) -> Iterator[ImageBatch]:
    """Rows (K, N) in batches of these lengths, sent to the device at once; present (K, N): whether a learner has the example."""
    ends = np.cumsum(lengths)[:-1]
    rows, weights = sent(order, device), sent(present, device, torch.float32)
    parts = zip(rows.split([*lengths], dim=1), weights.split([*lengths], dim=1), np.split(order, ends, axis=1), strict=True)
    yield from (ImageBatch(*own) for own in parts)
