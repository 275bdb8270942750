"""A measured transfer matrix beside the printed one: do they agree?

Both are read on the paper's scale, share of the best score in the target's column, over the tasks that both have; scores are means over
seeds.
Columns differ most (how easy a target is), so the rank correlation of all cells says little by itself; that of the
relationship parts, freed of sources and targets, says more.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from promptatlas.analysis import published
from promptatlas.analysis.statistics import masked, permutation
from promptatlas.analysis.statistics.families import repeated
from promptatlas.analysis.statistics.matrices import Scores, among
from promptatlas.analysis.statistics.relations import usable
from promptatlas.analysis.statistics.scales import seed_mean, shares_of_means
from promptatlas.base.rng import named_rng
from promptatlas.study.protocols import FROZEN

FEWEST_SHARED = 5


@dataclass(frozen=True)
class Beside:
    """measured, printed: (n, n) column ratios over the shared `tasks`; measured is NaN where a cell is missing."""

    method: str
    tasks: tuple[str, ...]
    measured: np.ndarray
    printed: np.ndarray


def beside(scores: Scores, order: Sequence[str]) -> Beside | None:
    """The two matrices with the tasks in `order`; None where the paper has no such method or too few of the tasks."""
    if scores.protocol != FROZEN.name or scores.method not in published.methods():
        return None
    printed = published.fig4(scores.method)
    shared = np.array([scores.tasks.index(name) for name in order if name in printed.index], dtype=int)
    if len(shared) < FEWEST_SHARED:
        return None
    shared = shared[usable(seed_mean(scores.score)[np.ix_(shared, shared)])]
    if len(shared) < FEWEST_SHARED:
        return None
    part = among(scores, shared)
    values = printed.loc[list(part.tasks), list(part.tasks)].to_numpy()
    return Beside(part.method, part.tasks, shares_of_means(part.score, {})[0], values / values.max(axis=0))


def compare(collected: Sequence[Scores], order: Sequence[str], families: Mapping[str, str], permutations: int) -> dict | None:
    """What summary.json says under `published`; None where no method can be compared.

    families: by task, as `statistics.families.of_tasks` gives them. p is two-sided, from renaming the tasks of the printed
    matrix: any task and, where some share a family, beyond family (`p_blocks`, else NaN).
    """
    pairs = [pair for scores in collected if (pair := beside(scores, order)) is not None]
    if not pairs:
        return None
    return {
        "source": published.SOURCE,
        "precision": published.PRECISION,
        "protocol": FROZEN.name,
        "by_method": [_compared(pair, [families[task] for task in pair.tasks], permutations) for pair in pairs],
    }


def _compared(pair: Beside, families: Sequence[str], permutations: int) -> dict:
    n = len(pair.tasks)
    orders = {"p": permutation.relabellings(n, permutations, named_rng("statistics", "published", n))}
    if repeated(families):
        orders["p_blocks"] = permutation.block_relabellings(families, permutations, named_rng("statistics", "published_blocks", n))
    there = np.isfinite(pair.measured) & ~np.eye(n, dtype=bool)
    kinds = {"": [], "relationship_": [masked.residuals_on(there)]}
    found = dict.fromkeys(f"{kind}{p}" for kind in kinds for p in ("p", "p_blocks"))
    for kind, part in kinds.items():
        for p, relabelled in orders.items():
            found[f"{kind}rank_correlation"], found[f"{kind}{p}"] = rank_correlation(pair.measured, pair.printed, there, relabelled, *part)
    return {
        "method": pair.method,
        "tasks": pair.tasks,
        "measured": pair.measured.tolist(),
        "published": pair.printed.tolist(),
        "n_tasks": n,
        "n_cells": int(there.sum()),
        **found,
        "n_permutations": len(orders["p"]),
    }


def rank_correlation(
    one: np.ndarray,
    other: np.ndarray,
    there: np.ndarray,
    orders: np.ndarray,
    part: Callable[[np.ndarray], np.ndarray] = lambda values: values,
) -> tuple[float, float]:
    """Spearman's correlation of the same `part` of two matrices (n, n) over the cells `there`, and its p by relabelling `other`.

    `other` has no gaps off the diagonal; `orders` are (R, n).
    """
    left = _unit_ranks(part(one)[there][None])[0]
    observed = (_unit_ranks(part(other)[there][None]) @ left)[0]
    moved = (part(other[order[:, :, None], order[:, None, :]])[:, there] for order in permutation.chunks(orders))
    null = np.concatenate([_unit_ranks(values) @ left for values in moved])[:, None]
    p = permutation.p_values(np.array([observed]), null, permutation.is_exact(orders))[0]
    return float(observed), float(p)


def _unit_ranks(values: np.ndarray) -> np.ndarray:
    """Centred ranks (R, m) along the last axis, scaled to length one; NaN where all are equal."""
    from scipy.stats import rankdata  # slow to import, and every page imports this file

    ranks = rankdata(values, axis=-1)
    ranks -= ranks.mean(axis=-1, keepdims=True)
    length = np.linalg.norm(ranks, axis=-1, keepdims=True)
    return np.divide(ranks, length, out=np.full(ranks.shape, np.nan), where=length > 0)
