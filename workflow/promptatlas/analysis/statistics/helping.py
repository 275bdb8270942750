"""How often a prompt of another task helps. The one place that counts; README, page, notebook and summary.json take it from here.

A pair helps where its score beats the target's zero-shot score and the untuned prompt (row `scratch`) in every seed: a mean over
seeds forgives a seed that hurts, and where the untuned prompt already beats the hand-written one no source has helped.
"""

import numpy as np

from promptatlas.analysis.statistics.matrices import Scores

UNTUNED = "scratch"


def helping(scores: Scores) -> dict:
    """Shares (0..1) of the ordered pairs of different tasks, by what counts as help; NaN where nothing is measured.

    helps: over zero-shot and over the untuned prompt of the same seed, in every seed. Beside it the weaker counts: over one of
    them in every seed, over both or over zero-shot alone on the mean of seeds. Only the `pairs` that are measured in all `seeds`
    count, with the untuned prompt of the target (in a study without such a row, what needs it is NaN). Seeds of which nothing is
    measured are none.
    """
    seeds = np.isfinite(scores.score).any(axis=(1, 2))
    own, start = scores.score[seeds], scores.calibration.get(UNTUNED)
    over_zero = own - scores.zero_shot
    over_start = np.full_like(over_zero, np.nan) if start is None else own - start[seeds][:, None]
    measured = over_zero if start is None else over_zero + over_start
    there = np.isfinite(measured).all(axis=0) & ~np.eye(len(scores.tasks), dtype=bool) & seeds.any()

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
        "seeds": int(seeds.sum()),
        "helps": share(over_zero, over_start),
        "every_seed_over_zero_shot": share(over_zero),
        "every_seed_over_untuned": share(over_start),
        "mean_over_both": share(over_zero, over_start, over="mean"),
        "mean_over_zero_shot": share(over_zero, over="mean"),
    }
