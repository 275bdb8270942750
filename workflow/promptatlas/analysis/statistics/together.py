"""The table `explained`: what several measures of similarity together explain of who helps whom.

A row per set of measures and `what`: `together` (share of the relationship part that all explain, R^2), `together_blocks` (its p
beyond family), `by_chance` (mean share under relabelling), `ceiling` (the most that can be explained: the reliability, the rest changes
with the seeds), `of_ceiling` (R^2 over it); and per measure: `coefficient` (standardised; p by double semi-partialling),
`coefficient_blocks`, `alone` (share that it explains alone), `adds` (share that is lost without it), `inflation` (of the coefficient's
variance, by what it has in common with the others).
Sets: `families` (one measure of each family, named beforehand), `strongest` (of each family the one that correlates most with these
scores; the relabelling repeats that choice for the p of R^2, and coefficients have none), `named` (by the configuration), `given` (all
that are given beside a matrix). All are over the cells that every measure of the set has. Intervals leave out one task at a time.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from promptatlas.analysis.statistics import masked, permutation, semipartial
from promptatlas.analysis.statistics.ceiling import Ceiling
from promptatlas.analysis.statistics.families import of_tasks, repeated
from promptatlas.analysis.statistics.jackknife import interval, share_interval, without
from promptatlas.analysis.statistics.matrices import collect, seeded, similarity_matrices
from promptatlas.analysis.statistics.reasons import ABOVE_ONE, NOISE_IN_BOTH, TOO_FEW, TOO_MANY, why_no_correlation
from promptatlas.analysis.statistics.relations import FEWEST_TASKS, off_diagonal, usable
from promptatlas.analysis.statistics.scales import matrix, responses, seed_mean
from promptatlas.base.rng import named_rng
from promptatlas.evaluation.similarity import TRUTH
from promptatlas.evaluation.similarity.registry import FAMILIES
from promptatlas.study import schema

COLUMNS = (
    "response", "method", "protocol", "set", "measure", "what", "estimate", "low", "high", "p", "n_tasks", "n_cells", "n_permutations",
    "reason",
)  # fmt: skip
AUTO = "auto"
STRONGEST = "strongest"
USUAL = ("vis_frechet", "lab_cover", "pr_delta")  # of each family the one that stands for it, where none is confirmatory
NAN = float("nan")
CHOSEN = "chosen on these scores, so that its own p would be too small"
INDISTINCT = "nothing is left of it beside the measures before it"


def explain(
    transfer: pd.DataFrame,
    similarity: pd.DataFrame,
    tasks: pd.DataFrame,
    permutations: int | None = None,
    together: str | Sequence[str] | None = None,
    primary: Sequence[str] | None = None,
    baselines: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """The table `explained` of a study from its tables. together: the measures of the set `named`, or "auto" for the sets `families` and,
    if it is another, `strongest`; what is not given is as in a configuration that says nothing of it."""
    usual = schema.usual("statistics")
    permutations = usual["permutations"] if permutations is None else permutations
    together = usual["together"] if together is None else together
    primary = usual["primary"] if primary is None else primary
    kin = of_tasks(tasks)
    rows: list[dict] = []
    for scores in collect(transfer, tasks, baselines):
        known = similarity[similarity["family"] != TRUTH] if together == AUTO else similarity
        matrices = similarity_matrices(known, scores.tasks, scores.method)
        family = known.drop_duplicates("measure").set_index("measure")["family"].to_dict()
        families, of_prompts = [kin[task] for task in scores.tasks], seeded(known, scores.method)
        for response in responses(scores):
            values = matrix(scores, response)
            for name, measures in sets(values, matrices, family, together, primary).items():
                common = {"response": response, "method": scores.method, "protocol": scores.protocol, "set": name}
                chosen = {measure: matrices.get(measure, np.full(values.shape[1:], NAN)) for measure in measures}
                chosen_from = with_links(seed_mean(values), matrices) if name == STRONGEST else {}
                groups = {measure: family[measure] for measure in chosen_from}
                found = explained_rows(values, chosen, families, permutations, of_prompts, chosen_from, groups)
                rows += [common | row for row in found]
    return table_of(rows)


def table_of(rows: Sequence[dict]) -> pd.DataFrame:
    """The table `explained` from its rows."""
    kinds: dict[str, type] = dict.fromkeys(COLUMNS, str) | dict.fromkeys(("estimate", "low", "high", "p"), float)
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(kinds | dict.fromkeys(("n_tasks", "n_cells", "n_permutations"), int))


def records(explained: pd.DataFrame, response: str) -> list[dict]:
    """The table `explained` on one scale for summary.json: a dict per method, protocol and set, with its numbers by `what` and a list
    of its measures, those that tell something before those that cannot be told."""
    found = []
    rows = explained[explained["response"] == response]
    for (method, protocol, name), part in rows.groupby(["method", "protocol", "set"], sort=False):
        whole, single = part[part["measure"] == ""], part[part["measure"] != ""]
        about = {"method": method, "protocol": protocol, "set": name, "n_permutations": int(part["n_permutations"].max())}
        about |= {key: int((whole if len(whole) else part)[key].max()) for key in ("n_tasks", "n_cells")}
        measures = [{"measure": measure} | _by_what(own) for measure, own in single.groupby("measure", sort=False)]
        measures.sort(key=lambda one: "alone" not in one)
        found.append(about | _by_what(whole) | {"measures": measures})
    return found


def _by_what(rows: pd.DataFrame) -> dict[str, dict]:
    return rows.set_index("what")[["estimate", "low", "high", "p", "reason"]].to_dict("index")


def sets(
    values: np.ndarray,
    matrices: Mapping[str, np.ndarray],
    family: Mapping[str, str],
    together: str | Sequence[str] = AUTO,
    primary: Sequence[str] = (),
) -> dict[str, list[str]]:
    """Name -> measures of each set for scores (S, n, n); of those in `matrices`, measure -> (n, n), with `family` by measure."""
    if together != AUTO:
        return {"named": list(together)}
    response = seed_mean(values)
    tested = with_links(response, matrices)
    groups = [[measure for measure in tested if family[measure] == kind] for kind in FAMILIES]
    groups = [group for group in groups if group]
    preferred = [*primary, *USUAL]
    standing = [next((one for one in preferred if one in group), group[0]) for group in groups]
    found = {"families": standing} if standing else {}
    if any(len(group) > 1 for group in groups):
        links = {measure: abs(masked.correlation(*_shared(response, one))) for measure, one in tested.items()}
        strongest = [max(group, key=lambda measure: links[measure]) for group in groups]
        if strongest != standing:
            found[STRONGEST] = strongest
    return found


def with_links(response: np.ndarray, matrices: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Those measures, of measure -> (n, n), that have a correlation with the response (n, n) at all."""
    return {measure: one for measure, one in matrices.items() if not why_no_correlation(response, one, usable(response, one))}


def _shared(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both matrices among the tasks that have cells enough in both."""
    keep = usable(one, other)
    part = np.ix_(keep, keep)
    return one[part], other[part]


def explained_rows(
    values: np.ndarray,
    matrices: Mapping[str, np.ndarray],
    families: Sequence[str],
    permutations: int,
    of_prompts: Collection[str] = (),
    chosen_from: Mapping[str, np.ndarray] | None = None,
    groups: Mapping[str, str] | None = None,
) -> Iterator[dict]:
    """Rows of one set: measure -> (n, n), against scores (S, n, n) of tasks of `families` (n,). of_prompts: measures with noise of the
    same seeds. chosen_from, groups: measure -> (n, n) and -> family, of which those of the set were chosen on these scores.
    """
    response = seed_mean(values)
    predictors = with_links(response, matrices)
    for measure in (measure for measure in matrices if measure not in predictors):
        keep = usable(response, matrices[measure])
        yield _row(measure, "coefficient", len(keep), 0, reason=why_no_correlation(response, matrices[measure], keep))
    if not predictors:
        return
    keep = usable(response, *predictors.values())
    n, part = len(keep), np.ix_(keep, keep)
    response, values, families = response[part], values[:, keep[:, None], keep], [families[index] for index in keep]
    predictors = {measure: one[part] for measure, one in predictors.items()}
    cells = _cells(response, *predictors.values())
    if n < FEWEST_TASKS or cells <= 2 * n + len(predictors):
        yield _row("", "together", n, cells, reason=TOO_FEW if n < FEWEST_TASKS else TOO_MANY)
        return
    for measure, apart in zip(list(predictors), semipartial.distinct(list(predictors.values())), strict=True):
        if not apart:
            del predictors[measure]
            yield _row(measure, "coefficient", n, cells, reason=INDISTINCT)
    orders = {"": permutation.relabellings(n, permutations, named_rng("statistics", "two_way", n))}
    if repeated(families):
        orders["_blocks"] = permutation.block_relabellings(families, permutations, named_rng("statistics", "blocks", n))
    pool = {measure: one[part] for measure, one in (chosen_from or {}).items() if len(usable(one[part])) == n}
    whole = semipartial.fit(semipartial.products([response, *predictors.values()]))
    left_out = [] if pool else _left_out(response, list(predictors.values()))
    yield from _of_all(whole, left_out, response, predictors, orders, pool, [(groups or {})[measure] for measure in pool], cells)
    yield from _under_ceiling(whole, left_out, values, sorted(predictors.keys() & {*of_prompts}), cells)
    yield from _of_each(whole, left_out, response, predictors, orders, bool(pool), cells)


def _cells(*matrices: np.ndarray) -> int:
    """Cells that all matrices (n, n) have."""
    return int(np.isfinite(off_diagonal(np.stack(matrices))).all(axis=0).sum())


def _row(
    measure: str, what: str, n: int, cells: int, estimate: float = NAN, bounds: tuple[float, float] = (NAN, NAN), p: float = NAN,
    permutations: int = 0, reason: str = "",
) -> dict:  # fmt: skip
    return {
        "measure": measure, "what": what, "estimate": float(estimate), "low": bounds[0], "high": bounds[1], "p": float(p), "n_tasks": n,
        "n_cells": cells, "n_permutations": permutations, "reason": reason,
    }  # fmt: skip


def _left_out(response: np.ndarray, predictors: Sequence[np.ndarray]) -> list[semipartial.JointFit | None]:
    """The regression without each task; None where too little would be left, and none at all of four tasks."""
    n = len(response)
    if n <= FEWEST_TASKS:
        return []

    def one(task: int) -> semipartial.JointFit | None:
        rest = [without(values, task) for values in (response, *predictors)]
        if len(usable(*rest)) < n - 1 or not all(semipartial.distinct(rest[1:])):
            return None
        products = semipartial.products(rest)
        return semipartial.fit(products) if np.isfinite(products).all() else None

    return [one(task) for task in range(n)]


def _of_all(
    whole: semipartial.JointFit,
    left_out: Sequence[semipartial.JointFit | None],
    response: np.ndarray,
    predictors: Mapping[str, np.ndarray],
    orders: Mapping[str, np.ndarray],
    pool: Mapping[str, np.ndarray],
    groups: Sequence[str],
    cells: int,
) -> Iterator[dict]:
    n = len(response)
    bounds = share_interval(whole.share, [NAN if one is None else min(one.share, 1.0) for one in left_out])
    for kind, relabelled in orders.items():
        if pool:
            null = semipartial.null_chosen_shares(response, list(pool.values()), groups, relabelled)
        else:
            null = semipartial.null_shares(response, list(predictors.values()), relabelled)
        p = permutation.p_values(np.array([whole.share]), null[:, None], permutation.is_exact(relabelled))[0]
        yield _row("", f"together{kind}", n, cells, whole.share, bounds, p, len(relabelled))
        if not kind:
            yield _row("", "by_chance", n, cells, null.mean(), permutations=len(relabelled))


def _under_ceiling(
    whole: semipartial.JointFit, left_out: Sequence[semipartial.JointFit | None], values: np.ndarray, of_prompts: Sequence[str], cells: int
) -> Iterator[dict]:
    """The reliability of scores (S, n, n), and R^2 as a share of it."""
    n, over = values.shape[-1], Ceiling.of(values)
    yield _row("", "ceiling", n, cells, over.reliability, over.interval(), reason=over.reason)
    if of_prompts or over.reason:
        reason = over.reason or f"{', '.join(of_prompts)}: {NOISE_IN_BOTH}"
        yield _row("", "of_ceiling", n, cells, reason=reason)
        return
    estimate = whole.share / over.reliability
    shares = [NAN if one is None or not known > 0 else one.share / known for one, known in zip(left_out, over.left_out, strict=False)]
    low, high = interval(estimate, shares)
    yield _row("", "of_ceiling", n, cells, estimate, (max(low, 0.0), high), reason=ABOVE_ONE if estimate > 1 else "")


def _of_each(
    whole: semipartial.JointFit,
    left_out: Sequence[semipartial.JointFit | None],
    response: np.ndarray,
    predictors: Mapping[str, np.ndarray],
    orders: Mapping[str, np.ndarray],
    chosen: bool,
    cells: int,
) -> Iterator[dict]:
    n, reason = len(response), CHOSEN if chosen else ""
    p: dict[str, np.ndarray] = {}
    for kind, relabelled in orders.items() if not chosen else ():
        observed, null = semipartial.null_partials(response, list(predictors.values()), relabelled)
        p[kind] = permutation.p_values(observed, null, permutation.is_exact(relabelled))
    for k, measure in enumerate(predictors):
        coefficients, adds = (
            [NAN if one is None else float(getattr(one, field)[k]) for one in left_out] for field in ("coefficient", "adds")
        )
        bounds = interval(whole.coefficient[k], coefficients)
        for kind, values in p.items():
            yield _row(measure, f"coefficient{kind}", n, cells, whole.coefficient[k], bounds, values[k], len(orders[kind]))
        if chosen:
            yield _row(measure, "coefficient", n, cells, whole.coefficient[k], reason=reason)
        yield _row(measure, "alone", n, cells, whole.alone[k])
        bounds = share_interval(min(whole.adds[k], 1.0), np.clip(adds, 0, 1))
        count = 0 if chosen else len(orders[""])
        yield _row(measure, "adds", n, cells, whole.adds[k], bounds, NAN if chosen else p[""][k], count, reason)
        yield _row(measure, "inflation", n, cells, whole.inflation[k])
