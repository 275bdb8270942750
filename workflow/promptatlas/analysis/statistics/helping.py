"""How often a prompt of another task helps. The one place that counts; README, page, notebook and summary.json take it from here.

A pair helps where its score beats the target's zero-shot score and the untuned prompt (row `scratch`) in every seed: a mean over
seeds forgives a seed that hurts, and where the untuned prompt already beats the zero-shot one no source has helped.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from promptatlas.analysis.statistics.matrices import Scores

UNTUNED = "scratch"


@dataclass(frozen=True)
class Gained:
    """What prompts of other tasks gain, as shares of 1, in the S seeds of which anything is measured.

    over_zero, over_start: (S, n, n) over zero-shot and over the untuned prompt of the same seed, the latter None in a study without such
    a row; there: (n, n) the pairs of different tasks that are measured in all these seeds, with what they are compared with.
    """

    over_zero: np.ndarray
    over_start: np.ndarray | None
    there: np.ndarray

    @classmethod
    def of(cls, scores: Scores) -> Gained:
        seeds = np.isfinite(scores.score).any(axis=(1, 2))
        own, start = scores.score[seeds], scores.calibration.get(UNTUNED)
        over_zero, over_start = own - scores.zero_shot, None if start is None else own - start[seeds][:, None]
        measured = over_zero if over_start is None else over_zero + over_start
        there = np.isfinite(measured).all(axis=0) & ~np.eye(len(scores.tasks), dtype=bool) & seeds.any()
        return cls(over_zero, over_start, there)

    @property
    def every(self) -> tuple[np.ndarray, ...]:
        """The gains over each baseline that there is."""
        return (self.over_zero,) if self.over_start is None else (self.over_zero, self.over_start)

    @property
    def helps(self) -> np.ndarray:
        """(n, n) the pairs that beat every baseline in every seed."""
        return np.asarray(self.there & (np.nan_to_num(np.array(self.every)) > 0).all(axis=(0, 1)))


def helping(scores: Scores) -> dict:
    """Shares (0..1) of the ordered pairs of different tasks, by what counts as help; NaN where nothing is measured.

    helps: over zero-shot and over the untuned prompt of the same seed, in every seed. Beside it the weaker counts: over one of
    them in every seed, over both or over zero-shot alone on the mean of seeds. Only the `pairs` that are measured in all `seeds`
    count, with the untuned prompt of the target (in a study without such a row, what needs it is NaN). Seeds of which nothing is
    measured are none.
    """
    found = Gained.of(scores)
    there, over_zero = found.there, found.over_zero
    over_start = np.full_like(over_zero, np.nan) if found.over_start is None else found.over_start

    def share(*gains: np.ndarray, over: str = "every seed") -> float:
        """Of the pairs, with gains (S, n, n) that must all be above zero in every seed or on the mean."""
        if not there.any():
            return np.nan
        found = np.array([gain[:, there] for gain in gains])
        if over == "mean":
            found = found.mean(axis=1, keepdims=True)
        return float((found > 0).all(axis=(0, 1)).mean()) if np.isfinite(found).all() else np.nan

    return {
        "pairs": int(there.sum()),
        "seeds": len(over_zero),
        "helps": share(over_zero, over_start),
        "every_seed_over_zero_shot": share(over_zero),
        "every_seed_over_untuned": share(over_start),
        "mean_over_both": share(over_zero, over_start, over="mean"),
        "mean_over_zero_shot": share(over_zero, over="mean"),
    }
