"""The table `statistics`: every estimate with its interval and p. Knows nothing of how any of them is computed.

Tests by name: `variance_share`, `reliability`, `social_relations` (giver-receiver and reciprocity correlations), `two_way`
(permutation p, jackknife interval), `two_way_max_t` (the same, p adjusted for all measures), `two_way_blocks` (p of
"beyond family"), `agreement` (between methods or protocols, their names joined by `~`), `regret@k` (points; p against the
static list) and `regret@k_share` (mean over targets; 0 = best source known, 1 = one
random pick). `p_holm` allows for all confirmatory tests of the study, over methods, protocols and primary measures.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from promptatlas.errors import UserError
from promptatlas.statistics import permutation
from promptatlas.statistics.jackknife import correlation_interval, interval, leave_one_out, without
from promptatlas.statistics.matrices import Scores, collect, similarity_matrices
from promptatlas.statistics.regret import no_preference, regrets, static_list
from promptatlas.statistics.relations import FEWEST_TASKS, usable
from promptatlas.statistics.reliability import decompose
from promptatlas.statistics.scales import PRIMARY, RESPONSES, matrix, seed_mean
from promptatlas.streams import stream

COLUMNS = (
    "response", "method", "protocol", "measure", "estimate", "low", "high", "p", "test", "n_tasks", "n_permutations",
    "confirmatory", "p_holm",
)  # fmt: skip
CONFIRMATORY_MEASURES = ("vis_frechet", "lab_cover")
TOP = (1, 3, 5)
NAN = float("nan")


def analyse(
    transfer: pd.DataFrame,
    similarity: pd.DataFrame,
    tasks: pd.DataFrame,
    permutations: int = 9999,
    primary: Sequence[str] = CONFIRMATORY_MEASURES,
) -> pd.DataFrame:
    """The table `statistics` of a study from its tables `transfer`, `similarity` and `tasks`.

    Confirmatory are the measures named in `primary`, on the primary scale, by the `two_way` test; all else explores.
    Tasks with fewer than two measured cells as source or as target are left out (see `n_tasks`).
    """
    if permutations < 1:
        raise UserError(f"'permutations' is {permutations}; give a whole number of at least 1 (9999 is usual)")
    families = tasks.set_index("task")["family"]
    truth = set(similarity.loc[similarity["family"] == "truth", "measure"])
    collected = collect(transfer, tasks)
    rows: list[dict] = []
    for scores in collected:
        matrices = similarity_matrices(similarity, scores.tasks, scores.method)
        for response in RESPONSES:
            common = {"response": response, "method": scores.method, "protocol": scores.protocol}
            values = matrix(scores, response)
            rows += [common | row for row in _variance(values)]
            for row in _similarity(values, matrices, scores.tasks, families, truth, permutations):
                confirmatory = row["test"] == "two_way" and response == PRIMARY and row["measure"] in primary
                rows.append(common | row | {"confirmatory": confirmatory})
        common = {"response": "raw", "method": scores.method, "protocol": scores.protocol}
        rows += [common | row for row in _regret(seed_mean(scores.score), matrices, permutations)]
    rows += list(_agreement(collected, permutations))
    kinds = dict.fromkeys(COLUMNS, str) | dict.fromkeys(("estimate", "low", "high", "p", "p_holm"), float)
    kinds |= {"n_tasks": int, "n_permutations": int, "confirmatory": bool}
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype(kinds)
    confirmatory = table["confirmatory"]
    table.loc[confirmatory, "p_holm"] = permutation.holm(table.loc[confirmatory, "p"].to_numpy())
    return table


def _row(
    measure: str, test: str, n: int, estimate: float, bounds=(NAN, NAN), p: float = NAN, permutations: int = 0
) -> dict:
    return {
        "measure": measure, "estimate": float(estimate), "low": bounds[0], "high": bounds[1], "p": float(p), "test": test,
        "n_tasks": n, "n_permutations": permutations, "confirmatory": False, "p_holm": NAN,
    }  # fmt: skip


def _variance(values: np.ndarray) -> Iterator[dict]:
    keep = usable(seed_mean(values))
    n = len(keep)
    if n < FEWEST_TASKS:
        return
    values = values[:, keep[:, None], keep]
    whole = decompose(values)
    if not np.isfinite(whole.relationship):
        return
    parts = [decompose(without(values, task)) for task in range(n)] if n > FEWEST_TASKS else []
    shares = [one.shares() for one in parts]
    for part, share in whole.shares().items():
        low, high = interval(share, [one.get(part, NAN) for one in shares])
        yield _row(part, "variance_share", n, share, (max(low, 0.0), min(high, 1.0)))
    if np.isfinite(whole.reliability):
        low, high = interval(whole.reliability, [one.reliability for one in parts])
        yield _row("relationship", "reliability", n, whole.reliability, (low, min(high, 1.0)))
    for name in ("giver_receiver", "reciprocity"):
        if not np.isfinite(getattr(whole, name)):
            continue
        bounds = correlation_interval(getattr(whole, name), [getattr(one, name) for one in parts])
        yield _row(name, "social_relations", n, getattr(whole, name), bounds)


def _similarity(
    values: np.ndarray,
    matrices: dict[str, np.ndarray],
    names: Sequence[str],
    families: pd.Series,
    truth: set[str],
    permutations: int,
) -> Iterator[dict]:
    """Correlation of the relationship parts. Measures that are defined for the same tasks share their permutations."""
    response = seed_mean(values)
    groups: dict[tuple[int, ...], list[str]] = {}
    for measure, closeness in matrices.items():
        groups.setdefault(tuple(usable(response, closeness)), []).append(measure)
    for keep, measures in groups.items():
        if len(keep) < FEWEST_TASKS:
            continue
        part = np.ix_(keep, keep)
        inside = {measure: matrices[measure][part] for measure in measures}
        yield from _tests(response[part], inside, [families[names[index]] for index in keep], truth, permutations)


def _tests(
    response: np.ndarray, matrices: dict[str, np.ndarray], families: Sequence[str], truth: set[str], permutations: int
) -> Iterator[dict]:
    n = len(response)
    left = permutation.residual(response)
    residuals = {measure: permutation.residual(closeness) for measure, closeness in matrices.items()}
    measures = [measure for measure, one in residuals.items() if np.isfinite(one + left).all()]
    if not measures:
        return
    predictors = np.stack([residuals[measure] for measure in measures])
    observed = (predictors * left).sum(axis=(1, 2))
    bounds = [
        correlation_interval(value, _left_out(response, matrices[measure]))
        for measure, value in zip(measures, observed, strict=True)
    ]
    orders = permutation.relabellings(n, permutations, stream("statistics", "two_way", n))
    exact = permutation.is_exact(orders)
    null = permutation.null_correlations(left, predictors, orders)
    predicting = [index for index, measure in enumerate(measures) if measure not in truth]
    blocks = permutation.block_relabellings(families, permutations, stream("statistics", "blocks", n))
    within = permutation.p_values(observed, permutation.null_correlations(left, predictors, blocks), exact=False)
    for index, p in enumerate(permutation.p_values(observed, null, exact)):
        yield _row(measures[index], "two_way", n, observed[index], bounds[index], p, len(orders))
    if predicting:
        adjusted = permutation.max_t_p_values(observed[predicting], null[:, predicting], exact)
        for index, p in zip(predicting, adjusted, strict=True):
            yield _row(measures[index], "two_way_max_t", n, observed[index], bounds[index], p, len(orders))
    if len(set(families)) < n:
        for index, p in enumerate(within):
            yield _row(measures[index], "two_way_blocks", n, observed[index], bounds[index], p, len(blocks))


def _left_out(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Correlation of the relationship parts without each task (n,); NaN where too few cells would be left."""
    n = len(one)
    if n <= FEWEST_TASKS:
        return np.full(n, NAN)

    def left_out(task: int) -> float:
        pair = without(one, task), without(other, task)
        if any(len(usable(values)) < n - 1 for values in pair):
            return NAN
        return permutation.correlation(*pair)

    return leave_one_out(n, left_out)


def _agreement(collected: Sequence[Scores], permutations: int) -> Iterator[dict]:
    """Do two methods (or two protocols of one method) have the same relationship part? On every scale."""
    for a, b in combinations(collected, 2):
        if (a.method == b.method) == (a.protocol == b.protocol):
            continue
        for response in RESPONSES:
            one, other = seed_mean(matrix(a, response)), seed_mean(matrix(b, response))
            keep = usable(one, other)
            if len(keep) < FEWEST_TASKS:
                continue
            one, other = one[np.ix_(keep, keep)], other[np.ix_(keep, keep)]
            left, right = permutation.residual(one), permutation.residual(other)
            value = (left * right).sum()
            if not np.isfinite(value):
                continue
            orders = permutation.relabellings(len(keep), permutations, stream("statistics", "two_way", len(keep)))
            null = permutation.null_correlations(left, right[None], orders)
            p = permutation.p_values(np.array([value]), null, permutation.is_exact(orders))[0]
            row = _row(
                "relationship",
                "agreement",
                len(keep),
                value,
                correlation_interval(value, _left_out(one, other)),
                p,
                len(orders),
            )
            method, protocol = (
                "~".join(sorted(set(pair))) for pair in ((a.method, b.method), (a.protocol, b.protocol))
            )
            yield {"response": response, "method": method, "protocol": protocol} | row


def _regret(scores: np.ndarray, matrices: dict[str, np.ndarray], permutations: int) -> Iterator[dict]:
    """Regret of each measure and both controls in points; intervals over targets, p of the differences to `ctrl_static`."""
    keep = usable(scores)
    n = len(keep)
    if n < FEWEST_TASKS:
        return
    part = np.ix_(keep, keep)
    scores = 100 * scores[part]
    predictions = {"ctrl_static": static_list(scores), "ctrl_random": no_preference(scores)}
    predictions |= {measure: closeness[part] for measure, closeness in matrices.items()}
    at_random = regrets(scores, no_preference(scores), 1)
    for k in (k for k in TOP if n > k + 1):
        by_target = {measure: regrets(scores, predicted, k) for measure, predicted in predictions.items()}
        for measure, each in by_target.items():
            there = np.isfinite(each)
            if not there.any():
                continue
            each, difference = each[there], (each - by_target["ctrl_static"])[there]
            low, high = interval(
                each.mean(), leave_one_out(len(each), lambda target, each=each: np.delete(each, target).mean())
            )
            p, count = NAN, 0
            if measure != "ctrl_static":
                rng, count = stream("statistics", "sign_flip", n), permutations
                p = permutation.sign_flip_p_value(difference, count, rng)
            yield _row(measure, f"regret@{k}", n, each.mean(), (max(low, 0.0), high), p, count)
            differs = at_random[there] > 0
            if differs.any():
                yield _row(measure, f"regret@{k}_share", n, (each / at_random[there])[differs].mean())
