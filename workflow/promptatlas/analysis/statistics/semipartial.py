"""Several matrices that explain one together: regression on the relationship parts, tested by double semi-partialling.

All matrices are freed of source and target effects over the cells that every one has, and scaled to length one; all of a
regression then follows from their products. The test of one predictor beside the others (MRQAP with double semi-partialling,
Dekker, Krackhardt & Snijders 2007) relabels what the others leave of it, fits again, and compares t. With one predictor it is the test of
`permutation`. As there, relabelling a predictor against the response is relabelling the response against it, missing cells move
with the response, and a cell that a predictor lacks counts as no relationship.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from promptatlas.analysis.statistics import masked, permutation
from promptatlas.analysis.statistics.relations import off_diagonal

INDISTINCT = 1e-8  # share of a predictor's square that is left beside others
Centring = Callable[[np.ndarray], Callable[[np.ndarray], np.ndarray]]


@dataclass(frozen=True)
class JointFit:
    """share: of the response's square that K predictors explain (R^2); by predictor (K,): standardised coefficient, share that it explains
    alone, share that is lost without it, variance inflation."""

    share: float
    coefficient: np.ndarray
    alone: np.ndarray
    adds: np.ndarray
    inflation: np.ndarray


def products(matrices: Sequence[np.ndarray], centring: Centring = masked.residuals_on) -> np.ndarray:
    """Correlations (M, M) of the relationship parts of M matrices (n, n) over the cells that all have; NaN where nothing is left."""
    there = np.isfinite(off_diagonal(np.stack(matrices))).all(axis=0)
    left = _centred(np.stack(matrices), there, centring)
    return left @ left.T


def fit(products: np.ndarray) -> JointFit:
    """Regression of the first of the matrices on the others, from their `products` (K + 1, K + 1)."""
    inverse, single = np.linalg.inv(products[1:, 1:]), products[0, 1:]
    coefficient, inflation = inverse @ single, np.diag(inverse)
    return JointFit(float(single @ coefficient), coefficient, single**2, coefficient**2 / inflation, inflation)


def distinct(predictors: Sequence[np.ndarray], centring: Centring = masked.residuals_on) -> list[bool]:
    """For each predictor (n, n) whether anything is left of it beside those before it that are distinct."""
    there = np.isfinite(off_diagonal(np.stack(predictors))).all(axis=0)
    kept: list[np.ndarray] = []
    found = []
    for one in _centred(np.stack(predictors), there, centring):
        left = one - _basis(kept, len(one)) @ (_basis(kept, len(one)).T @ one)
        found.append(bool(left @ left > INDISTINCT))
        kept += [one] if found[-1] else []
    return found


def null_partials(
    response: np.ndarray, predictors: Sequence[np.ndarray], orders: np.ndarray, centring: Centring = masked.residuals_on
) -> tuple[np.ndarray, np.ndarray]:
    """Partial correlation of the response (n, n) with each of K predictors given the others, observed (K,) and under `orders`: (R, K).

    A monotone function of t, so that its p is that of t. An order after which nothing is left of the predictor counts as extreme.
    """
    own, there = _common(response, predictors)
    values = np.stack([response, *predictors])
    after = centring(there)
    y, *x = _centred(values, there, centring)
    spread = _centred(values[1:], own, centring)
    observed, null = np.empty(len(x)), np.empty((len(orders), len(x)))
    for k in range(len(x)):
        others, beyond = _basis([*x[:k], *x[k + 1 :]], len(y)), _basis([*spread[:k], *spread[k + 1 :]], len(y))
        left = y - others @ (others.T @ y)
        left /= np.linalg.norm(left)
        own_part = x[k] - others @ (others.T @ x[k])
        observed[k] = left @ own_part / np.linalg.norm(own_part)
        free = (spread[k] - beyond @ (beyond.T @ spread[k])).reshape(there.shape)
        columns = np.column_stack([left, others])
        parts = []
        for moved in _moved(free, there, orders, after):
            along = moved @ columns
            rest = (moved**2).sum(axis=1) - (along[:, 1:] ** 2).sum(axis=1)
            parts.append(_ratio(along[:, 0], rest, (free**2).sum()))
        null[:, k] = np.concatenate(parts)
    return observed, null


def null_shares(
    response: np.ndarray, predictors: Sequence[np.ndarray], orders: np.ndarray, centring: Centring = masked.residuals_on
) -> np.ndarray:
    """Share of the response (n, n) that all predictors together explain, under `orders`: (R,)."""
    own, there = _common(response, predictors)
    after = centring(there)
    y = _centred(response[None], there, centring)[0]
    basis = _basis(_centred(np.stack(predictors), own, centring), len(y)).T.reshape(-1, *there.shape)
    parts = []
    for chunk in permutation.chunks(orders):
        moved = np.stack([next(_moved(one, there, chunk, after)) for one in basis], axis=1)
        along = moved @ y
        if there.sum() == there.size - len(there):
            parts.append((along**2).sum(axis=1))
            continue
        inverse = np.linalg.pinv(moved @ moved.transpose(0, 2, 1), rcond=1e-10, hermitian=True)
        parts.append(np.einsum("rk,rkl,rl->r", along, inverse, along))
    return np.concatenate(parts)


def null_chosen_shares(response: np.ndarray, candidates: Sequence[np.ndarray], groups: Sequence[str], orders: np.ndarray) -> np.ndarray:
    """Share of the response (n, n) that the strongest of each group of the candidates explain together, chosen again under each of
    `orders`: (R,). What candidates have in common is taken from the cells that all of them have."""
    null = masked.null_correlations(response, candidates, orders)
    chosen = np.stack([_largest(null, np.flatnonzero(np.array(groups) == group)) for group in dict.fromkeys(groups)], axis=1)
    along = np.take_along_axis(null, chosen, axis=1)
    common = products(candidates)[chosen[:, :, None], chosen[:, None, :]]
    return np.einsum("rk,rkl,rl->r", along, np.linalg.pinv(common, rcond=1e-10, hermitian=True), along)


def _largest(null: np.ndarray, members: np.ndarray) -> np.ndarray:
    """The column of `members` with the largest magnitude in each row of (R, C): (R,)."""
    return members[np.abs(null[:, members]).argmax(axis=1)]


def _common(response: np.ndarray, predictors: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The cells (n, n) that all predictors have, and those of them that the response has too."""
    own = np.isfinite(off_diagonal(np.stack(predictors))).all(axis=0)
    return own, own & np.isfinite(off_diagonal(response))


def _centred(values: np.ndarray, there: np.ndarray, centring: Centring) -> np.ndarray:
    """What is left of matrices (M, n, n) on the cells `there`, 0 elsewhere, each scaled to length one: (M, n n); NaN where nothing is."""
    left = np.nan_to_num(centring(there)(values)).reshape(len(values), -1)
    largest = np.abs(np.where(there, values, 0)).max(axis=(1, 2))
    length = np.linalg.norm(left, axis=1)
    return left / np.where(length > 1e-10 * np.maximum(largest, 1e-300), length, np.nan)[:, None]


def _basis(vectors: Sequence[np.ndarray] | np.ndarray, length: int) -> np.ndarray:
    """Orthonormal columns (length, K) that span the vectors (length,)."""
    return np.linalg.qr(np.array(vectors).reshape(-1, length).T)[0]


def _moved(values: np.ndarray, there: np.ndarray, orders: np.ndarray, after: Callable[[np.ndarray], np.ndarray]) -> Iterator[np.ndarray]:
    """A centred predictor (n, n) relabelled by the inverse of `orders`, in chunks (R, n n), and centred again where cells are missing."""
    for order in permutation.chunks(np.argsort(orders, axis=1)):
        moved = values[order[:, :, None], order[:, None, :]]
        if there.sum() < there.size - len(there):
            moved = np.nan_to_num(after(moved))
        yield moved.reshape(len(order), -1)


def _ratio(along: np.ndarray, rest: np.ndarray, whole: float) -> np.ndarray:
    """along / sqrt(rest), and 1 where next to nothing of the whole is left."""
    defined = rest > 1e-12 * whole
    return np.divide(along, np.sqrt(np.where(defined, rest, 1)), out=np.ones_like(along), where=defined)
