"""Which cells of a matrix to measure next, so that the best source of every target is soon known.

Gains are taken to be ``mean + a_i (source) + b_j (target) + sum_p w_p z_p,ij (similarities) + g_ij``, all normal. The spreads of a, b
and w as shares of that of g are those of a grid under which the measured cells are likeliest, with the spread of g in closed form
(Rasmussen & Williams 2006, 2.7 and 5.4.1). What is next is chosen by draws from what then is believed: one cell after the other, always
the one that is expected to improve its target's best source most, given those already chosen (greedy batch expected improvement;
Ginsbourger et al. 2010).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from promptatlas.analysis.statistics.relations import normal_equations, off_diagonal
from promptatlas.base.errors import UserError
from promptatlas.base.rng import named_rng

# Variances over that of g.
SPREADS = {"source": (0.03, 0.1, 0.3, 1.0, 3.0, 30.0), "target": (0.3, 3.0, 30.0, 300.0), "similarity": (0.03, 0.3, 3.0, 30.0)}
DRAWS = 256
FEWEST = 3  # measured cells from which others can be guessed
START, STEP, REPEATS = 0.1, 0.05, 20


@dataclass(frozen=True)
class Believed:
    """Gains of all cells, given those measured. mean: (N, N), measured ones as they are; draws: (D, N, N) of what may be true."""

    mean: np.ndarray
    draws: np.ndarray


@dataclass(frozen=True)
class Next:
    """A cell to measure, by the indices of its tasks, and by how much its target's best source is expected to improve by it."""

    source: int
    target: int
    improvement: float


def believed(gains: np.ndarray, similarity: Sequence[np.ndarray] = (), draws: int = DRAWS) -> Believed:
    """From gains (N, N) of which NaN is not measured; the diagonal is not looked at.

    similarity: any number of matrices (N, N), larger is closer, of any unit; a missing one counts as average. UserError for infinite
    numbers, and if fewer than three cells are measured.
    """
    gains = off_diagonal(np.asarray(gains, dtype=np.float64))
    there = np.isfinite(gains)
    if np.isinf(gains).any():
        raise UserError("gains hold an infinite number; give NaN where a cell is not measured")
    if there.sum() < FEWEST:
        raise UserError(f"{there.sum()} cells are measured; measure at least {FEWEST} before asking for the next")
    count, near = len(gains), [_standard(one) for one in similarity]
    middle, unit = gains[there].mean(), gains[there].std() or 1.0
    values = np.where(there, (gains - middle) / unit, 0.0)
    measured = [np.where(there, one, 0.0) for one in near]
    across = [np.concatenate([one.sum(axis=1), one.sum(axis=0)]) for one in measured]
    inner = np.array([[(one * other).sum() for other in measured] for one in measured]).reshape(len(near), len(near))
    side = np.array(across).reshape(len(near), 2 * count)
    square = np.block([[normal_equations(there), side.T], [side, inner]])
    moments = np.concatenate([values.sum(axis=1), values.sum(axis=0), [(one * values).sum() for one in measured]])
    fits = (_fit(square, moments, (values**2).sum(), there.sum(), prior) for prior in _priors(count, len(near)))
    _, effects, root, spread = max(fits, key=lambda fit: fit[0])
    rng = named_rng("budget", "next")
    drawn = effects + np.sqrt(spread) * rng.standard_normal((draws, len(effects))) @ root
    noise = np.sqrt(spread) * rng.standard_normal((draws, count, count))
    mean = middle + unit * _cells(effects[None], near)[0]
    truth = middle + unit * (_cells(drawn, near) + noise)
    return Believed(np.where(there, gains, mean), np.where(there, gains, truth))


def next_cells(
    gains: np.ndarray, count: int, possible: np.ndarray | None = None, similarity: Sequence[np.ndarray] = (), floor: float = 0.0
) -> list[Next]:
    """The `count` cells to measure next (fewer if fewer are left), the most promising first, from gains (N, N) with NaN where not measured.

    possible: (N, N) which cells can be measured at all (all off the diagonal by default). floor: what a target has without any source:
    0 is the zero-shot prompt's gain, -inf nothing. Errors as of `believed`.
    """
    gains = off_diagonal(np.asarray(gains, dtype=np.float64))
    left = np.isnan(gains) & ~np.eye(len(gains), dtype=bool)
    left = left if possible is None else left & possible
    belief = believed(gains, similarity)
    best = np.broadcast_to(_best(gains, floor, belief.mean.min(axis=0)), (len(belief.draws), len(gains))).copy()
    promise = np.where(left, np.maximum(belief.draws - best[:, None, :], 0).mean(axis=0), -1.0)
    chosen = []
    for _ in range(min(count, int(left.sum()))):
        source, target = np.unravel_index(int(promise.argmax()), promise.shape)
        chosen.append(Next(int(source), int(target), float(promise[source, target])))
        left[source, target] = False
        best[:, target] = np.maximum(best[:, target], belief.draws[:, source, target])
        promise[:, target] = np.where(left[:, target], np.maximum(belief.draws[:, :, target] - best[:, target, None], 0).mean(axis=0), -1.0)
    return chosen


def first_cells(there: np.ndarray, count: int, possible: np.ndarray) -> list[Next]:
    """`count` cells (fewer if fewer are left) to begin with, from those `there` already (N, N): each in the row and the column that have
    fewest so far; of equal ones round by round of a random order of the tasks, in which each is a source once and a target once.
    possible: (N, N) which can be measured. Nothing is known of what they improve: NaN."""
    tasks, off = len(there), ~np.eye(len(there), dtype=bool)
    chosen, place, found = np.array(there, dtype=bool) & off, np.argsort(named_rng("budget", "first").permutation(tasks)), []
    left = possible & ~chosen & off
    tie = ((place - place[:, None]) % tasks + place / tasks) / (tasks + 1)
    for _ in range(min(count, int(left.sum()))):
        crowd = chosen.sum(axis=1)[:, None] + chosen.sum(axis=0)
        source, target = np.unravel_index(int(np.where(left, crowd + tie, np.inf).argmin()), left.shape)
        found.append(Next(int(source), int(target), np.nan))
        chosen[source, target], left[source, target] = True, False
    return found


def simulated(
    gains: np.ndarray, similarity: Sequence[np.ndarray] = (), floor: float = 0.0, repeats: int = REPEATS, step: float = STEP
) -> pd.DataFrame:
    """How soon the best sources of a finished matrix (N, N) would have been known, had its cells been measured in another order.

    Starts from a tenth of the cells at random and goes on by `step` of all, in the order of `next_cells` (`order` "next") or at random
    ("random"). A row per repeat, order and step: `measured`, the share of the cells that are measured; `regret`, by how much the source
    that is believed to be best is worse than the best, mean over targets; `regret_of_measured`, the same of the best measured one.
    """
    gains = off_diagonal(np.asarray(gains, dtype=np.float64))
    cells = np.argwhere(np.isfinite(gains))
    first, more = max(FEWEST, round(START * len(cells))), max(1, round(step * len(cells)))
    rows = []
    for repeat in range(repeats):
        shuffled = named_rng("budget", "simulated", repeat).permutation(cells)
        for order in ("next", "random"):
            known = np.full(gains.shape, np.nan)
            coming = shuffled[:first]
            while len(coming):
                known[tuple(coming.T)] = gains[tuple(coming.T)]
                measured = int(np.isfinite(known).sum())
                estimate = off_diagonal(np.where(np.isfinite(gains), believed(known, similarity, draws=1).mean, np.nan))
                rows.append((repeat, order, measured / len(cells), _regret(gains, estimate, floor), _regret(gains, known, floor)))
                if order == "random":
                    coming = shuffled[measured : measured + more]
                else:
                    coming = np.array([(one.source, one.target) for one in next_cells(known, more, np.isfinite(gains), similarity, floor)])
    return pd.DataFrame(rows, columns=["repeat", "order", "measured", "regret", "regret_of_measured"])


def _regret(gains: np.ndarray, estimate: np.ndarray, floor: float) -> float:
    """Best gain of every target less that of the source with the highest estimate, mean over targets that have any; NaN is no candidate.

    Where nothing is estimated above a finite floor, the floor is chosen; where nothing is estimated and there is none, the worst source.
    """
    some = np.isfinite(gains).any(axis=0)
    gains, estimate = gains[:, some], estimate[:, some]
    ranked = np.where(np.isfinite(estimate), estimate, -np.inf)
    picked, own = ranked.max(axis=0), np.take_along_axis(gains, ranked.argmax(axis=0)[None], axis=0)[0]
    nothing = floor if np.isfinite(floor) else np.nanmin(gains, axis=0)
    chosen = np.where(picked > floor, own, nothing)
    return float((np.maximum(np.nanmax(gains, axis=0), floor) - chosen).mean())


def _best(gains: np.ndarray, floor: float, otherwise: np.ndarray) -> np.ndarray:
    """What every target has (n,): the best measured source or the floor; `otherwise` where there is neither."""
    best = np.maximum(np.where(np.isfinite(gains), gains, -np.inf).max(axis=0), floor)
    return np.where(np.isfinite(best), best, otherwise)


def _priors(count: int, measures: int) -> list[np.ndarray]:
    """Variances of all effects over that of g."""
    grid = product(SPREADS["source"], SPREADS["target"], SPREADS["similarity"] if measures else (1.0,))
    return [np.repeat([source, target, near], [count, count, measures]) for source, target, near in grid]


def _fit(
    square: np.ndarray, moments: np.ndarray, total: float, cells: int, prior: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray, float]:
    """Log likelihood but for a constant, mean effects (E,), the root R (E, E) of their covariance R'R over the spread of g, and that.

    square: X'X; moments: X'y; total: y'y. With A = X'X + 1/prior: y'C^-1 y = y'y - y'X A^-1 X'y and |C| = |A| |prior|.
    """
    factor = np.linalg.cholesky(square + np.diag(1 / prior))
    root = np.linalg.inv(factor)
    half = root @ moments
    spread = max(total - half @ half, 1e-12 * cells) / cells
    size = 2 * np.log(np.diag(factor)).sum() + np.log(prior).sum()
    return -0.5 * (cells * np.log(spread) + size), root.T @ half, root, spread


def _cells(effects: np.ndarray, near: Sequence[np.ndarray]) -> np.ndarray:
    """What effects (D, E) say of every cell, (D, n, n)."""
    count = (effects.shape[1] - len(near)) // 2
    out = effects[:, :count, None] + effects[:, None, count : 2 * count]
    for number, one in enumerate(near):
        out = out + effects[:, 2 * count + number, None, None] * one
    return out


def _standard(similarity: np.ndarray) -> np.ndarray:
    """With mean 0 and spread 1 off the diagonal; 0 where missing, and everywhere if all are alike."""
    values = off_diagonal(np.asarray(similarity, dtype=np.float64))
    there = np.isfinite(values)
    if np.isinf(values).any():
        raise UserError("a similarity holds an infinite number; give NaN where it is missing")
    centred = np.where(there, values - values[there].mean() if there.any() else 0.0, 0.0)
    spread = centred[there].std() if there.any() else 0.0
    return centred / spread if spread > 0 else np.zeros_like(centred)
