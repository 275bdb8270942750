"""A step recorded once as a CUDA graph and started as one from then on, where starting its kernels one by one takes longer than they do.

Recorded is what leaves the gradients; the optimiser, one kernel, takes its step outside, so that its rate and its count of steps are
nothing that a graph would keep. Batches of one shape share a graph. What cannot be recorded is done kernel by kernel as ever.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable
from dataclasses import replace

import torch
from torch import Tensor

from promptatlas.training.image_batch import ImageBatch, Step

WARM = 2  # steps before one is recorded: libraries take their memory and choose their kernels in the first


class RecordedStep:
    """`step`, which leaves gradients at `parameters` and gives the losses, for batches of which `kind` says what the host decides by."""

    def __init__(self, step: Step, parameters: list[Tensor], kind: Callable[[ImageBatch], Hashable]) -> None:
        self.step, self.parameters, self.kind = step, parameters, kind
        self._records: dict[Hashable, _Record] | None = {}

    def __call__(self, batch: ImageBatch) -> Tensor:
        """As `step` does it; what it gives and leaves is written over by the next call."""
        if self._records is None:
            return self.step(batch)
        key = self.kind(batch), batch.rows.shape
        if key not in self._records:
            try:
                self._records[key] = _Record(self.step, self.parameters, batch)
            except RuntimeError as error:
                told = " ".join(str(error).split())[:200]
                warnings.warn(f"a step cannot be recorded as a CUDA graph and takes longer, with the same result: {told}", stacklevel=2)
                self._records = None
                _clear(self.parameters)
                return self.step(batch)
        return self._records[key].replayed(batch)


class _Record:
    """The kernels of a step, and the tensors that they read and write."""

    def __init__(self, step: Step, parameters: list[Tensor], batch: ImageBatch) -> None:
        self.parameters = parameters
        self.batch = replace(batch, rows=batch.rows.clone(), weights=batch.weights.clone())

        def run() -> Tensor:
            _clear(parameters)
            return step(self.batch)

        self.losses, self.replay = captured(run)
        self.gradients = [parameter.grad for parameter in parameters]

    def replayed(self, batch: ImageBatch) -> Tensor:
        self.batch.rows.copy_(batch.rows)
        self.batch.weights.copy_(batch.weights)
        self.replay()
        for parameter, gradient in zip(self.parameters, self.gradients, strict=True):
            parameter.grad = gradient
        return self.losses


def _clear(parameters: list[Tensor]) -> None:
    for parameter in parameters:
        parameter.grad = None


def captured(run: Callable[[], Tensor]) -> tuple[Tensor, Callable[[], None]]:
    """What `run` gives, and what runs its kernels again on the same memory (docs.pytorch.org, CUDA graphs: a whole step)."""
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(WARM):
            run()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        given = run()
    return given, graph.replay
