"""Two-way residual permutation tests on task x task matrices.

Both matrices are first freed of their source and target effects; the statistic is the correlation of what is left over the
n (n - 1) ordered pairs. Under the null the tasks' names are exchangeable, so rows and columns of one matrix are relabelled
together. The space of additive effects is closed under relabelling, hence no refit: this is MRQAP with double
semi-partialling and source and target fixed effects (Dekker, Krackhardt & Snijders 2007). Missing cells count as no
relationship (residual 0).
"""

from collections.abc import Iterator, Sequence
from itertools import permutations as all_orders
from math import factorial

import numpy as np

from promptatlas.analysis.statistics.relations import effects

CHUNK = 1000
MOST_CELLS = 5_000_000  # of all relabelled matrices that are in memory at a time
TOLERANCE = 1e-12


def residual(values: np.ndarray) -> np.ndarray:
    """Relationship part of (n, n), missing cells and diagonal 0, scaled to length one; all NaN where there is none."""
    left = np.nan_to_num(effects(values).relationship)
    length = np.linalg.norm(left)
    scale = np.nanmax(np.abs(values), initial=0.0)
    return left / length if length > 1e-10 * max(scale, 1e-300) else np.full(left.shape, np.nan)


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Correlation of the relationship parts of two matrices (n, n)."""
    return float(np.clip((residual(one) * residual(other)).sum(), -1, 1))


def relabellings(n: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Orders of n tasks (R, n): each of the n! once if they are at most `count`, else `count` random ones."""
    if n <= 8 and factorial(n) <= count:
        return np.array(list(all_orders(range(n))))
    return rng.permuted(np.tile(np.arange(n), (count, 1)), axis=1)


def block_relabellings(families: Sequence[str], count: int, rng: np.random.Generator) -> np.ndarray:
    """Random orders (count, n) that keep families together: members inside a family, and families of equal size.

    Such orders keep all that "being of one family" explains, so a test by them asks for more than family.
    """
    members = [np.flatnonzero(np.array(families) == family) for family in sorted(set(families))]
    orders = np.empty((count, len(families)), dtype=int)
    for size in sorted({len(member) for member in members}):
        alike = np.stack([member for member in members if len(member) == size])
        which = rng.permuted(np.tile(np.arange(len(alike)), (count, 1)), axis=1)
        inside = rng.permuted(np.tile(np.arange(size), (count, len(alike), 1)), axis=2)
        orders[:, alike] = np.take_along_axis(alike[which], inside, axis=2)
    return orders


def chunks(orders: np.ndarray) -> Iterator[np.ndarray]:
    """`orders` (R, n) in parts that leave memory for others."""
    step = max(1, min(CHUNK, MOST_CELLS // max(orders.shape[1], 1) ** 2))
    return (orders[start : start + step] for start in range(0, len(orders), step))


def is_exact(orders: np.ndarray) -> bool:
    """Whether `orders` are all relabellings rather than a sample of them."""
    n = orders.shape[1]
    return n <= 8 and len(orders) == factorial(n) and len(np.unique(orders, axis=0)) == len(orders)


def null_correlations(response: np.ndarray, predictors: np.ndarray, orders: np.ndarray) -> np.ndarray:
    """Correlations (R, K) of the relabelled residual `response` (n, n) with K residual `predictors` (K, n, n)."""
    flat = predictors.reshape(len(predictors), -1).T
    return np.concatenate([response[order[:, :, None], order[:, None, :]].reshape(len(order), -1) @ flat for order in chunks(orders)])


def p_values(observed: np.ndarray, null: np.ndarray, exact: bool) -> np.ndarray:
    """Two-sided p (K,) of `observed` (K,) against `null` (R, K): the share as extreme, the observed order counted once."""
    extreme = (np.abs(null) >= np.abs(observed) - TOLERANCE).sum(axis=0)
    p = extreme / len(null) if exact else (1 + extreme) / (len(null) + 1)
    return np.where(np.isfinite(observed), p, np.nan)


def max_t_p_values(observed: np.ndarray, null: np.ndarray, exact: bool) -> np.ndarray:
    """Single-step maxT: p (K,) of each against the largest of all K, so that any false alarm among them is controlled."""
    largest = np.nan_to_num(np.abs(null)).max(axis=1, keepdims=True)
    return p_values(observed, np.broadcast_to(largest, null.shape), exact)


def min_p_values(observed: np.ndarray, null: np.ndarray, exact: bool) -> np.ndarray:
    """Single-step minP: as maxT, but each measure counts by how rare its correlation is under its own null (R, K).

    Keeping families together, what a measure says of them stays: its null correlations are not around zero, and the largest of
    all measures would always be that of the same one.
    """
    extreme = np.nan_to_num(np.abs(null))
    ranked = np.sort(extreme, axis=0)
    below = np.stack([np.searchsorted(ranked[:, k], extreme[:, k] - TOLERANCE) for k in range(null.shape[1])], axis=1)
    rare = 1 - below / len(null)
    own = p_values(observed, null, True)
    smallest = np.where(np.isfinite(own), rare, 1.0).min(axis=1)
    as_rare = (smallest[:, None] <= own + TOLERANCE).sum(axis=0)
    p = as_rare / len(null) if exact else (1 + as_rare) / (len(null) + 1)
    return np.where(np.isfinite(own), p, np.nan)


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's step-down p (K,): any false alarm among the K tests is controlled, however they depend on each other."""
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(np.asarray(p)[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted
