"""The verdict of a study, from its scores and its table `pairs`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from promptatlas.analysis.pairs.column import HAND, IMAGES, PAIR, UNTUNED
from promptatlas.analysis.verdict.holding import Compared
from promptatlas.analysis.verdict.record import gains, record, whole

if TYPE_CHECKING:  # `statistics` makes the verdict a part of its summary
    from promptatlas.analysis.statistics.helping import Gained
    from promptatlas.analysis.statistics.matrices import Scores

POINTS = 100
ZERO_SHOT, UNTUNED_PROMPT = "zero_shot", "untuned"  # what pairs are held against


def of_study(gained: Iterable[tuple[Scores, Gained]], pairs: pd.DataFrame | None, summary: Mapping[str, Any]) -> dict[str, Any]:
    """The key `verdict`. gained: scores of each protocol and method, with what they gain; pairs: the table of that name; summary: what is
    in summary.json besides."""
    by_method = [_of_scores(scores, found, pairs, summary) for scores, found in gained]
    return whole(by_method, gains(summary["contrasts"], "raw", POINTS), "points", "points")


def _of_scores(scores: Scores, gained: Gained, pairs: pd.DataFrame | None, summary: Mapping[str, Any]) -> dict[str, Any]:
    own = _own(pairs, scores)
    given = [(ZERO_SHOT, HAND, gained.over_zero)]
    if gained.over_start is not None:
        given.append((UNTUNED_PROMPT, UNTUNED, gained.over_start))
    every = [
        Compared(name, POINTS * gain, *(_matrix(own, f"{prefix}{column}", scores.tasks) for column in ("low", "high", "p_adjusted")))
        for name, prefix, gain in given
    ]
    seeds = own is not None and bool(len(own)) and bool((own["counted"] != IMAGES).all())
    return record(scores, every, gained.there, summary) | {"counts_seeds": seeds, "n_separable": _separable(own)}


def _own(pairs: pd.DataFrame | None, scores: Scores) -> pd.DataFrame | None:
    if pairs is None:
        return None
    mine = (pairs["protocol"] == scores.protocol) & (pairs["method"] == scores.method) & (pairs["kind"] == PAIR)
    return pairs[mine].set_index(["source", "target"])


def _matrix(own: pd.DataFrame | None, column: str, tasks: Sequence[str]) -> np.ndarray:
    """(n, n) of a column of the table `pairs`."""
    if own is None or not len(own):
        return np.full((len(tasks), len(tasks)), np.nan)
    return own[column].unstack().reindex(index=list(tasks), columns=list(tasks)).to_numpy(float)


def _separable(own: pd.DataFrame | None) -> int | None:
    """How many pairs help or hurt clearly, all pairs allowed for."""
    return None if own is None else int(own["separable"].fillna(False).astype(bool).sum())
