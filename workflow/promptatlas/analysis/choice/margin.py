"""How large the margin has to be: chosen on tasks whose truth is known, never on the target that is decided on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from promptatlas.analysis.choice.decision import ALIKE, MARGIN, POINT, leaders
from promptatlas.analysis.choice.evidence import Evidence
from promptatlas.analysis.choice.gains import gains

GRID = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0)
HARMED = 0.02  # the share of choices that may lose more than a point


@dataclass(frozen=True)
class Lead:
    """What leads on one target before it is decided: candidates that lead together, with their ratio of shrunk gain and standard error
    and their true gains, each (L,).
    """

    target: str
    ratio: np.ndarray
    gain: np.ndarray


def lead(evidence: Evidence) -> Lead:
    """The candidates of `evidence` that look best."""
    found = gains(evidence)
    first = leaders(found)
    return Lead(evidence.target, found.shrunk[first] / found.error[first], _true_gains(evidence)[first])


def chosen(leads: Sequence[Lead]) -> float:
    """The margin of GRID that gains most on average over targets while at most HARMED of the choices lose more than a point.

    Targets count alike, however many draws they have. The larger of margins that are as good. If none is so harmless, the largest;
    without any target, MARGIN.
    """
    targets: dict[str, list[Lead]] = {}
    for one in leads:
        if len(one.gain) and np.isfinite(one.gain).all():
            targets.setdefault(one.target, []).append(one)
    if not targets:
        return MARGIN
    parts = [(one, 1 / len(same) / len(targets) / len(one.gain)) for same in targets.values() for one in same]
    ratio, gain = (np.concatenate([getattr(one, name) for one, _ in parts]) for name in ("ratio", "gain"))
    weight = np.concatenate([np.full(len(one.gain), weight) for one, weight in parts])
    used = ratio > np.maximum(np.array(GRID)[:, None], ALIKE)
    harmless = (used * (gain < -POINT)) @ weight <= HARMED + ALIKE
    mean = np.where(harmless, (used * gain) @ weight, -np.inf)
    return GRID[int(np.flatnonzero(mean >= mean.max() - ALIKE)[-1])]


def margin(evidences: Sequence[Evidence]) -> float:
    """The margin for a new target, from targets whose truth is known, with the same methods and any numbers of images per class."""
    return chosen([lead(_known(one)) for one in evidences])


def _known(evidence: Evidence) -> Evidence:
    """The candidates whose truth is known."""
    return evidence.among(np.isfinite(_true_gains(evidence)))


def _true_gains(evidence: Evidence) -> np.ndarray:
    truth = np.full(len(evidence.candidates), np.nan) if evidence.truth is None else evidence.truth
    return truth - evidence.reference_truth
