"""Which tasks to train jointly: a partition of all tasks into groups of at most four.

What a task gains in a group is taken to be the mean of the gains that its partners give it one by one (higher-order approximation, HOA:
Standley et al. 2020), and a task on its own gains 0. The best partition is an exact set
partition: maximise ``sum v(g) z_g`` with ``sum over g that hold t of z_g = 1`` for every task t. That a pair helps each other when one
prompt is reused or started from is no proof that training both at once does: what comes out is a plan to try.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from math import comb

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from promptatlas.analysis.budget.sources import DRAWS, FINE, RANDOM, Judged
from promptatlas.analysis.statistics.relations import off_diagonal
from promptatlas.analysis.statistics.scales import seed_mean
from promptatlas.base.errors import UserError
from promptatlas.base.rng import named_rng

LARGEST, MOST = 4, 60_000  # tasks in a group, groups to choose from: 35 tasks in groups of four

Partition = tuple[tuple[int, ...], ...]


def partition(gains: np.ndarray, largest: int = LARGEST, most: int | None = None) -> Partition:
    """The best groups of at most `largest` tasks, at most `most` of them if given, from gains (n, n); each by index, ascending.

    A group needs the gains of all its pairs in both directions, so one with a missing (NaN) pair is no option. The diagonal is not
    looked at. UserError if there are more than `MOST` possible groups, or if no partition into so few groups exists.
    """
    gains, count = off_diagonal(np.asarray(gains, dtype=np.float64)), len(gains)
    if np.isinf(gains).any():
        raise UserError("gains hold an infinite number; give NaN where a pair is missing")
    if largest < 1:
        raise UserError(f"groups of at most {largest} tasks hold nothing; let them have 1 or more")
    possible = sum(comb(count, size) for size in range(1, largest + 1))
    if possible > MOST:
        raise UserError(
            f"{count} tasks make {possible:,} groups of up to {largest}, more than the {MOST:,} that are searched; "
            "give fewer tasks or smaller groups"
        )
    groups, value = _candidates(gains, largest, most is not None)
    member = csr_array(
        (np.ones(sum(map(len, groups))), (np.concatenate(groups), np.repeat(np.arange(len(groups)), [len(group) for group in groups]))),
        shape=(count, len(groups)),
    )
    limits = [LinearConstraint(member, lb=1, ub=1)]
    if most is not None:
        limits.append(LinearConstraint(np.ones((1, len(groups))), ub=most))
    scaled = value * (FINE / (np.abs(value).max() or 1.0))
    found = milp(-scaled, integrality=np.ones(len(groups)), bounds=Bounds(0, 1), constraints=limits, options={"mip_rel_gap": 0})
    if not found.success:
        raise UserError(f"{count} tasks cannot be put into {most} groups of up to {largest} without a missing pair; allow more groups")
    return tuple(sorted(groups[one] for one in np.flatnonzero(found.x > 0.5)))


def of_tasks(gains: np.ndarray, groups: Sequence[Sequence[int]]) -> np.ndarray:
    """What every task gains (n,) in its group: the mean of its partners' gains that are there; 0 alone, NaN if all are missing."""
    out, gains = np.zeros(len(gains)), off_diagonal(gains)
    for group in groups:
        if len(group) > 1:
            pairs = gains[np.ix_(group, group)]
            out[list(group)] = seed_mean(pairs)
    return out


def together(values: np.ndarray, largest: int = LARGEST, draws: int = DRAWS) -> np.ndarray:
    """How stable groups are: the share of `draws` in which two tasks are in one group, (n, n); 1 on the diagonal.

    values: gains (S, n, n). A draw is S seeds with replacement, of which the mean is partitioned. With one seed nothing can differ: NaN
    off the diagonal.
    """
    seeds, count = len(values), values.shape[-1]
    if seeds < 2:
        return np.where(np.eye(count, dtype=bool), 1.0, np.nan)
    rng = named_rng("budget", "together")
    drawn = Counter(tuple(sorted(rng.integers(seeds, size=seeds).tolist())) for _ in range(draws))
    shares = np.zeros((count, count))
    for chosen, times in sorted(drawn.items()):
        for group in partition(seed_mean(values[list(chosen)]), largest):
            shares[np.ix_(group, group)] += times / draws
    return shares


def judged(values: np.ndarray, largest: int = LARGEST, repeats: int = RANDOM) -> Judged:
    """Groups chosen on the mean of all seeds but one and scored on that one, against random groups of the same sizes.

    values: gains (S, n, n). Values are means over tasks.
    """
    tried = []
    for seed in range(len(values) if len(values) > 1 else 0):
        known, own, rng = seed_mean(np.delete(values, seed, axis=0)), values[seed], named_rng("budget", "groups", seed)
        chosen = partition(known, largest)
        worth = _mean(of_tasks(own, chosen))
        others = np.array([_mean(of_tasks(own, shuffled(chosen, rng))) for _ in range(repeats)])
        tried.append((_mean(of_tasks(known, chosen)), worth, others.mean(), (others >= worth).mean()))
    return Judged(*(float(one) for one in np.mean(tried, axis=0))) if tried else Judged(*[np.nan] * 4)


def shuffled(groups: Partition, rng: np.random.Generator) -> Partition:
    """Random groups of the same sizes of the same tasks."""
    tasks = rng.permutation(np.concatenate(groups))
    parts = np.split(tasks, np.cumsum([len(group) for group in groups])[:-1])
    return tuple(tuple(sorted(part.tolist())) for part in parts)


def _candidates(gains: np.ndarray, largest: int, all_of_them: bool) -> tuple[list[tuple[int, ...]], np.ndarray]:
    """Groups with their values, sums over their tasks (G,). Where their number is free those that gain nothing are left out."""
    groups: list[tuple[int, ...]] = [(task,) for task in range(len(gains))]
    values = [np.zeros(len(gains))]
    for size in range(2, min(largest, len(gains)) + 1):
        some = np.array(list(combinations(range(len(gains)), size)))
        pairs = gains[some[:, :, None], some[:, None, :]]
        pairs[:, np.arange(size), np.arange(size)] = 0
        worth = pairs.sum(axis=(1, 2)) / (size - 1)
        kept = np.isfinite(worth) if all_of_them else worth > 0
        groups += [tuple(group) for group in some[kept].tolist()]
        values.append(worth[kept])
    return groups, np.concatenate(values)


def _mean(values: np.ndarray) -> float:
    there = np.isfinite(values)
    return float(values[there].mean()) if there.any() else np.nan
