"""Whether what was tuned is better than the zero-shot prompt on the same validation images, allowing for how many were compared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from promptatlas.analysis.choice.decision import ALIKE, KEEP, TOO_FEW, USE
from promptatlas.analysis.choice.gains import ONE_IMAGE, freedom

LEVEL = 0.05  # with this probability at most some of several prompts that are no better are called so


@dataclass(frozen=True)
class TunedGain:
    """Over the zero-shot prompt, shares of 1. verdict: "use", "keep" or "too_few"; least: the gain is at least this, with probability
    0.95."""

    verdict: str
    gain: float
    least: float


def tuned_gain(differences: np.ndarray, compared: int) -> TunedGain:
    """Of the best of so many `compared` prompts, from its paired differences (N,) to the zero-shot prompt.

    The lower end of the one-sided t interval, with Bonferroni's correction for the number of prompts.
    """
    images, gain = len(differences), float(differences.mean())
    free = freedom(images)
    error = np.sqrt((((differences - gain) ** 2).sum() + ONE_IMAGE) / free / images)
    least = max(gain - float(stdtrit(free, 1 - LEVEL / max(compared, 1)) * error), -1.0)
    verdict = KEEP if gain <= ALIKE else USE if least > 0 else TOO_FEW
    return TunedGain(verdict, gain, least)
