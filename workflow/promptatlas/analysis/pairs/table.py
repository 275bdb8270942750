"""The table `pairs`: how sure each source's gain on each target is, seeds pooled.

Comparisons of a kind are judged together: how seeds vary among them says more than the few seeds of one, and p allow for their number.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd

from promptatlas.analysis.pairs.column import BOTH, HAND, IMAGES, PAIR, UNTUNED, Column
from promptatlas.analysis.pairs.files import PromptChances
from promptatlas.analysis.pairs.interval import Uncertain
from promptatlas.analysis.pairs.mcnemar import mcnemar
from promptatlas.analysis.pairs.moderated import fitted
from promptatlas.analysis.pairs.parts import VariedBy, varied_by
from promptatlas.analysis.statistics.permutation import holm

ALPHA = 0.05
COLUMNS = [
    "protocol", "method", "source", "target", "kind", "metric", "n_test", "seeds", "score",
    "gain", "low", "high", "p", "p_adjusted", "separable", "p_images", "seeds_alike", "counted",
    "untuned_gain", "untuned_low", "untuned_high", "untuned_p", "untuned_p_adjusted", "untuned_separable", "untuned_p_images",
    "own_gain", "own_low", "own_high", "average_gain", "average_low", "average_high",
    "best", "best_gain", "best_p_adjusted", "separable_from_best", "best_set",
    "prompt_seed", "prompt_gain", "prompt_low", "prompt_high", "chance_best", "decision", "reason",
]  # fmt: skip
TEXTS = ("protocol", "method", "source", "target", "kind", "metric", "counted", "best", "decision", "reason")
COUNTS = ("n_test", "seeds", "seeds_alike", "best_set", "prompt_seed")
YES_OR_NO = ("separable", "untuned_separable", "separable_from_best")
# What a source is compared with, as names of columns begin; see HAND and UNTUNED.
OWN_PROMPT, AVERAGE, BEST = "own_", "average_", "best_"
POINTS = 100


@dataclass
class Family:
    """Comparisons of one kind, of one protocol and method: rows of the table that they belong to, and what they vary by."""

    rows: list[int]
    found: list[VariedBy]

    def joined(self) -> VariedBy:
        return VariedBy(**{one.name: np.concatenate([getattr(part, one.name) for part in self.found]) for one in fields(VariedBy)})


@dataclass(frozen=True)
class Reference:
    """What sources are compared with: how its columns begin, its place among the sources where it is one, its scores (S,), and its right
    answers, (N,) or (S, N), None where they are not known. Those of the average source are shares of the sources that answer right."""

    against: str
    place: int | None
    scores: np.ndarray
    right: np.ndarray | None


def pairs(columns: Iterable[Column]) -> pd.DataFrame:
    """The table with COLUMNS, one row per protocol, method, source and target.

    Gains, low and high are in points, scores 0..1. low, high: 95 % of each comparison for itself. p: whether the gain is 0 for other
    images and other seeds; p_adjusted: by Holm among all rows of the same protocol, method and kind; separable: p_adjusted below .05;
    p_images: McNemar's, for these very prompts on other images. average_: over the mean of the prompts of all tasks but the target, of the
    same seed. best_p_adjusted: one-sided, that the column's best source is no better, times the number of sources that it could have been
    chosen from; best_set: how many sources are not separable from it, with itself. prompt_seed to decision: see `files`. What is not known
    is empty, and `reason` says why.
    """
    rows: list[dict[str, Any]] = []
    places: dict[tuple[str, str, str, str], dict[str, Any]] = {}
    files = PromptChances()
    families: dict[tuple[str, str, str, str], Family] = defaultdict(lambda: Family([], []))
    for column in columns:
        start = len(rows)
        references = list(_references(column))
        rows += _described(column, references)
        places.update({(row["protocol"], row["target"], row["method"], row["source"]): row for row in rows[start:]})
        files.add(column)
        for reference in references:
            _compare(column, reference, rows, families, start)
    for protocol, target, found in files.found():
        for (method, source), told in found.items():
            places[protocol, target, method, source].update(told)
    values = {name: [row.get(name) for row in rows] for name in COLUMNS}
    table = pd.DataFrame(values, columns=COLUMNS)
    table = table.astype(dict.fromkeys(YES_OR_NO, "boolean") | dict.fromkeys(COUNTS, "Int64") | dict.fromkeys(_numbers(), float))
    table[list(TEXTS)] = table[list(TEXTS)].fillna("").astype(str)
    for (_, _, _, against), family in families.items():
        _judge(table, against, family)
    _sets_of_best(table)
    return table


def _numbers() -> list[str]:
    return [name for name in COLUMNS if name not in (*TEXTS, *COUNTS, *YES_OR_NO)]


def _described(column: Column, references: list[Reference]) -> Iterator[dict[str, Any]]:
    """What is known of each source without single images."""
    best = column.best
    for place, (source, kind, scores, reason) in enumerate(zip(column.sources, column.kinds, column.scores, column.reasons, strict=True)):
        there = np.isfinite(scores)
        by_seed = scores[there] - column.zero_shot
        row = {
            **{name: getattr(column, name) for name in ("protocol", "method", "target", "metric")},
            "source": source, "kind": kind, "seeds": int(there.sum()), "reason": reason, "n_test": column.n_test or None,
            "score": scores[there].mean() if there.any() else None, "gain": _gain(scores, np.full(len(scores), column.zero_shot)),
            "best": column.sources[best] if best is not None and kind == PAIR else None,
        }  # fmt: skip
        if len(by_seed) and np.isfinite(by_seed).all():
            row["seeds_alike"] = int((_sign(by_seed) == _sign(by_seed.mean())).sum())
        for reference in references:
            if reference.against != HAND and _compared(kind, reference, place):
                row[f"{reference.against}gain"] = _gain(scores, reference.scores)
        yield row


def _gain(scores: np.ndarray, reference: np.ndarray) -> float:
    """Points, mean over the seeds that both have."""
    both = np.isfinite(scores) & np.isfinite(reference)
    return float(POINTS * (scores - reference)[both].mean()) if both.any() else np.nan


def _sign(values: np.ndarray) -> np.ndarray:
    return np.asarray(np.sign(np.round(values, 9)))


def _references(column: Column) -> Iterator[Reference]:
    yield Reference(HAND, None, np.full(column.scores.shape[1], column.zero_shot), column.reference)
    for against, place in ((UNTUNED, column.untuned), (OWN_PROMPT, column.own), (BEST, column.best)):
        if place is not None:
            right = column.right[place] if column.right is not None and column.answered[place] else None
            yield Reference(against, place, column.scores[place], right)
    others = [place for place, kind in enumerate(column.kinds) if kind == PAIR and np.isfinite(column.scores[place]).any()]
    if len(others) > 1:
        there = np.isfinite(column.scores[others])
        right = column.right[others] if column.right is not None and column.answered[others].all() else None
        yield Reference(AVERAGE, None, _mean(column.scores[others], there), None if right is None else _mean(right, there[:, :, None]))


def _mean(values: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Over the first axis, of those that are there; NaN where none is."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(there, values, 0).sum(axis=0) / there.sum(axis=0))


def _compared(kind: str, reference: Reference, place: int) -> bool:
    """Whether there is anything to compare: no prompt with itself, but the best with the best, and only other tasks' with that."""
    return kind == PAIR if reference.against == BEST else place != reference.place


def _compare(
    column: Column, reference: Reference, rows: list[dict[str, Any]], families: dict[tuple[str, str, str, str], Family], start: int
) -> None:
    """Add the comparisons of a column's sources with one reference to their families, and McNemar's p to rows."""
    if reference.right is None or column.right is None or column.images is None:
        return
    against, other = reference.against, reference.place
    places = [
        place for place, kind in enumerate(column.kinds)
        if column.answered[place] and _compared(kind, reference, place) and (against != BEST or place != other)
    ]  # fmt: skip
    there = np.isfinite(column.scores[places]) & np.isfinite(reference.scores)
    places, there = [place for place, row in zip(places, there, strict=True) if row.any()], there[there.any(axis=1)]
    if not places:
        return
    right = column.right[places]
    found = varied_by(right, reference.right, there, column.images)
    if against in (HAND, UNTUNED):
        for place, p in zip(places, mcnemar(right, reference.right, there, column.images), strict=True):
            rows[start + place][f"{against}p_images"] = p
    for kind in dict.fromkeys(column.kinds[place] for place in places):
        own = np.array([column.kinds[place] == kind for place in places])
        family = families[column.protocol, column.method, kind, against]
        family.rows += [start + place for place, mine in zip(places, own, strict=True) if mine]
        family.found.append(VariedBy(**{one.name: getattr(found, one.name)[own] for one in fields(VariedBy)}))


def _judge(table: pd.DataFrame, against: str, family: Family) -> None:
    """Write what a family of comparisons says into its rows."""
    found, rows = family.joined(), family.rows
    prior = fitted(found.between, np.maximum(found.seeds - 1, 0), table["target"].to_numpy()[rows])
    known = Uncertain(found, prior)

    def write(name: str, values: Any) -> None:
        table.loc[rows, name] = values

    if against == HAND:
        write("counted", np.where(known.counts_seeds, BOTH, IMAGES))
    if against == BEST:
        targets = table["target"].to_numpy()[rows]
        rivals = pd.Series(targets).map(pd.Series(targets).value_counts()).to_numpy()
        p = np.where(found.gain < 0, known.p() / 2, 1.0)
        write("best_p_adjusted", np.minimum(p * rivals, 1.0))
        return
    low, high = known.interval()
    write(f"{against}low", POINTS * low)
    write(f"{against}high", POINTS * high)
    if against in (HAND, UNTUNED):
        p = known.p()
        write(f"{against}p", p)
        adjusted = holm(p)
        write(f"{against}p_adjusted", adjusted)
        write(f"{against}separable", adjusted < ALPHA)


def _sets_of_best(table: pd.DataFrame) -> None:
    """Which sources are not separable from the best of their column, which is not from itself, and how many."""
    tested = table["best_p_adjusted"].notna()
    best = table["best"] == table["source"]
    keys = ["protocol", "method", "target"]
    several = tested.groupby([table[key] for key in keys]).transform("any")
    table.loc[best & several, "best_p_adjusted"] = 1.0
    tested |= best & several
    table.loc[tested, "separable_from_best"] = (table["best_p_adjusted"] < ALPHA)[tested]
    inside = tested & ~table["separable_from_best"].fillna(True)
    counts = inside.groupby([table[key] for key in keys]).transform("sum")
    table.loc[tested, "best_set"] = counts[tested]
