"""The table `statistics`: every estimate with its interval and p.

Tests by name: `variance_share`, `reliability`, `noise_ceiling` (its square root, the most that a measure can correlate),
`social_relations` (giver-receiver and reciprocity correlations), `two_way` (permutation p, jackknife interval), `disattenuated` (the same
correlation over the noise ceiling), `two_way_max_t` (the same, p adjusted for all measures), `two_way_blocks` and
`two_way_blocks_min_p` (both "beyond family", where some tasks share a family), `agreement` (between methods or protocols, their
names joined by `~`), `agreement_blocks`, `regret@k` (points; p of doing no better than the static list) and `regret@k_share`
(mean over the targets whose sources differ, `n_tasks` of them; 0 = best source known, 1 = one random pick). `p_holm` allows for
all confirmatory tests of the study, over methods, protocols and primary measures, each with the larger of its p of `two_way` and
of `two_way_blocks`.
`n_cells` counts the cells, mean over seeds, that an estimate rests on (of `variance_share` and its like, those of all seeds).
Scales by name (`response`): those of `scales.RESPONSES`. `perfection_gap` has 1 as its ceiling, `perfection_gap_probe` the score of the
linear probe, where the study has one.
What cannot be estimated has a row without an estimate, and `reason` says why.
"""

from collections.abc import Collection, Iterator, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from promptatlas.analysis.statistics import masked, permutation
from promptatlas.analysis.statistics.ceiling import Ceiling
from promptatlas.analysis.statistics.families import of_tasks, repeated
from promptatlas.analysis.statistics.jackknife import (
    correlation_interval,
    interval,
    leave_one_out,
    share_interval,
    without,
    without_each,
)
from promptatlas.analysis.statistics.matrices import Scores, collect, seeded, similarity_matrices
from promptatlas.analysis.statistics.reasons import (
    ALIKE_SOURCES,
    NO_PAIR,
    NO_SEEDS,
    why_no_correlation,
    why_no_variance,
)
from promptatlas.analysis.statistics.regret import differing, no_preference, outdone, regrets, static_list
from promptatlas.analysis.statistics.relations import FEWEST_TASKS, off_diagonal, usable
from promptatlas.analysis.statistics.reliability import decompose
from promptatlas.analysis.statistics.scales import PRIMARY, matrix, responses, seed_mean
from promptatlas.base.errors import UserError
from promptatlas.base.rng import named_rng
from promptatlas.study import schema

COLUMNS = (
    "response", "method", "protocol", "measure", "estimate", "low", "high", "p", "test", "n_tasks", "n_permutations",
    "confirmatory", "p_holm", "n_cells", "reason",
)  # fmt: skip
TOP = (1, 3, 5)
MOST_REGRETS = 999  # renamings of a measure whose picks are tried on all targets
NAN = float("nan")


def analyse(
    transfer: pd.DataFrame,
    similarity: pd.DataFrame,
    tasks: pd.DataFrame,
    permutations: int | None = None,
    primary: Sequence[str] | None = None,
    baselines: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """The table `statistics` of a study from its tables `transfer`, `similarity`, `tasks` and `baselines`.

    Confirmatory are the measures named in `primary`, on the primary scale, by the `two_way` test; all else explores. What is not given
    is as in a configuration that says nothing of it. Tasks with fewer than two measured cells as source or as target are left out
    (see `n_tasks`).
    """
    usual = schema.usual("statistics")
    permutations = usual["permutations"] if permutations is None else permutations
    primary = usual["primary"] if primary is None else primary
    if permutations < 1:
        raise UserError(f"'permutations' is {permutations}; give a whole number of at least 1 (9999 is usual)")
    families = of_tasks(tasks)
    truth = set(similarity.loc[similarity["family"] == "truth", "measure"])
    collected = collect(transfer, tasks, baselines)
    rows: list[dict] = []
    for scores in collected:
        matrices, of_prompts = similarity_matrices(similarity, scores.tasks, scores.method), seeded(similarity, scores.method)
        for response in responses(scores):
            common = {"response": response, "method": scores.method, "protocol": scores.protocol}
            values = matrix(scores, response)
            rows += [common | row for row in variance_rows(values)]
            for row in similarity_rows(values, matrices, scores.tasks, families, truth, permutations, of_prompts):
                confirmatory = row["test"] == "two_way" and response == PRIMARY and row["measure"] in primary
                rows.append(common | row | {"confirmatory": confirmatory})
        common = {"response": "raw", "method": scores.method, "protocol": scores.protocol}
        rows += [common | row for row in regret_rows(seed_mean(scores.score), matrices, permutations)]
    rows += list(_agreement(collected, families, permutations))
    return table_of(rows)


def table_of(rows: Sequence[dict]) -> pd.DataFrame:
    """The table `statistics` from its rows; Holm's p is over those that are confirmatory."""
    kinds: dict[str, type] = dict.fromkeys(COLUMNS, str) | dict.fromkeys(("estimate", "low", "high", "p", "p_holm"), float)
    kinds |= {"n_tasks": int, "n_cells": int, "n_permutations": int, "confirmatory": bool}
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype(kinds)
    confirmatory = table["confirmatory"]
    tested = confirmatory & table["p"].notna()
    table.loc[tested, "p_holm"] = permutation.holm(_both(table)[tested].to_numpy())
    return table


def _both(table: pd.DataFrame) -> pd.Series:
    """The larger p of each row's own test and of the same beyond family, where that was asked."""
    keys = ["response", "method", "protocol", "measure"]
    blocks = table[table["test"] == "two_way_blocks"].set_index(keys)["p"]
    beyond = blocks.reindex(pd.MultiIndex.from_frame(table[keys])).set_axis(table.index)
    return table["p"].combine(beyond.fillna(0.0), max)


def _row(
    measure: str,
    test: str,
    n: int,
    estimate: float,
    bounds: tuple[float, float] = (NAN, NAN),
    p: float = NAN,
    permutations: int = 0,
    cells: int = 0,
    reason: str = "",
) -> dict:
    return {
        "measure": measure, "estimate": float(estimate), "low": bounds[0], "high": bounds[1], "p": float(p), "test": test,
        "n_tasks": n, "n_permutations": permutations, "confirmatory": False, "p_holm": NAN, "n_cells": cells, "reason": reason,
    }  # fmt: skip


def variance_rows(values: np.ndarray) -> Iterator[dict]:
    """Of all cells that there are (S, n, n); tasks without any are left out."""
    there = np.isfinite(off_diagonal(values)).any(axis=0)
    keep = np.flatnonzero(there.any(axis=0) | there.any(axis=1))
    n, values = len(keep), values[:, keep[:, None], keep]
    count = int(np.isfinite(off_diagonal(values)).sum())
    whole = decompose(values)
    shares = whole.shares()
    if not shares:
        yield _row("relationship", "variance_share", n, NAN, cells=count, reason=why_no_variance(values))
        return
    parts = [decompose(without(values, task)) for task in range(n)] if n > FEWEST_TASKS else []
    left_out = [one.shares() for one in parts]
    for part, share in shares.items():
        bounds = share_interval(share, [one.get(part, NAN) for one in left_out])
        yield _row(part, "variance_share", n, share, bounds, cells=count)
    if np.isfinite(whole.reliability):
        low, high = interval(whole.reliability, [one.reliability for one in parts])
        yield _row("relationship", "reliability", n, whole.reliability, (low, min(high, 1.0)), cells=count)
        bounds = float(np.sqrt(max(low, 0.0))), float(np.sqrt(min(high, 1.0)))
        yield _row("relationship", "noise_ceiling", n, np.sqrt(whole.reliability), bounds, cells=count)
    elif whole.n_seeds < 2:
        for test in ("reliability", "noise_ceiling"):
            yield _row("relationship", test, n, NAN, cells=count, reason=NO_SEEDS)
    for name in ("giver_receiver", "reciprocity"):
        if not np.isfinite(getattr(whole, name)):
            continue
        bounds = correlation_interval(getattr(whole, name), [getattr(one, name) for one in parts])
        yield _row(name, "social_relations", n, getattr(whole, name), bounds, cells=count)


def similarity_rows(
    values: np.ndarray,
    matrices: dict[str, np.ndarray],
    names: Sequence[str],
    families: pd.Series,
    truth: set[str],
    permutations: int,
    of_prompts: Collection[str] = (),
) -> Iterator[dict]:
    """Correlation of the relationship parts, also over the noise ceiling, which measures `of_prompts` do not have.

    Measures that are defined for the same tasks share their permutations; where there are several such groups, the p that allows for all
    measures allows for their number too (Bonferroni).
    """
    response = seed_mean(values)
    groups: dict[tuple[int, ...], list[str]] = {}
    for measure, closeness in matrices.items():
        keep = tuple(usable(response, closeness))
        if reason := why_no_correlation(response, closeness, keep):
            yield _row(measure, "two_way", len(keep), NAN, cells=_count(response, closeness), reason=reason)
        else:
            groups.setdefault(keep, []).append(measure)
    tested = sum(any(measure not in truth for measure in measures) for measures in groups.values())
    for keep, measures in groups.items():
        part = np.ix_(keep, keep)
        inside = {measure: matrices[measure][part] for measure in measures}
        within, kin = values[np.ix_(range(len(values)), keep, keep)], [families[names[index]] for index in keep]
        yield from _tests(within, inside, kin, truth, permutations, tested, of_prompts)


def _count(one: np.ndarray, other: np.ndarray) -> int:
    """Cells that both matrices (n, n) have."""
    return int(np.isfinite(masked.alike(one, other)[0]).sum())


def _tests(
    values: np.ndarray,
    matrices: dict[str, np.ndarray],
    families: Sequence[str],
    truth: set[str],
    permutations: int,
    groups: int,
    of_prompts: Collection[str],
) -> Iterator[dict]:
    response, n, measures = seed_mean(values), values.shape[-1], list(matrices)
    observed = np.array([masked.correlation(response, closeness) for closeness in matrices.values()])
    left_out = [_left_out(response, closeness) for closeness in matrices.values()]
    bounds = [correlation_interval(value, rest) for value, rest in zip(observed, left_out, strict=True)]
    cells = [_count(response, closeness) for closeness in matrices.values()]
    over = Ceiling.of(values)
    for measure, value, rest, count in zip(measures, observed, left_out, cells, strict=True):
        estimate, own, reason = over.ratio(value, rest, measure in of_prompts)
        yield _row(measure, "disattenuated", n, estimate, own, cells=count, reason=reason)
    orders = permutation.relabellings(n, permutations, named_rng("statistics", "two_way", n))
    exact = permutation.is_exact(orders)
    null = masked.null_correlations(response, list(matrices.values()), orders)
    predicting = [index for index, measure in enumerate(measures) if measure not in truth]
    nulls = {"two_way": (null, exact, len(orders), permutation.max_t_p_values, "max_t")}
    if repeated(families):
        blocks = permutation.block_relabellings(families, permutations, named_rng("statistics", "blocks", n))
        null = masked.null_correlations(response, list(matrices.values()), blocks)
        nulls["two_way_blocks"] = null, False, len(blocks), permutation.min_p_values, "min_p"
    for test, (null, exact, count, allowing, name) in nulls.items():
        for index, p in enumerate(permutation.p_values(observed, null, exact)):
            yield _row(measures[index], test, n, observed[index], bounds[index], p, count, cells[index])
        adjusted = allowing(observed[predicting], null[:, predicting], exact) if predicting else np.empty(0)
        for index, p in zip(predicting, np.minimum(groups * adjusted, 1), strict=True):
            yield _row(measures[index], f"{test}_{name}", n, observed[index], bounds[index], p, count, cells[index])


def _left_out(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Correlation of the relationship parts without each task (n,), over the cells that both have; NaN where too few would be
    left."""
    n = len(one)
    if n <= FEWEST_TASKS:
        return np.full(n, NAN)

    def left_out(task: int) -> float:
        pair = without(one, task), without(other, task)
        return masked.correlation(*pair) if len(usable(*pair)) == n - 1 else NAN

    return leave_one_out(n, left_out)


def _agreement(collected: Sequence[Scores], families: pd.Series, permutations: int) -> Iterator[dict]:
    """Do two methods (or two protocols of one method) have the same relationship part? On every scale."""
    for a, b in combinations(collected, 2):
        if (a.method == b.method) == (a.protocol == b.protocol):
            continue
        method, protocol = ("~".join(sorted(set(pair))) for pair in ((a.method, b.method), (a.protocol, b.protocol)))
        for response in responses(a):
            common = {"response": response, "method": method, "protocol": protocol}
            one, other = seed_mean(matrix(a, response)), seed_mean(matrix(b, response))
            yield from (common | row for row in agreement_of(one, other, a.tasks, families, permutations))


def agreement_of(one: np.ndarray, other: np.ndarray, tasks: Sequence[str], families: pd.Series, permutations: int) -> Iterator[dict]:
    """`agreement_rows` of the tasks that have cells enough in both matrices (n, n), or why there is no agreement to tell."""
    keep = usable(one, other)
    if reason := why_no_correlation(one, other, keep, both_scores=True):
        yield _row("relationship", "agreement", len(keep), NAN, cells=_count(one, other), reason=reason)
        return
    part = np.ix_(keep, keep)
    own = [families[tasks[index]] for index in keep]
    yield from agreement_rows(one[part], other[part], own, permutations)


def agreement_rows(one: np.ndarray, other: np.ndarray, families: Sequence[str], permutations: int) -> Iterator[dict]:
    """Agreement of two matrices (n, n) of scores, by renaming any task and, where some share a family, beyond family."""
    n, value = len(one), masked.correlation(one, other)
    bounds = correlation_interval(value, _left_out(one, other))
    orders = {"agreement": permutation.relabellings(n, permutations, named_rng("statistics", "two_way", n))}
    if repeated(families):
        orders["agreement_blocks"] = permutation.block_relabellings(families, permutations, named_rng("statistics", "blocks", n))
    for test, relabelled in orders.items():
        null = masked.null_correlations(one, [other], relabelled)
        p = permutation.p_values(np.array([value]), null, permutation.is_exact(relabelled))[0]
        yield _row("relationship", test, n, value, bounds, p, len(relabelled), _count(one, other))


def regret_rows(scores: np.ndarray, matrices: dict[str, np.ndarray], permutations: int, unit: float = 100.0) -> Iterator[dict]:
    """Regret of each measure and both controls, p of losing no less than `ctrl_static`.

    In points of shares; `unit` is what a score is multiplied by, 1 for scores that are none.

    Intervals leave out each task as a source and as a target, since targets share sources: over targets alone they hold the
    truth in 67 to 94 of 100 cases. They are wide, as the best source jumps.

    A source that a measure has no value for is no candidate, for that measure and for the controls that it is held against.
    """
    keep = usable(scores)
    n = len(keep)
    if n < FEWEST_TASKS:
        return
    part = np.ix_(keep, keep)
    scores = unit * scores[part]
    static = static_list(scores)
    predictions = {"ctrl_static": static, "ctrl_random": no_preference(scores)}
    predictions |= {measure: closeness[part] for measure, closeness in matrices.items()}
    left_out = {"ctrl_static": np.stack([static_list(one) for one in without_each(scores)])}
    orders = permutation.relabellings(n, min(permutations, MOST_REGRETS), named_rng("statistics", "regret", n))
    for k in (k for k in TOP if n > k + 1):
        for measure, predicted in predictions.items():
            own = np.where(np.isfinite(predicted), scores, NAN)
            each = regrets(own, predicted, k)
            there = np.isfinite(each)
            cells, count = _count(own, predicted), int(there.sum())
            if not count:
                yield _row(measure, f"regret@{k}", 0, NAN, cells=cells, reason=NO_PAIR if measure in matrices else ALIKE_SOURCES)
                continue
            at_random = regrets(own, no_preference(scores), 1)
            ranked = left_out[measure] if measure in left_out else without_each(predicted)
            low, high = interval(each[there].mean(), _means(regrets(without_each(own), ranked, k)))
            p, renamed = (NAN, 0) if measure == "ctrl_static" else (outdone(scores, predicted, static, k, orders), len(orders))
            yield _row(measure, f"regret@{k}", count, each[there].mean(), (max(low, 0.0), high), p, renamed, cells)
            differs = there & differing(own)
            share, reason = ((each[differs] / at_random[differs]).mean(), "") if differs.any() else (NAN, ALIKE_SOURCES)
            yield _row(measure, f"regret@{k}_share", int(differs.sum()), share, cells=cells, reason=reason)


def _means(values: np.ndarray) -> np.ndarray:
    """Means (R,) of rows (R, n) over what there is; NaN where nothing is."""
    return seed_mean(values.T)
