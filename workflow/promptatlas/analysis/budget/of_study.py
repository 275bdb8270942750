"""Which pairs of tasks a study that is not finished should measure next, from the cells that it has."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from shlex import quote

import numpy as np
import pandas as pd

from promptatlas.analysis.budget.cells import FEWEST, Next, first_cells, next_cells
from promptatlas.analysis.statistics.matrices import similarity_matrices
from promptatlas.base.messages import counted
from promptatlas.records import cells
from promptatlas.study import pairs
from promptatlas.study.protocols import TEMPLATE
from promptatlas.study.study import Study


@dataclass(frozen=True)
class Measured:
    """What of one protocol and method is there: gains (N, N) in points over the zero-shot prompt on the same target, mean over the
    seeds that are measured, NaN where none is or where the zero-shot prompt is not; wanted, there: (N, N) the pairs that the study has,
    and those of them that have a score; own: (N, N) the same of tasks and themselves.
    """

    protocol: str
    method: str
    tasks: tuple[str, ...]
    gains: np.ndarray
    wanted: np.ndarray
    there: np.ndarray
    own: np.ndarray


def measured(study: Study) -> list[Measured]:
    """One per protocol and method that has pairs, in the study's order. UserError for a cell that is no whole one."""
    scores: dict[tuple[str, str], dict[tuple[str, str], list[float]]] = defaultdict(lambda: defaultdict(list))
    for cell in study.cells:
        path, pair = study.paths.cell(cell), scores[cell.protocol, cell.method][cell.source, cell.target]
        if path.exists() and (score := cells.read_own(path, cell)["score"]) is not None:
            pair.append(score)
    return [one for which, found in scores.items() if (one := _of(study.tasks, *which, found)).wanted.any()]


@dataclass(frozen=True)
class Plan:
    """What of one protocol and method to measure next. by: the similarities that were looked at; evenly: whether too few cells are measured
    for a forecast, so that they are spread over all tasks."""

    of: Measured
    coming: Sequence[Next]
    by: tuple[str, ...] = ()
    evenly: bool = False


def plans(study: Study, budget: int) -> list[Plan]:
    """The `budget` next pairs by protocol and method. The confirmatory similarities of the study (`statistics.primary`) are looked at where
    their table is there."""
    path = study.paths.table("similarity")[0]
    known = pd.read_parquet(path) if path.exists() else None
    return [_plan(one, budget, {} if known is None else _similarities(study, known, one)) for one in measured(study)]


def _plan(one: Measured, budget: int, near: dict[str, np.ndarray]) -> Plan:
    possible = one.wanted & ~one.there
    if not possible.any():
        return Plan(one, ())
    if np.isfinite(one.gains).sum() < FEWEST:
        return Plan(one, first_cells(one.there, budget, possible), evenly=True)
    return Plan(one, next_cells(one.gains, budget, possible, [*near.values()]), tuple(near))


def _similarities(study: Study, table: pd.DataFrame, one: Measured) -> dict[str, np.ndarray]:
    found = similarity_matrices(table, one.tasks, one.method)
    chosen = {name: found[name] for name in study.config["statistics"]["primary"] if name in found}
    return {name: values for name, values in chosen.items() if np.isfinite(values).any()}


def lines(found: Sequence[Plan]) -> list[str]:
    """What to print: by protocol and method how many pairs are measured, and the next ones as the options that name them."""
    return [line for plan in found for line in _lines(plan)] or ["this study has no pairs of tasks to measure"]


def _lines(plan: Plan) -> Iterator[str]:
    one = plan.of
    told = f"{one.protocol} {one.method}: {int(one.there.sum())} of {counted(int(one.wanted.sum()), 'pair')} measured"
    if not plan.coming:
        yield f"{told}, that is all"
    elif plan.evenly:
        yield f"{told}, where {FEWEST} are needed, with the zero-shot prompt beside them, to foretell gains; next, spread evenly:"
        yield from (f"  {_address(one, cell.source, cell.target)}" for cell in plan.coming)
    else:
        by = f" from similarity ({', '.join(plan.by)}) and gains" if plan.by else ""
        yield f"{told}; next, with the points expected{by}:"
        yield from (f"  {_address(one, cell.source, cell.target)}  +{cell.improvement:.1f}" for cell in plan.coming)


def listed(found: Iterable[Plan]) -> str:
    """The file for the key `pairs`: what is measured and what is next."""
    return pairs.text(
        (one.protocol, one.method, one.tasks[source], one.tasks[target])
        for plan in found
        for one in [plan.of]
        for source, target in [*np.argwhere(one.there | one.own).tolist(), *((cell.source, cell.target) for cell in plan.coming)]
    )


def _of(tasks: tuple[str, ...], protocol: str, method: str, scores: dict[tuple[str, str], list[float]]) -> Measured:
    number = {task: index for index, task in enumerate(tasks)}
    gains = np.full((len(tasks), len(tasks)), np.nan)
    wanted, there, own = (np.zeros(gains.shape, dtype=bool) for _ in range(3))
    for (source, target), found in scores.items():
        if source == target:
            own[number[target], number[target]] = bool(found)
        elif source in number:
            pair = number[source], number[target]
            wanted[pair], there[pair] = True, bool(found)
            hand_written = scores.get((TEMPLATE, target))
            if found and hand_written:
                gains[pair] = 100 * (np.mean(found) - np.mean(hand_written))
    return Measured(protocol, method, tasks, gains, wanted, there, own)


def _address(one: Measured, source: int, target: int) -> str:
    words = {"protocol": one.protocol, "method": one.method, "source": one.tasks[source], "target": one.tasks[target]}
    return " ".join(f"--{name} {quote(word)}" for name, word in words.items())
