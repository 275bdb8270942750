"""Which sources to train when only k can be: each target is then served by the best of them, or by the zero-shot prompt.

This is the p-median problem (Taskonomy's choice of sources under a budget, Zamir et al. 2018), solved exactly as an integer program:
maximise ``sum x_ij G_ij`` with ``sum_i x_ij <= 1``, ``x_ij <= y_i``, ``sum y_i <= k`` and y binary. The zero-shot prompt is what is
left of the first sum: it gains 0, costs nothing and is always there, so that a gain which is not above 0 is never an option.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from promptatlas.analysis.statistics.relations import off_diagonal
from promptatlas.analysis.statistics.scales import seed_mean
from promptatlas.base.errors import UserError
from promptatlas.base.rng import named_rng

NONE = -1  # the zero-shot prompt
RANDOM = 200
DRAWS = 100
FINE = 1e3  # the largest gain as the solver sees it, whose absolute gap is 1e-6


@dataclass(frozen=True)
class Served:
    """Sources chosen for N targets.

    sources: their indices, ascending; serves: (N,) by target the index of its source, or `NONE`; value: the mean gain over all targets,
    in the unit of the gains, a target with the zero-shot prompt counted as 0.
    """

    sources: tuple[int, ...]
    serves: np.ndarray
    value: float


@dataclass(frozen=True)
class Judged:
    """What was chosen on all seeds but one, mean over the seed left out; values are mean gains over targets.

    apparent: on the seeds that chose; held_out: on the seed left out; random: mean of random choices of the same size on that seed;
    as_good: share of these that gain at least as much there. NaN with one seed.
    """

    apparent: float
    held_out: float
    random: float
    as_good: float


def choose_sources(gains: np.ndarray, k: int, itself: bool = False) -> Served:
    """The at most k sources that serve all targets best, from gains (M, N) over the zero-shot prompt; missing (NaN) ones are no option.

    itself: whether a task's own prompt may serve it; if not, sources and targets are the same tasks, (N, N). A source that would serve
    no target is not chosen. UserError for infinite gains, for k below 0 and for a matrix that is not square where it has to be.
    """
    options = _options(gains, itself)
    if k < 0:
        raise UserError(f"the number of sources to choose is {k}; it must be at least 0")
    source, target = np.nonzero(options > 0)
    if not k or not len(source):
        return served(options, np.array([], dtype=int))
    count, cells = len(options), len(source)
    ones, cell = np.ones(cells), np.arange(cells)
    once = csr_array((ones, (target, count + cell)), shape=(options.shape[1], count + cells))
    trained = csr_array(
        (np.concatenate([ones, -ones]), (np.concatenate([cell, cell]), np.concatenate([count + cell, source]))),
        shape=(cells, count + cells),
    )
    budget = np.concatenate([np.ones(count), np.zeros(cells)])[None]
    gain = options[source, target]
    found = milp(
        -np.concatenate([np.zeros(count), gain * (FINE / gain.max())]),
        integrality=np.concatenate([np.ones(count), np.zeros(cells)]),
        bounds=Bounds(0, 1),
        constraints=[LinearConstraint(once, ub=1), LinearConstraint(trained, ub=0), LinearConstraint(budget, ub=k)],
        options={"mip_rel_gap": 0},
    )
    if not found.success:
        raise UserError(f"the best {k} sources of {count} could not be found: {found.message}")
    return served(options, np.flatnonzero(found.x[:count] > 0.5))


def curve(gains: np.ndarray, itself: bool = False) -> list[Served]:
    """The choice for every k from 0 on, until one more source gains nothing."""
    choices = [choose_sources(gains, 0, itself)]
    for k in range(1, len(gains) + 1):
        more = choose_sources(gains, k, itself)
        if len(more.sources) < k:
            break
        choices.append(more)
    return choices


def served(gains: np.ndarray, sources: np.ndarray) -> Served:
    """Every target with the best of `sources` (indices) by gains (M, N), or with the zero-shot prompt; NaN is no option."""
    usable = np.where(gains[sources] > 0, gains[sources], 0.0)
    if not len(sources) or not usable.any():
        return Served((), np.full(gains.shape[1], NONE), 0.0)
    best = usable.max(axis=0)
    serves = np.where(best > 0, np.asarray(sources)[usable.argmax(axis=0)], NONE)
    return Served(tuple(int(one) for one in np.unique(serves[serves != NONE])), serves, float(best.mean()))


def often(values: np.ndarray, k: int, itself: bool = False, draws: int = DRAWS) -> np.ndarray:
    """How stable a choice is: the share of `draws` in which each source is chosen, (M,). values: gains (S, M, N). A draw is S seeds with
    replacement, on the mean of which k sources are chosen. With one seed nothing can differ: NaN."""
    seeds, shares = len(values), np.zeros(values.shape[1])
    if seeds < 2:
        return np.full_like(shares, np.nan)
    rng = named_rng("budget", "often")
    drawn = Counter(tuple(sorted(rng.integers(seeds, size=seeds).tolist())) for _ in range(draws))
    for chosen, times in sorted(drawn.items()):
        shares[list(choose_sources(seed_mean(values[list(chosen)]), k, itself).sources)] += times / draws
    return shares


def judged(values: np.ndarray, k: int, itself: bool = False, repeats: int = RANDOM) -> Judged:
    """k sources chosen, with the targets that each serves, on the mean of all seeds but one, and scored on that one.

    values: gains (S, M, N). Random choices are of as many sources as are chosen, which serve targets by the gains of the seeds that chose.
    """
    values, tried = _options(values, itself), []
    for seed in range(len(values) if len(values) > 1 else 0):
        known, own = seed_mean(np.delete(values, seed, axis=0)), values[seed]
        chosen = choose_sources(known, k, itself=True)
        rng = named_rng("budget", "sources", seed, k)
        random = [served(known, np.sort(rng.choice(len(known), len(chosen.sources), replace=False))) for _ in range(repeats)]
        worth, others = _worth(own, chosen), np.array([_worth(own, one) for one in random])
        tried.append((chosen.value, worth, others.mean(), (others >= worth).mean()))
    return Judged(*(float(one) for one in np.mean(tried, axis=0))) if tried else Judged(*[np.nan] * 4)


def _worth(gains: np.ndarray, choice: Served) -> float:
    """Mean gain of a choice by other gains (M, N) than it was made by; targets whose gain is missing there are left out."""
    own = np.where(choice.serves == NONE, 0.0, gains[choice.serves, np.arange(gains.shape[1])])
    there = np.isfinite(own)
    return float(own[there].mean()) if there.any() else np.nan


def _options(gains: np.ndarray, itself: bool) -> np.ndarray:
    """Gains (..., M, N) that may serve."""
    gains = np.asarray(gains, dtype=np.float64)
    if np.isinf(gains).any():
        raise UserError("gains hold an infinite number; give NaN where a cell is missing")
    if itself:
        return gains
    if gains.shape[-2] != gains.shape[-1]:
        raise UserError(
            f"gains of {gains.shape[-2]} sources and {gains.shape[-1]} targets do not say which source is a target's own; "
            "give a square matrix, or itself=True"
        )
    return off_diagonal(gains)
