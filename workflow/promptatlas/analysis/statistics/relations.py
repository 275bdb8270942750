"""The social relations model: who gives, who receives, and who helps whom.

``T[i, j] = mean + a_i (source) + b_j (target) + g_ij (relationship)`` over the off-diagonal cells only. Centring rows and
columns of a full matrix with zeros on the diagonal is a different, wrong thing; the closed form below equals least squares
on the n (n - 1) cells (Warner, Kenny & Stoto 1979).
"""

from dataclasses import dataclass

import numpy as np

from promptatlas.base.errors import UserError

FEWEST_TASKS = 4


@dataclass(frozen=True)
class Effects:
    """mean: (...); source, target: (..., n), summing to zero; relationship: (..., n, n), NaN where no cell is."""

    mean: np.ndarray
    source: np.ndarray
    target: np.ndarray
    relationship: np.ndarray


def off_diagonal(values: np.ndarray) -> np.ndarray:
    """A copy (..., n, n) with NaN on the diagonal."""
    return np.where(np.eye(values.shape[-1], dtype=bool), np.nan, values)


def usable(*matrices: np.ndarray) -> np.ndarray:
    """Indices of the tasks that have two or more cells as source and as target in every one of `matrices` (n, n)."""
    keep = np.arange(len(matrices[0]))
    while True:
        there = np.all([np.isfinite(off_diagonal(one[np.ix_(keep, keep)])) for one in matrices], axis=0)
        good = (there.sum(axis=0) >= 2) & (there.sum(axis=1) >= 2)
        if good.all() or not len(keep):
            return keep
        keep = keep[good]


def normal_equations(there: np.ndarray) -> np.ndarray:
    """X'X (2n, 2n) of the model on the cells `there` (n, n), one column of X for each source, then one for each target."""
    cells = there.astype(float)
    return np.block([[np.diag(cells.sum(axis=1)), cells], [cells.T, np.diag(cells.sum(axis=0))]])


def effects(values: np.ndarray) -> Effects:
    """Effects of a matrix or a stack (..., n, n); by closed form where complete, by least squares where cells are missing."""
    values = off_diagonal(np.asarray(values, dtype=np.float64))
    missing = np.isnan(values).sum(axis=(-2, -1)) > values.shape[-1]
    if not missing.any():
        return _closed_form(values)
    if values.ndim == 2:
        return _least_squares(values)
    each = [effects(one) for one in values]
    return Effects(*(np.stack([getattr(one, field) for one in each]) for field in Effects.__dataclass_fields__))


def relationships(values: np.ndarray) -> np.ndarray:
    """Relationship part (n, n) among the tasks that have cells enough; NaN for the others, and for all if they are too few."""
    keep = usable(values)
    part, left = np.ix_(keep, keep), np.full(values.shape, np.nan)
    if len(keep) >= FEWEST_TASKS:
        left[part] = effects(values[part]).relationship
    return left


def _closed_form(values: np.ndarray) -> Effects:
    n = values.shape[-1]
    filled = np.nan_to_num(values)
    rows, columns = filled.sum(axis=-1) / (n - 1), filled.sum(axis=-2) / (n - 1)
    mean = rows.mean(axis=-1)
    own, other = (n - 1) ** 2 / (n * (n - 2)), (n - 1) / (n * (n - 2))
    grand = ((n - 1) / (n - 2) * mean)[..., None]
    source = own * rows + other * columns - grand
    target = own * columns + other * rows - grand
    fitted = mean[..., None, None] + source[..., :, None] + target[..., None, :]
    return Effects(mean, source, target, values - fitted)


def _least_squares(values: np.ndarray) -> Effects:
    n = len(values)
    row, column = np.nonzero(np.isfinite(values))
    for role, index in (("source", row), ("target", column)):
        if np.bincount(index, minlength=n).min() < 2:
            raise UserError(
                f"task number {np.bincount(index, minlength=n).argmin() + 1} has fewer than two measured cells as a {role}; "
                "run the study to its end before analysing it, or leave that task out"
            )
    design = np.zeros((len(row), 1 + 2 * n))
    design[:, 0] = design[np.arange(len(row)), 1 + row] = design[np.arange(len(row)), 1 + n + column] = 1
    solution = np.linalg.lstsq(design, values[row, column], rcond=None)[0]
    source, target = solution[1 : 1 + n], solution[1 + n :]
    mean = solution[0] + source.mean() + target.mean()
    source, target = source - source.mean(), target - target.mean()
    return Effects(np.array(mean), source, target, values - (mean + source[:, None] + target[None, :]))
