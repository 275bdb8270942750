"""SGD and AdamW as torch does them. Knows nothing of prompts.

torch.optim imports torch's compiler at the first use, 3 s of every job that tunes, as long as all of torch takes; these two
do the same sums without it (tests compare every step with torch's).
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor


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
        self.velocity: dict[int, Tensor] = {}

    def _change(self, number: int, parameter: Tensor, gradient: Tensor) -> None:
        gradient = gradient.add(parameter, alpha=self.decay)
        if number in self.velocity:
            self.velocity[number].mul_(self.momentum).add_(gradient)
        else:
            self.velocity[number] = gradient
        parameter.add_(self.velocity[number], alpha=-self.rate)


class AdamW(Optimiser):
    """Loshchilov and Hutter 2019 (arXiv 1711.05101), algorithm 2, with the decay scaled by the rate as in torch."""

    BETAS = 0.9, 0.999

    def __init__(self, parameters: list[Tensor], rate: float, decay: float, epsilon: float = 1e-8) -> None:
        super().__init__(parameters, rate, decay)
        self.epsilon = epsilon
        self.means: dict[int, Tensor] = {}
        self.squares: dict[int, Tensor] = {}
        self.steps: dict[int, int] = {}

    def _change(self, number: int, parameter: Tensor, gradient: Tensor) -> None:
        first, second = self.BETAS
        if number not in self.steps:
            self.steps[number] = 0
            self.means[number], self.squares[number] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        self.steps[number] += 1
        steps = self.steps[number]
        mean = self.means[number].lerp_(gradient, 1 - first)
        square = self.squares[number].mul_(second).addcmul_(gradient, gradient, value=1 - second)
        scale = square.sqrt().div_((1 - second**steps) ** 0.5).add_(self.epsilon)
        parameter.mul_(1 - self.rate * self.decay).addcdiv_(mean, scale, value=-self.rate / (1 - first**steps))
