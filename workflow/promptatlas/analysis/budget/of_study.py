"""Which pairs of tasks a study that is not finished should measure next, from the cells that it has."""

from collections import defaultdict
from dataclasses import dataclass
from shlex import quote

import numpy as np

from promptatlas.analysis.budget.cells import FEWEST, next_cells
from promptatlas.base.messages import counted
from promptatlas.records import cells
from promptatlas.study.protocols import TEMPLATE
from promptatlas.study.study import Study


@dataclass(frozen=True)
class Measured:
    """What of one protocol and method is there: gains (N, N) in points over the hand-written prompt on the same target, mean over the
    seeds that are measured, NaN where none is or where the hand-written prompt is not; wanted, there: (N, N) the pairs that the study has,
    and those of them that have a score.
    """

    protocol: str
    method: str
    tasks: tuple[str, ...]
    gains: np.ndarray
    wanted: np.ndarray
    there: np.ndarray


def measured(study: Study) -> list[Measured]:
    """One per protocol and method that has pairs, in the study's order. UserError for a cell that is no whole one."""
    scores: dict[tuple[str, str], dict[tuple[str, str], list[float]]] = defaultdict(lambda: defaultdict(list))
    for cell in study.cells:
        path, pair = study.paths.cell(cell), scores[cell.protocol, cell.method][cell.source, cell.target]
        if path.exists() and (score := cells.read_own(path, cell)["score"]) is not None:
            pair.append(score)
    return [one for which, found in scores.items() if (one := _of(study.tasks, *which, found)).wanted.any()]


def lines(study: Study, budget: int) -> list[str]:
    """What to print: by protocol and method how many pairs are measured, and the `budget` next ones as the options that name them."""
    out = []
    for one in measured(study):
        known, wanted = int(one.there.sum()), int(one.wanted.sum())
        told = f"{one.protocol} {one.method}: {known} of {counted(wanted, 'pair')} measured"
        if known == wanted:
            out.append(f"{told}, that is all")
        elif np.isfinite(one.gains).sum() < FEWEST:
            out.append(f"{told}; {FEWEST} are needed, on targets where the hand-written prompt is measured too, to say which are next")
        else:
            coming = next_cells(one.gains, budget, one.wanted & ~one.there)
            out += [
                f"{told}; next, with the points expected:",
                *(f"  {_address(one, cell.source, cell.target)}  +{cell.improvement:.1f}" for cell in coming),
            ]
    return out or ["this study has no pairs of tasks to measure"]


def _of(tasks: tuple[str, ...], protocol: str, method: str, scores: dict[tuple[str, str], list[float]]) -> Measured:
    number = {task: index for index, task in enumerate(tasks)}
    gains = np.full((len(tasks), len(tasks)), np.nan)
    wanted, there = np.zeros(gains.shape, dtype=bool), np.zeros(gains.shape, dtype=bool)
    for (source, target), found in scores.items():
        if source in number and source != target:
            pair = number[source], number[target]
            wanted[pair], there[pair] = True, bool(found)
            hand_written = scores.get((TEMPLATE, target))
            if found and hand_written:
                gains[pair] = 100 * (np.mean(found) - np.mean(hand_written))
    return Measured(protocol, method, tasks, gains, wanted, there)


def _address(one: Measured, source: int, target: int) -> str:
    words = {"protocol": one.protocol, "method": one.method, "source": one.tasks[source], "target": one.tasks[target]}
    return " ".join(f"--{name} {quote(word)}" for name, word in words.items())
