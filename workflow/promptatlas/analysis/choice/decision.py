"""The decision on one target: use a prompt of another task, keep the zero-shot one, or look at more images first.

A source is used only if it beats the zero-shot prompt by a margin, counted in standard errors of the paired difference: the
same margin asks for more where there are fewer images. How large it has to be is not decided on the target (see `margin`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from math import ceil

import numpy as np
from scipy.special import ndtri
from scipy.stats import norm

from promptatlas.analysis.choice.evidence import Evidence
from promptatlas.analysis.choice.gains import Gains, chance_of_being_best, gains
from promptatlas.base.rng import named_rng

USE, KEEP, TOO_FEW = "use", "keep", "too_few"
MARGIN = 1.0  # where no study says which
POINT = 0.01  # what matters: less than that is no gain, and no harm
HOPE = 0.2  # a probability below this of a gain that matters is none worth more images, nor is one where a loss is expected
POWER = 0.8
ALIKE = 1e-12


@dataclass(frozen=True)
class Decision:
    """What to do, and what is known of each candidate.

    verdict: "use", "keep" or "too_few". leading: number of the candidate with the largest gain on these images, None if all
    failed; tied: numbers of all that have the same gain, one of which leads by lot. more_per_class: with "too_few", how many
    images more per class would tell in four of five cases, if the leading prompt helps at all. margin: what was asked for, in
    standard errors. best: (P,) the probability that a candidate is the best of them.
    """

    verdict: str
    leading: int | None
    tied: tuple[int, ...]
    more_per_class: int | None
    margin: float
    gains: Gains
    best: np.ndarray

    @property
    def chosen(self) -> int | None:
        """Number of the candidate to use, None for the zero-shot prompt."""
        return self.leading if self.verdict == USE else None


def decide(evidence: Evidence, margin: float = MARGIN) -> Decision:
    """The decision on `evidence`, from its labelled images alone. margin: in standard errors of the paired difference."""
    found = gains(evidence)
    tied = leaders(found)
    if not len(tied):
        return Decision(KEEP, None, (), None, margin, found, chance_of_being_best(evidence))
    leading = drawn(tied, evidence)
    verdict, more = KEEP, None
    if passes(found, leading, margin):
        verdict = USE
    elif found.shrunk[leading] > 0 and found.above(POINT)[leading] > HOPE:
        verdict, more = TOO_FEW, _more_per_class(evidence, found, leading, margin)
    return Decision(verdict, leading, tuple(int(one) for one in tied), more, margin, found, chance_of_being_best(evidence))


def leaders(found: Gains) -> np.ndarray:
    """Numbers of the candidates with the largest gain; several where they are alike, none where all failed."""
    there = np.isfinite(found.observed)
    return np.flatnonzero(there & (found.observed >= found.observed[there].max(initial=-np.inf) - ALIKE))


def drawn(tied: np.ndarray, evidence: Evidence) -> int:
    """One of the leaders by lot: neither the target's name nor the order of a list decide, but the draw and what the images show."""
    names = sorted(evidence.candidates[one] for one in tied)
    shown = hashlib.sha256(b"".join(np.ascontiguousarray(part, "<i8").tobytes() for part in (evidence.labels, evidence.reference > 0)))
    lot = names[named_rng("choice", "tie", str(evidence.draw), shown.hexdigest()).integers(len(names))]
    return evidence.candidates.index(lot)


def passes(found: Gains, candidate: int, margin: float) -> bool:
    """Whether the shrunk gain of a candidate is above zero and above `margin` standard errors of its paired difference."""
    return bool(found.shrunk[candidate] > max(margin * found.error[candidate], 0.0) + ALIKE)


def _more_per_class(evidence: Evidence, found: Gains, leading: int, margin: float) -> int:
    """With how many more images per class the gain that is likely, if there is one that matters, passes with probability `POWER`.

    That gain is the mean of what the true gain may be above a point; n images have the standard error of one over sqrt(n).
    """
    mean, spread = found.shrunk[leading], found.spread[leading]
    least = (POINT - mean) / spread
    likely = mean + spread * np.exp(norm.logpdf(least) - norm.logsf(least))
    one_image = found.error[leading] * np.sqrt(found.images)
    needed = (one_image * (max(margin, 0.0) + ndtri(POWER)) / likely) ** 2
    classes = evidence.labels.shape[1] if evidence.labels.ndim == 2 else len(np.unique(evidence.labels))
    return max(1, ceil((needed - found.images) / classes))
