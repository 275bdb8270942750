"""SGD and AdamW of torch, by its functions.

The classes of torch.optim import torch's compiler at the first use, 3 s of every job that tunes, as long as all of torch takes;
the functions that they call do not. foreach is off, so that a GPU does the sums in the order of a CPU.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor
from torch.optim.adamw import adamw
from torch.optim.sgd import sgd


class Optimiser(ABC):
    """Changes parameters in place along their gradients. `rate` may be set before any step; weight decay is on every parameter."""

    def __init__(self, parameters: list[Tensor], rate: float, decay: float) -> None:
        self.parameters, self.rate, self.decay = parameters, rate, decay

    def zero_grad(self) -> None:
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """A parameter without gradient stays as it is."""
        for number, parameter in enumerate(self.parameters):
            if parameter.grad is not None:
                self._change(number, parameter, parameter.grad)

    @abstractmethod
    def _change(self, number: int, parameter: Tensor, gradient: Tensor) -> None: ...


class SGD(Optimiser):
    """Momentum without Nesterov's or damping: u <- m u + (g + w p), p <- p - r u; the first u is the gradient itself."""

    def __init__(self, parameters: list[Tensor], rate: float, decay: float, momentum: float) -> None:
        super().__init__(parameters, rate, decay)
        self.momentum = momentum
        self.velocities: list[list[Tensor | None]] = [[None] for _ in parameters]

    def _change(self, number: int, parameter: Tensor, gradient: Tensor) -> None:
        sgd(
            [parameter], [gradient], self.velocities[number], foreach=False, weight_decay=self.decay, momentum=self.momentum, lr=self.rate,
            dampening=0, nesterov=False, maximize=False,
        )  # fmt: skip


class AdamW(Optimiser):
    """Loshchilov and Hutter 2019 (arXiv 1711.05101), algorithm 2, with the decay scaled by the rate as in torch."""

    def __init__(self, parameters: list[Tensor], rate: float, decay: float, epsilon: float = 1e-8) -> None:
        super().__init__(parameters, rate, decay)
        self.epsilon = epsilon
        self.moments = [(torch.zeros_like(p), torch.zeros_like(p), torch.zeros(())) for p in parameters]  # mean, square, steps

    def _change(self, number: int, parameter: Tensor, gradient: Tensor) -> None:
        mean, square, steps = self.moments[number]
        adamw(
            [parameter], [gradient], [mean], [square], [], [steps], foreach=False, amsgrad=False, beta1=0.9, beta2=0.999, lr=self.rate,
            weight_decay=self.decay, eps=self.epsilon, maximize=False,
        )  # fmt: skip
