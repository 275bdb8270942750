"""What a matrix shows: means over seeds on one scale, and colour limits shared by all methods."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from promptatlas.analysis.statistics.matrices import Scores
from promptatlas.analysis.statistics.relations import relationships
from promptatlas.analysis.statistics.scales import PRIMARY, calibration_rows, matrix, seed_mean, shares_of_means
from promptatlas.study.protocols import PROTOCOLS, SCRATCH


@dataclass(frozen=True)
class View:
    """A way to show a matrix: title, what baseline or ends mean, diverging from zero or from 0 to 1, unit of the cells, their
    decimals where the unit does not say them, and where the colours of a diverging one end at the latest, whatever its scores are."""

    title: str
    meaning: str
    diverging: bool
    unit: str
    digits: int | None = None
    farthest: float | None = None


VIEWS = {
    "over_scratch": View("Gain over an untrained start (points)", "points; 0 = an untrained start, tuned or used alike", True, "points"),
    "gain_points": View("Gain over zero-shot (points)", "points; 0 = zero-shot score of the target", True, "points"),
    "relationship": View("Who helps whom", "log odds; 0 = what source and target alone would give", True, "log odds"),
    "chance_corrected": View("Chance-corrected score", "0 = guessing, 1 = perfect", False, "%"),
    "perfection_gap": View("Perfection gap factor", "0 = zero-shot score of the target, 1 = a score of 1", True, "", 2, 1.0),
    "column_ratio": View("Share of the target's best score", "1 = best source of the target, itself among them", False, "%"),
    "raw": View("Score as measured", "0 to 1", False, "%"),
}


def has(scores: Scores, view: str) -> bool:
    """Whether a matrix has the view: gains over the row `scratch` are shown where the protocol has it for its baseline."""
    return view != "over_scratch" or (PROTOCOLS[scores.protocol].baseline == SCRATCH and SCRATCH in scores.calibration)


def shown(scores: Scores, view: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Matrix (n, n) and calibration rows (n,) of a view; the relationship part has no such rows and needs four tasks.

    Shares of the best are of means over seeds, so that each target's best is 1, as in the MVLPT paper's figure 4. Means of shares, which
    statistics have, are below 1 where seeds differ in the best source.
    """
    if view == "relationship":
        return relationship(scores), {}
    if view == "column_ratio":
        return shares_of_means(scores.score, scores.calibration)
    rows = {source: seed_mean(row) for source, row in calibration_rows(scores, view).items()}
    return seed_mean(matrix(scores, view)), rows


def relationship(scores: Scores) -> np.ndarray:
    """Relationship part of the primary response (n, n): NaN where a cell is missing or where it cannot be estimated."""
    return relationships(seed_mean(matrix(scores, PRIMARY)))


def colour_limits(group: Sequence[Scores], view: str) -> tuple[float, float]:
    """Limits shared by all methods: symmetric about the baseline at the 98 % quantile, or where the view says, or from 0 to 1."""
    if not VIEWS[view].diverging:
        return 0.0, 1.0
    values = np.concatenate([shown(scores, view)[0].ravel() for scores in group])
    values = np.abs(values[np.isfinite(values)])
    edge = float(np.quantile(values, 0.98)) if len(values) else 0.0
    return ends(edge, VIEWS[view])


def ends(edge: float, view: View) -> tuple[float, float]:
    """Where the colours of a diverging view end, of which most scores are within `edge` of zero."""
    edge = min(edge or 1.0, view.farthest or np.inf)
    return -edge, edge
