"""Variances of the social relations model from whatever cells there are.

Two matrices of the same tasks have parts in common: two seeds their signal, a seed and itself its noise too. Each is fitted by
least squares on its own cells. Five sums of products of the two fits (source effects, target effects, one with the other,
residuals of the same cell, residuals of i -> j with those of j -> i) are, in expectation, linear in the five variances and
covariances of what the matrices have in common. The coefficients follow from which cells there are, so pooled sums solve for
unbiased estimates, with missing cells as without: Henderson's method of moments. Where none is missing it is the closed form of Warner,
Kenny & Stoto (1979). A mean never enters, as each fit has its own.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from promptatlas.analysis.statistics.relations import FEWEST_TASKS, normal_equations, off_diagonal

ROUNDING = 1e-13
WORST_CONDITION = 1e8


@dataclass(frozen=True)
class Components:
    """Variances of the three parts, the covariance of giving and receiving, and that of g_ij with g_ji; NaN where the cells
    cannot tell them apart."""

    source: float
    target: float
    relationship: float
    giver_receiver: float
    reciprocity: float


UNKNOWN = Components(*[float("nan")] * 5)


@dataclass(frozen=True)
class Fit:
    """Least squares on the cells `there` (n, n): effects (2n,), first of sources, then of targets; residual (n, n), 0 if missing."""

    there: np.ndarray
    effects: np.ndarray
    residual: np.ndarray


def fit(values: np.ndarray) -> Fit:
    """Fit of one matrix (n, n) with NaN in missing cells; its diagonal does not matter."""
    values = off_diagonal(np.asarray(values, dtype=np.float64))
    there = np.isfinite(values)
    n = len(values)
    if not there.any():
        return Fit(there, np.zeros(2 * n), np.zeros((n, n)))
    centred = np.where(there, values - values[there].mean(), 0.0)
    inverse, centring = _design(there.tobytes(), n)
    solution = inverse @ np.concatenate([centred.sum(axis=1), centred.sum(axis=0)])
    residual = np.where(there, centred - solution[:n, None] - solution[n:], 0.0)
    effects = centring @ solution
    smallest = ROUNDING * np.abs(values[there]).max()
    for part in (effects, residual):
        part[np.abs(part) <= smallest] = 0.0
    return Fit(there, effects, residual)


def shared(pairs: Iterable[tuple[Fit, Fit]]) -> Components:
    """Unbiased (co)variances of what the two fits of each pair have in common, pooled over the pairs."""
    sums, coefficients, n = np.zeros(5), np.zeros((5, 5)), 0
    for one, other in pairs:
        n = len(one.there)
        sums += _sums(one, other)
        coefficients += _expected(one.there.tobytes(), other.there.tobytes(), n)
    if n < FEWEST_TASKS or not _solvable(coefficients):
        return UNKNOWN
    pair = np.linalg.solve(coefficients[3:, 3:], sums[3:])
    source, target, both = np.linalg.solve(coefficients[:3, :3], sums[:3] - coefficients[:3, 3:] @ pair)
    return Components(*map(float, (source, target, pair[0], both, pair[1])))


def _solvable(coefficients: np.ndarray) -> bool:
    blocks = coefficients[:3, :3], coefficients[3:, 3:]
    return all(block.any() and np.linalg.cond(block) < WORST_CONDITION for block in blocks)


def _sums(one: Fit, other: Fit) -> np.ndarray:
    """The five sums of products (5,)."""
    n = len(one.there)
    (source, target), (source_too, target_too) = (np.split(each.effects, [n]) for each in (one, other))
    return np.array(
        [
            source @ source_too,
            target @ target_too,
            (source @ target_too + target @ source_too) / 2,
            (one.residual * other.residual).sum(),
            (one.residual * other.residual.T).sum(),
        ]
    )


@lru_cache(maxsize=512)
def _design(there: bytes, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Pseudo-inverse of the normal equations and what centres effects within each connected part of the cells: (2n, 2n) both.

    A constant is no effect: centred so, effects of tasks that no chain of cells connects never carry the mean.
    """
    from scipy.sparse.csgraph import connected_components  # slow to import, and every page imports this file

    cells = _cells(there, n)
    equations = normal_equations(cells)
    bipartite = equations.copy()
    np.fill_diagonal(bipartite, 0)
    _, label = connected_components(bipartite, directed=False)
    together = label[:, None] == label[None, :]
    together[:n, n:] = together[n:, :n] = False
    return np.linalg.pinv(equations, rcond=1e-10, hermitian=True), np.eye(2 * n) - together / together.sum(axis=1, keepdims=True)


@lru_cache(maxsize=512)
def _expected(first: bytes, second: bytes, n: int) -> np.ndarray:
    """Coefficients (5, 5) of the five (co)variances in the expectations of the five sums.

    With X (cells, 2n) of a matrix, G its pseudo-inverse of X'X, T what swaps i -> j with j -> i: residuals are R y with
    R = 1 - X G X', effects C G X' y. All traces reduce to (2n, 2n) matrices, as every X' X and X' T X is counts of cells.
    """
    a, b = _cells(first, n), _cells(second, n)
    (inverse_a, centring_a), (inverse_b, centring_b) = _design(first, n), _design(second, n)
    common, swapped = normal_equations(a & b), _swapped(a, b)
    equations_a, equations_b = normal_equations(a), normal_equations(b)
    left, right = centring_a @ inverse_a, centring_b @ inverse_b
    source, target = np.diag(np.repeat([1.0, 0.0], n)), np.diag(np.repeat([0.0, 1.0], n))
    both = np.roll(np.eye(2 * n), n, axis=0)
    expected = np.zeros((5, 5))
    inner = [equations_a @ effect @ equations_b for effect in (source, target, both)]
    for column, between in enumerate([*inner, common, swapped]):
        effects = left @ between @ right.T
        cross = (np.trace(effects[:n, n:]) + np.trace(effects[n:, :n])) / 2
        expected[:3, column] = np.trace(effects[:n, :n]), np.trace(effects[n:, n:]), cross
    same = (a & b).sum() - _trace(inverse_a, common) - _trace(inverse_b, common) + _trace(inverse_a @ common, inverse_b @ common)
    mixed = _trace(inverse_a @ swapped, inverse_b @ common) - _trace(inverse_a, _swapped(a, a & b)) - _trace(inverse_b, _swapped(a & b, b))
    turned = (
        (a & b.T).sum()
        - _trace(inverse_a, normal_equations(a & b.T))
        - _trace(inverse_b, normal_equations(b & a.T))
        + _trace(inverse_a @ swapped, inverse_b @ swapped.T)
    )
    expected[3:, 3:] = [[same, mixed], [mixed, turned]]
    return expected


def _cells(there: bytes, n: int) -> np.ndarray:
    return np.frombuffer(there, dtype=bool).reshape(n, n)


def _swapped(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """X' T X of two sets of cells (n, n): (2n, 2n)."""
    mutual = (a & b.T).astype(float)
    return np.block([[mutual, np.diag(mutual.sum(axis=1))], [np.diag(mutual.sum(axis=0)), mutual.T]])


def _trace(one: np.ndarray, other: np.ndarray) -> float:
    return float((one * other.T).sum())
