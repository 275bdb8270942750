"""The table `contrasts`: two measures, two methods or two protocols held against each other; their names are joined by `~`.

Rows by `what`. `link`: of two measures, the correlation of the first with who helps whom less that of the second (both of one method: they
share the scores); of two methods or protocols, the same for one measure. It is tested on Fisher's z. `gain`: mean over pairs of different
tasks of the first's score less the second's. `giving`, `receiving`, `relationship`: correlation of the source effects, the target effects
and who helps whom of two methods as it would be without noise of seeds, and the p of its being 1, that is of the same up to a factor.

The unit is the task: intervals leave out one at a time, as source and as target, and p is from the t of such an interval. Cells that
share a task are not independent, and two correlations with the same scores even less so. Where tasks share a family, `p_families` leaves
out one family at a time: families have effects of their own, and then p rejects in 19 of 100 cases instead of 5. `p_holm` allows for all
contrasts of one kind, each with the larger of the two.

Noise is told from signal by what different seeds have in common: the covariance of seed s of one method with seed t of the other, s
and t different, has no noise in it, though methods share their images seed by seed.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, product
from typing import Protocol, TypeVar

import numpy as np
import pandas as pd
from scipy.special import stdtr

from promptatlas.analysis.statistics import permutation, semipartial
from promptatlas.analysis.statistics.crossed import crossed_interval, over_tasks
from promptatlas.analysis.statistics.families import of_tasks, repeated
from promptatlas.analysis.statistics.jackknife import interval, pseudo_values, standard_error, without
from promptatlas.analysis.statistics.matrices import collect, similarity_matrices
from promptatlas.analysis.statistics.moments import Fit, fit, shared
from promptatlas.analysis.statistics.reasons import ABOVE_ONE, NO_SEEDS, NO_SIGNAL, NOTHING_MEASURED, TOO_FEW
from promptatlas.analysis.statistics.relations import FEWEST_TASKS, off_diagonal, usable
from promptatlas.analysis.statistics.scales import matrix, responses, seed_mean
from promptatlas.analysis.statistics.together import with_links
from promptatlas.evaluation.similarity import TRUTH

COLUMNS = (
    "response", "method", "protocol", "measure", "what", "estimate", "low", "high", "p", "p_families", "p_holm", "n_tasks", "n_cells",
    "reason",
)  # fmt: skip
PARTS = {"giving": "source", "receiving": "target", "relationship": "relationship"}
NAN = float("nan")
Seeds = Sequence[int | str]


def contrast(transfer: pd.DataFrame, similarity: pd.DataFrame, tasks: pd.DataFrame, baselines: pd.DataFrame | None = None) -> pd.DataFrame:
    """The table `contrasts` of a study from its tables."""
    known, kin = similarity[similarity["family"] != TRUTH], of_tasks(tasks)
    collected = collect(transfer, tasks, baselines)
    rows: list[dict] = []
    for scores in collected:
        measures = similarity_matrices(known, scores.tasks, scores.method)
        for response in responses(scores):
            common = {"response": response, "method": scores.method, "protocol": scores.protocol}
            families = [kin[task] for task in scores.tasks]
            rows += [common | row for row in measure_rows(seed_mean(matrix(scores, response)), measures, families)]
    for a, b in pairs(collected):
        measures = similarity_matrices(known[known["method"].fillna("") == ""], a.tasks, a.method)
        for response in responses(a):
            common = {"response": response} | named(a, b)
            families, values = [kin[task] for task in a.tasks], (matrix(a, response), matrix(b, response))
            rows += [common | row for row in method_rows(values, (a.seeds, b.seeds), measures, families)]
    return table_of(rows)


class Owned(Protocol):
    """Scores of a method in a protocol."""

    @property
    def method(self) -> str: ...

    @property
    def protocol(self) -> str: ...


One = TypeVar("One", bound=Owned)


def pairs(collected: Sequence[One]) -> Iterator[tuple[One, One]]:
    """Methods of one protocol, and protocols of one method."""
    return ((a, b) for a, b in combinations(collected, 2) if (a.method == b.method) != (a.protocol == b.protocol))


def named(a: Owned, b: Owned) -> dict[str, str]:
    """The columns `method` and `protocol` of a pair, joined by ~ where they differ, in the order of the pair."""
    return {"method": "~".join(dict.fromkeys((a.method, b.method))), "protocol": "~".join(dict.fromkeys((a.protocol, b.protocol)))}


def table_of(rows: Sequence[dict]) -> pd.DataFrame:
    """The table `contrasts` from its rows; Holm's p is over rows of one response, method, protocol and `what`."""
    kinds: dict[str, type] = dict.fromkeys(COLUMNS, str) | dict.fromkeys(("estimate", "low", "high", "p", "p_families", "p_holm"), float)
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype(kinds | dict.fromkeys(("n_tasks", "n_cells"), int))
    table["p_holm"] = NAN
    tested = table[table["p"].notna()]
    for _, group in tested.groupby(["response", "method", "protocol", "what"]):
        table.loc[group.index, "p_holm"] = permutation.holm(group[["p", "p_families"]].max(axis=1).to_numpy())
    return table


def measure_rows(response: np.ndarray, measures: Mapping[str, np.ndarray], families: Sequence[str]) -> Iterator[dict]:
    """`link` of every two measures, measure -> (n, n), with scores (n, n) of tasks of `families` (n,), over the cells that both have."""
    for (first, one), (second, other) in combinations(with_links(response, measures).items(), 2):
        yield _link(f"{first}~{second}", [response, one, other], ((0, 1), (0, 2)), families)


def method_rows(
    scores: tuple[np.ndarray, np.ndarray], seeds: tuple[Seeds, Seeds], measures: Mapping[str, np.ndarray],
    families: Sequence[str],
) -> Iterator[dict]:  # fmt: skip
    """`gain`, the effects without noise, and `link` of each measure, of two methods' scores (S, n, n) and (S', n, n) by seed."""
    yield _gain(*scores, paired=tuple(seeds[0]) == tuple(seeds[1]))
    yield from _without_noise(scores, seeds, families)
    means = [seed_mean(one) for one in scores]
    for measure in with_links(means[0], with_links(means[1], measures)):
        yield _link(measure, [measures[measure], *means], ((1, 0), (2, 0)), families)


def _row(
    measure: str, what: str, n: int, cells: int, estimate: float = NAN, bounds: tuple[float, float] = (NAN, NAN), p: float = NAN,
    p_families: float = NAN, reason: str = "",
) -> dict:  # fmt: skip
    return {
        "measure": measure, "what": what, "estimate": float(estimate), "low": bounds[0], "high": bounds[1], "p": float(p),
        "p_families": float(p_families), "n_tasks": n, "n_cells": cells, "reason": reason,
    }  # fmt: skip


def _link(measure: str, matrices: Sequence[np.ndarray], places: tuple[tuple[int, int], tuple[int, int]], families: Sequence[str]) -> dict:
    """Difference of two correlations among three matrices (n, n), over the cells that all have.

    On Fisher's z; estimate and interval are turned back by the mean slope between the two, so that the interval is on the scale of
    correlations and holds 0 just where p is above .05.
    """
    keep = usable(*matrices)
    n, part = len(keep), np.ix_(keep, keep)
    matrices = [one[part] for one in matrices]
    cells = int(np.isfinite(off_diagonal(np.stack(matrices))).all(axis=0).sum()) if n else 0
    if n < FEWEST_TASKS:
        return _row(measure, "link", n, cells, reason=TOO_FEW)

    def difference(values: Sequence[np.ndarray]) -> tuple[float, float]:
        """Of r and of z."""
        if len(usable(*values)) < max(len(values[0]), FEWEST_TASKS):
            return NAN, NAN
        products = np.clip(semipartial.products(values), -1, 1)
        one, other = float(products[places[0]]), float(products[places[1]])
        with np.errstate(divide="ignore", invalid="ignore"):
            return one - other, float(np.arctanh(one) - np.arctanh(other))

    gap, of_z = difference(matrices)
    by_task, by_family = (
        [difference([without(each, members) for each in matrices])[1] for members in left_out] for left_out in _parts(families, keep)
    )
    slope = gap / of_z if of_z else 1.0
    low, high = interval(of_z, by_task)
    return _row(measure, "link", n, cells, gap, (slope * low, slope * high), _p(of_z, by_task), _p(of_z, by_family))


def _parts(families: Sequence[str], keep: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """What is left out in turn, as places among the tasks number `keep`: each task, and each family where some tasks share one."""
    own = np.array(families)[keep]
    kin = [np.flatnonzero(own == family) for family in dict.fromkeys(own)] if repeated(list(own)) else []
    return [np.array([task]) for task in range(len(keep))], kin


def _p(gap: float, left_out: Sequence[float]) -> float:
    """Two-sided p of `gap` being 0, by the t of its jackknife."""
    if not np.isfinite(interval(gap, left_out)).all():
        return NAN
    error = standard_error(np.asarray(left_out))
    return float(2 * stdtr(len(left_out) - 1, -abs(gap) / error)) if error > 0 else NAN


def _gain(one: np.ndarray, other: np.ndarray, paired: bool) -> dict:
    """Mean difference over pairs of different tasks. Where the seeds are the same, differences are taken seed by seed, and the
    interval counts tasks and seeds as random; with one seed, or others, it is over tasks alone."""
    by_seed = off_diagonal(one - other) if paired else off_diagonal(seed_mean(one) - seed_mean(other))[None]
    gap = seed_mean(by_seed)
    n, cells = gap.shape[-1], int(np.isfinite(gap).sum())
    if not cells:
        return _row("", "gain", n, cells, reason=NOTHING_MEASURED)
    values = np.array([pseudo_values(each) for each in by_seed])
    return _row("", "gain", n, cells, np.nanmean(gap), crossed_interval(values.T) if len(values) > 1 else over_tasks(values[0]))


def _without_noise(scores: tuple[np.ndarray, np.ndarray], seeds: tuple[Seeds, Seeds], families: Sequence[str]) -> Iterator[dict]:
    keep = usable(*map(seed_mean, scores))
    n, one, other = len(keep), *(values[:, keep[:, None], keep] for values in scores)
    cells = int(np.isfinite(off_diagonal(seed_mean(one) + seed_mean(other))).sum())
    single = min(int(np.isfinite(each).any(axis=(1, 2)).sum()) for each in (one, other)) < 2
    if n < FEWEST_TASKS or single:
        for what in PARTS:
            yield _row("", what, n, cells, reason=TOO_FEW if n < FEWEST_TASKS else NO_SEEDS)
        return
    whole = _correlations_of_parts(one, other, seeds)
    by_task, by_family = (
        [_correlations_of_parts(without(one, members), without(other, members), seeds) for members in left_out]
        for left_out in _parts(families, keep)
    )
    for what, value in whole.items():
        if not np.isfinite(value):
            yield _row("", what, n, cells, reason=NO_SIGNAL)
            continue
        tasks, kin = ([each[what] for each in left_out] for left_out in (by_task, by_family))
        p, p_families = (_p(value - 1, [each - 1 for each in left_out]) for left_out in (tasks, kin))
        yield _row("", what, n, cells, value, interval(value, tasks), p, p_families, ABOVE_ONE if value > 1 else "")


def _correlations_of_parts(one: np.ndarray, other: np.ndarray, seeds: tuple[Seeds, Seeds]) -> dict[str, float]:
    """Correlation of each part without noise of seeds; NaN where a part does not vary beyond it."""
    fits, others = _fits(seeds[0], one), _fits(seeds[1], other)
    own, theirs, between = (shared(_of_different_seeds(*two)) for two in ((fits, fits), (others, others), (fits, others)))
    found = {}
    for what, part in PARTS.items():
        variance, variance_too = getattr(own, part), getattr(theirs, part)
        signal = variance > 0 and variance_too > 0
        found[what] = getattr(between, part) / np.sqrt(variance * variance_too) if signal else NAN
    return found


def _fits(seeds: Seeds, values: np.ndarray) -> list[tuple[int | str, Fit]]:
    return [(seed, fit(one)) for seed, one in zip(seeds, values, strict=True)]


def _of_different_seeds(one: Sequence[tuple[int | str, Fit]], other: Sequence[tuple[int | str, Fit]]) -> list[tuple[Fit, Fit]]:
    return [(a, b) for (seed, a), (seed_too, b) in product(one, other) if seed != seed_too and a.there.any() and b.there.any()]
