"""SGD, Adam and AdamW of torch, by its functions.

The classes of torch.optim import torch's compiler at the first use, 3 s of every job that tunes, as long as all of torch takes;
the functions that they call do not. On the CPU one parameter comes after the other; CUDA is given all of them in one kernel
(fused), the same sums up to rounding.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor
from torch.optim.adam import adam
from torch.optim.adamw import adamw
from torch.optim.sgd import sgd


class Optimiser(ABC):
    """Changes parameters in place along their gradients. `rate` may be set before any step; weight decay is on every parameter."""

    def __init__(self, parameters: list[Tensor], rate: float, decay: float) -> None:
        self.parameters, self.rate, self.decay = parameters, rate, decay
        self.fused = parameters[0].device.type == "cuda"

    def zero_grad(self) -> None:
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """A parameter without gradient stays as it is."""
        moved = [number for number, parameter in enumerate(self.parameters) if parameter.grad is not None]
        parameters = [self.parameters[number] for number in moved]
        if moved:
            self._change(moved, parameters, [parameter.grad for parameter in parameters if parameter.grad is not None])

    @abstractmethod
    def _change(self, moved: list[int], parameters: list[Tensor], gradients: list[Tensor]) -> None: ...


class SGD(Optimiser):
    """Momentum without Nesterov's or damping: u <- m u + (g + w p), p <- p - r u; the first u is the gradient itself."""

    def __init__(self, parameters: list[Tensor], rate: float, decay: float, momentum: float) -> None:
        super().__init__(parameters, rate, decay)
        self.momentum = momentum
        # m 0 + g is g: from zeros on, no step is another than the first
        self.velocities = [torch.zeros_like(p) for p in parameters]

    def _change(self, moved: list[int], parameters: list[Tensor], gradients: list[Tensor]) -> None:
        velocities: list[Tensor | None] = [self.velocities[number] for number in moved]
        sgd(
            parameters, gradients, velocities, foreach=False, fused=self.fused, weight_decay=self.decay, momentum=self.momentum,
            lr=self.rate, dampening=0, nesterov=False, maximize=False,
        )  # fmt: skip


class _Moments(Optimiser):
    """What Adam and AdamW have in common."""

    def __init__(self, parameters: list[Tensor], rate: float, decay: float, epsilon: float = 1e-8) -> None:
        super().__init__(parameters, rate, decay)
        self.epsilon = epsilon
        steps = parameters[0].device if self.fused else "cpu"  # where they are counted
        self.moments = [
            (torch.zeros_like(p), torch.zeros_like(p), torch.zeros((), device=steps)) for p in parameters
        ]  # mean, square, steps

    def _change(self, moved: list[int], parameters: list[Tensor], gradients: list[Tensor]) -> None:
        means, squares, steps = map(list, zip(*(self.moments[number] for number in moved), strict=True))
        self._move(
            parameters, gradients, means, squares, [], steps, foreach=False, fused=self.fused, amsgrad=False, beta1=0.9, beta2=0.999,
            lr=self.rate, weight_decay=self.decay, eps=self.epsilon, maximize=False,
        )  # fmt: skip

    @abstractmethod
    def _move(self, *tensors: Any, **numbers: Any) -> None: ...


class Adam(_Moments):
    """Kingma and Ba 2015 (arXiv 1412.6980), algorithm 1; the decay is a part of the gradient (L2), as torch has it."""

    def _move(self, *tensors: Any, **numbers: Any) -> None:
        adam(*tensors, **numbers)


class AdamW(_Moments):
    """Loshchilov and Hutter 2019 (arXiv 1711.05101), algorithm 2, with the decay scaled by the rate as in torch."""

    def _move(self, *tensors: Any, **numbers: Any) -> None:
        adamw(*tensors, **numbers)
