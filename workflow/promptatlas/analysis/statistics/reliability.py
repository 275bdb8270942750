"""How much of each variance is signal and how much would change with other seeds.

What two seeds have in common is signal; what a seed has in common with itself is signal and noise, whatever the structure of
the noise (one source prompt serves a whole row, so its noise is a row effect). Each seed is fitted on its own cells, so a
missing cell costs that cell of that seed and nothing else.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from promptatlas.analysis.statistics.moments import fit, shared
from promptatlas.analysis.statistics.relations import off_diagonal

PARTS = ("target", "source", "relationship")


@dataclass(frozen=True)
class Decomposition:
    """Variances of one cell of one seed; `reliability` is that of the relationship part of the mean over seeds.

    giver_receiver and reciprocity are correlations; all are NaN where they cannot be estimated (one seed: the noise
    cannot be told from the rest, so `seed` and `reliability` are NaN). n_seeds: how many have any cell.
    """

    target: float
    source: float
    relationship: float
    seed: float
    reliability: float
    giver_receiver: float
    reciprocity: float
    n_seeds: int

    def shares(self) -> dict[str, float]:
        """Shares of the total, negative estimates counted as zero; without seeds the three other parts make the total."""
        parts = {part: max(getattr(self, part), 0.0) for part in (*PARTS, "seed") if np.isfinite(getattr(self, part))}
        total = sum(parts.values())
        return {part: value / total for part, value in parts.items()} if total > 0 else {}


def decompose(values: np.ndarray) -> Decomposition:
    """Variance decomposition of a stack of seeds (S, n, n) with NaN in missing cells."""
    count = np.isfinite(off_diagonal(values))
    fits = [fit(one) for one, there in zip(values, count, strict=True) if there.any()]
    total = shared([(one, one) for one in fits])
    if len(fits) < 2:
        signal, noise, reliability = total, float("nan"), float("nan")
    else:
        signal = shared(list(combinations(fits, 2)))
        parts = {part: getattr(total, part) - getattr(signal, part) for part in PARTS}
        noise = float(sum(np.maximum(part, 0) for part in parts.values()))
        seeds = count.sum(axis=0)
        left = parts["relationship"] * (1 / seeds[seeds > 0]).mean()  # the noise that the mean over seeds still carries
        mean = signal.relationship + left
        reliability = float(np.clip(signal.relationship / mean, 0, 1)) if mean > 0 else float("nan")
    return Decomposition(
        target=signal.target,
        source=signal.source,
        relationship=signal.relationship,
        seed=noise,
        reliability=reliability,
        giver_receiver=_correlation(signal.giver_receiver, signal.source * signal.target),
        reciprocity=_correlation(signal.reciprocity, signal.relationship**2),
        n_seeds=len(fits),
    )


def _correlation(covariance: float, product: float) -> float:
    return float(np.clip(covariance / np.sqrt(product), -1, 1)) if product > 0 else float("nan")
