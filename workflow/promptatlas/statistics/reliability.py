"""How much of each variance is signal and how much would change with other seeds. Knows nothing of similarity.

The components are quadratic forms, so those of the seeds' deviations from their mean, summed and divided by S - 1,
estimate the components of the seed noise, whatever its structure (one source prompt serves a whole row, so its noise is
a row effect). Noise over S is what the mean over seeds still carries, and is taken off again.
"""

from dataclasses import dataclass

import numpy as np

from promptatlas.statistics.relations import Components, components
from promptatlas.statistics.scales import seed_mean

PARTS = ("target", "source", "relationship")
FIELDS = tuple(Components.__dataclass_fields__)


@dataclass(frozen=True)
class Decomposition:
    """Variances of one cell of one seed; `reliability` is that of the relationship part of the mean over seeds.

    giver_receiver and reciprocity are correlations; all are NaN where they cannot be estimated (one seed: the noise
    cannot be told from the rest, so `seed` and `reliability` are NaN).
    """

    target: float
    source: float
    relationship: float
    seed: float
    reliability: float
    giver_receiver: float
    reciprocity: float

    def shares(self) -> dict[str, float]:
        """Shares of the total, negative estimates counted as zero; without seeds the three other parts make the total."""
        parts = {part: max(getattr(self, part), 0.0) for part in (*PARTS, "seed") if np.isfinite(getattr(self, part))}
        total = sum(parts.values())
        return {part: value / total for part, value in parts.items()} if total > 0 else {}


def decompose(values: np.ndarray) -> Decomposition:
    """Variance decomposition of a stack of seeds (S, n, n)."""
    mean = components(seed_mean(values))
    seeds = len(values)
    if seeds < 2:
        signal, noise, reliability = mean, None, float("nan")
    else:
        deviations = [components(deviation) for deviation in values - values.mean(axis=0)]
        noise = Components(*(sum(getattr(one, part) for one in deviations) / (seeds - 1) for part in FIELDS))
        signal = Components(*(getattr(mean, part) - getattr(noise, part) / seeds for part in FIELDS))
        reliability = (
            float(np.clip(signal.relationship / mean.relationship, 0, 1)) if mean.relationship > 0 else float("nan")
        )
    return Decomposition(
        target=signal.target,
        source=signal.source,
        relationship=signal.relationship,
        seed=float("nan") if noise is None else float(sum(np.maximum(getattr(noise, part), 0) for part in PARTS)),
        reliability=reliability,
        giver_receiver=_correlation(signal.giver_receiver, signal.source * signal.target),
        reciprocity=_correlation(signal.reciprocity, signal.relationship**2),
    )


def _correlation(covariance: float, product: float) -> float:
    return float(np.clip(covariance / np.sqrt(product), -1, 1)) if product > 0 else float("nan")
