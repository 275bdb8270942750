"""Which pairs of tasks are above all that they are compared with in every seed, which of these are named, and what nothing helps.

Knows nothing of studies: gains are arrays in the unit that they are told in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

NAMED = 5  # pairs that are named


@dataclass(frozen=True)
class Compared:
    """What n sources gain on n targets over one baseline in S seeds.

    baseline: its name; gain: (S, n, n), NaN where it is not measured; low, high: (n, n) ends of an interval, p: (n, n) adjusted for the
    number of pairs, all NaN where there is none.
    """

    baseline: str
    gain: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p: np.ndarray

    @classmethod
    def alone(cls, baseline: str, gain: np.ndarray) -> Compared:
        """Without intervals."""
        nothing = np.full(gain.shape[1:], np.nan)
        return cls(baseline, gain, nothing, nothing, nothing)


def in_every_seed(every: Sequence[Compared], there: np.ndarray) -> np.ndarray:
    """(n, n) which of the pairs `there` are above every baseline in every seed; none where there is no baseline."""
    if not every:
        return np.zeros_like(there)
    return np.asarray(there & np.array([(one.gain > 0).all(axis=0) for one in every]).all(axis=0))


def unhelped(there: np.ndarray, holds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the targets that have a pair `there` (n, n), and of those among them with none that `holds`."""
    measured = there.any(axis=0)
    return np.flatnonzero(measured), np.flatnonzero(measured & ~holds.any(axis=0))


def named(every: Sequence[Compared], holds: np.ndarray, tasks: Sequence[str], most: int = NAMED) -> list[dict[str, Any]]:
    """The pairs that hold and are surest, at most `most`, each against the baseline over which it is least sure.

    The order is by the low end of the interval against that baseline; pairs without an interval come after, by the gain of their worst
    seed. p_adjusted: the larger of those against all baselines, which is that of beating them all (Berger 1982); seeds_low, seeds_high: the
    range over seeds against the same baseline.
    """
    places = [tuple(map(int, place)) for place in np.argwhere(holds)]
    rows = [_row(every, source, target) | {"source": tasks[source], "target": tasks[target]} for source, target in places]
    rows.sort(key=lambda row: (not np.isfinite(row["low"]), -row["low"] if np.isfinite(row["low"]) else -row["seeds_low"]))
    return rows[:most]


def _row(every: Sequence[Compared], source: int, target: int) -> dict[str, Any]:
    lows = np.array([one.low[source, target] for one in every])
    worst = np.array([one.gain[:, source, target].min() for one in every])
    hardest = every[int(np.argmin(lows if np.isfinite(lows).all() else worst))]
    gain = hardest.gain[:, source, target]
    known = np.isfinite(lows).all()
    return {
        "baseline": hardest.baseline,
        "gain": float(gain.mean()),
        "low": float(hardest.low[source, target]) if known else np.nan,
        "high": float(hardest.high[source, target]) if known else np.nan,
        "p_adjusted": float(np.max([one.p[source, target] for one in every])) if known else np.nan,
        "seeds_low": float(gain.min()),
        "seeds_high": float(gain.max()),
    }


def clear(every: Sequence[Compared], holds: np.ndarray, level: float) -> tuple[int, int, float]:
    """Of the pairs that hold: how many have a p against every baseline, how many are below `level` in all of them, and the smallest
    of their p, each the larger of those against all baselines; NaN where none has one."""
    if not every or not holds.any():
        return 0, 0, np.nan
    p = np.max(np.array([one.p[holds] for one in every]), axis=0)
    known = p[np.isfinite(p)]
    return len(known), int((known < level).sum()), float(known.min()) if len(known) else np.nan
