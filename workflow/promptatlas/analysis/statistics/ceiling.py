"""How strong a link of similarity and transfer would be without the noise of seeds.

Seeds make who helps whom uncertain, and no measure can correlate with it by more than the square root of its reliability: the noise
ceiling. r divided by the ceiling is the correlation with who helps whom as it would be over all seeds (Spearman 1904). It is known as well
as the reliability is; the interval leaves out one task at a time in both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from promptatlas.analysis.statistics.jackknife import interval, leave_one_out, without
from promptatlas.analysis.statistics.reasons import ABOVE_ONE, NO_SEEDS, NO_SIGNAL, NOISE_IN_BOTH
from promptatlas.analysis.statistics.relations import FEWEST_TASKS
from promptatlas.analysis.statistics.reliability import decompose

NAN = float("nan")


@dataclass(frozen=True)
class Ceiling:
    """Reliability of who helps whom, the same without each task (n,), NaN or 0 where it cannot be told, and why it cannot."""

    reliability: float
    left_out: np.ndarray
    reason: str

    @classmethod
    def of(cls, values: np.ndarray) -> Ceiling:
        """That of scores (S, n, n)."""
        n, whole = values.shape[-1], decompose(values)
        if not whole.reliability > 0:
            return cls(NAN, np.full(n, NAN), NO_SEEDS if whole.n_seeds < 2 else NO_SIGNAL)
        if n <= FEWEST_TASKS:
            return cls(whole.reliability, np.full(n, NAN), "")
        return cls(whole.reliability, leave_one_out(n, lambda task: decompose(without(values, task)).reliability), "")

    def interval(self) -> tuple[float, float]:
        """Of the reliability."""
        low, high = interval(self.reliability, self.left_out)
        return float(np.clip(low, 0, 1)), float(np.clip(high, 0, 1))

    def ratio(self, link: float, left_out: np.ndarray, of_prompts: bool = False) -> tuple[float, tuple[float, float], str]:
        """A correlation over the ceiling, its interval, and a reason; left_out: the correlation without each task (n,).

        of_prompts: it is with a measure that carries the noise of the same seeds, which has none. A value above 1 stays so, and the
        reason says why it can be.
        """
        if of_prompts or self.reason:
            return NAN, (NAN, NAN), NOISE_IN_BOTH if of_prompts else self.reason
        estimate = link / np.sqrt(self.reliability)
        rest = left_out / np.sqrt(np.where(self.left_out > 0, self.left_out, NAN))
        return float(estimate), interval(estimate, rest), ABOVE_ONE if abs(estimate) > 1 else ""
