"""Two matrices compared over the cells that both have.

Source and target effects are taken from the same cells in both: otherwise a cell that is missing from one dilutes the
correlation of what is left (true r .50 would be .41 with 30 % missing). Under relabelling the missing cells move with the response, so each
null correlation is that of the predictor's residual on the moved cells; it is never refitted cell by cell, since counts of cells are
enough.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

from promptatlas.analysis.statistics import permutation
from promptatlas.analysis.statistics.relations import normal_equations, off_diagonal


def alike(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both (n, n) with NaN wherever either has no cell, and on the diagonal."""
    there = np.isfinite(off_diagonal(one)) & np.isfinite(off_diagonal(other))
    return np.where(there, one, np.nan), np.where(there, other, np.nan)


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Correlation of the relationship parts of two matrices (n, n) over the cells that both have."""
    return permutation.correlation(*alike(one, other))


def residuals_on(there: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """What takes source and target effects, fitted on the cells `there` (n, n), from matrices (..., n, n) that have them all."""
    inverse, n = _inverse(there.astype(bool).tobytes(), len(there)), len(there)

    def residuals(values: np.ndarray) -> np.ndarray:
        kept = np.where(there, values, 0.0)
        effects = np.concatenate([kept.sum(axis=-1), kept.sum(axis=-2)], axis=-1) @ inverse
        return np.where(there, values - effects[..., :n, None] - effects[..., None, n:], np.nan)

    return residuals


@lru_cache(maxsize=64)
def _inverse(there: bytes, n: int) -> np.ndarray:
    """Pseudo-inverse (2n, 2n) of the normal equations of the cells `there` (n, n)."""
    return np.linalg.pinv(normal_equations(np.frombuffer(there, dtype=bool).reshape(n, n)), rcond=1e-10, hermitian=True)


def null_correlations(response: np.ndarray, predictors: Sequence[np.ndarray], orders: np.ndarray) -> np.ndarray:
    """Correlations (R, K) of the relationship parts of the relabelled `response` (n, n) and of K `predictors` (n, n).

    Cells that a predictor lacks are taken out of the response and stay where they are.
    """
    null = np.empty((len(orders), len(predictors)))
    missing = [np.isnan(off_diagonal(predictor)).tobytes() for predictor in predictors]
    for pattern in dict.fromkeys(missing):
        chosen = [index for index, one in enumerate(missing) if one == pattern]
        masked = alike(response, predictors[chosen[0]])[0]
        right = np.stack([permutation.residual(predictors[index]) for index in chosen])
        if np.isnan(off_diagonal(masked)).sum() > len(masked):
            null[:, chosen] = _on_moved_cells(masked, right, orders)
        else:
            null[:, chosen] = permutation.null_correlations(permutation.residual(masked), right, orders)
    return null


def _on_moved_cells(response: np.ndarray, predictors: np.ndarray, orders: np.ndarray) -> np.ndarray:
    """As `null_correlations` for a response with missing cells; predictors (K, n, n) are residuals without any."""
    there = np.isfinite(response).astype(float)
    left, inverse = permutation.residual(response), np.linalg.pinv(normal_equations(there), rcond=1e-10, hermitian=True)
    n, flat = len(there), predictors.reshape(len(predictors), -1).T
    parts = []
    for order in permutation.chunks(orders):
        moved, cells = (one[order[:, :, None], order[:, None, :]].reshape(len(order), -1) for one in (left, there))
        squares = cells @ flat**2
        cells = cells.reshape(-1, n, n)
        sums = np.empty((len(order), len(predictors), 2 * n))
        for k, predictor in enumerate(predictors):
            kept = cells * predictor
            np.put_along_axis(sums[:, k, :n], order, kept.sum(axis=2), axis=1)
            np.put_along_axis(sums[:, k, n:], order, kept.sum(axis=1), axis=1)
        squares -= ((sums @ inverse) * sums).sum(axis=2)
        # where nothing is left of a predictor on the moved cells, the order counts as extreme: it says nothing
        defined = squares > 1e-12
        parts.append(np.divide(moved @ flat, np.sqrt(np.where(defined, squares, 1)), out=np.ones_like(squares), where=defined))
    return np.concatenate(parts)
