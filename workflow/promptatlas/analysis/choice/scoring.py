"""What a choice is worth: scores of a rule on targets whose truth is known. Knows nothing of how a rule chooses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from promptatlas.analysis.choice.decision import ALIKE, POINT
from promptatlas.analysis.choice.evidence import Evidence
from promptatlas.analysis.statistics.regret import regrets_of_columns

QUANTITIES = ("regret_1", "regret_3", "gain", "harmed", "used", "oracle_gain")


@dataclass(frozen=True)
class Picks:
    """What a rule says of P candidates of one target, with all of them and without those of each of the U - 1 sources: columns.

    ranking: (P, U), the largest is taken, NaN for what is no candidate; use: (P, U) whether it is used where it is taken, else the
    zero-shot prompt is kept.
    """

    ranking: np.ndarray
    use: np.ndarray

    @classmethod
    def always(cls, ranking: np.ndarray, there: np.ndarray) -> Picks:
        """A rule that never keeps the zero-shot prompt. ranking: (P,) or (P, U); there: (P, U) what is a candidate."""
        columns = ranking if ranking.ndim == 2 else ranking[:, None]
        return cls(np.where(there, columns, np.nan), np.ones(there.shape, bool))


def candidates(evidence: Evidence, sources: tuple[str, ...]) -> np.ndarray:
    """(P, 1 + S): all candidates, and all but those of each of `sources`."""
    return np.column_stack([np.ones(len(evidence.candidates), bool), *(evidence.sources != source for source in sources)])


def scores(choice: Picks, gain: np.ndarray, or_none: bool) -> np.ndarray:
    """(U, 6) of the QUANTITIES for each column of a choice; NaN where there is no candidate.

    gain: (P,) true gains over the zero-shot prompt. All but shares in points. A mean over candidates that lead together. regret: the
    best candidate (`or_none`: or the zero-shot prompt where that is better) less the one taken, or less the best of the three that
    rank highest. harmed: share of choices that lose more than a point; oracle_gain: of the best candidate or the zero-shot prompt.
    """
    there = np.isfinite(choice.ranking) & np.isfinite(gain)[:, None]
    ranking = np.where(there, choice.ranking, -np.inf)
    leads = there & (ranking >= ranking.max(axis=0, initial=-np.inf) - ALIKE)
    count = leads.sum(axis=0)
    weight = np.divide(leads * choice.use, count, out=np.full(leads.shape, np.nan), where=count > 0)
    true = np.where(there, gain[:, None], 0.0)
    used = weight.sum(axis=0)
    own = (weight * true).sum(axis=0)
    best = np.where(there, gain[:, None], -np.inf).max(axis=0, initial=-np.inf)
    within_three = best - regrets_of_columns(np.where(there, gain[:, None], np.nan), np.where(there, choice.ranking, np.nan), 3)
    ceiling = np.maximum(best, 0) if or_none else best
    found = [ceiling - own, ceiling - used * within_three, own, (weight * (true < -POINT)).sum(axis=0), used, np.maximum(best, 0)]
    return np.where(count > 0, np.array(found) * np.array([100, 100, 100, 1, 1, 100])[:, None], np.nan).T
