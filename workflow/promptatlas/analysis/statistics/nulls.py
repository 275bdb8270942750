"""Made-up studies in which the truth is known: nothing has to do with anything, or parts of given size. Knows no test.

Each null keeps what makes tests of a transfer matrix go wrong: strong sources and targets, tasks that lie in a space and thus
depend on each other, effects of families, a few wild cells, cells that are missing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from promptatlas.analysis.statistics.regret import static_list

MEASURES = 3
SEED_NOISE = 0.5
MISSING = 0.2


@dataclass(frozen=True)
class MadeUpStudy:
    """scores: (M, S, n, n) of M methods; measures: name -> (n, n); printed: (n, n); none has to do with another."""

    scores: np.ndarray
    measures: dict[str, np.ndarray]
    printed: np.ndarray


Matrix = Callable[[], np.ndarray]


def independent(rng: np.random.Generator, families: Sequence[str]) -> Matrix:
    """All cells alike and apart."""
    return lambda: rng.normal(size=(len(families), len(families)))


def effects(rng: np.random.Generator, families: Sequence[str]) -> Matrix:
    """Strong sources and targets, and tasks with places in a space: near ones help each other."""
    n = len(families)

    def made() -> np.ndarray:
        places = rng.normal(size=(n, 3))
        near = -((places[:, None] - places[None]) ** 2).sum(axis=2) / 3
        return rng.normal(size=(n, 1)) + 2 * rng.normal(size=n) + near + 0.5 * rng.normal(size=(n, n))

    return made


def by_family(rng: np.random.Generator, families: Sequence[str]) -> Matrix:
    """Every pair of families has an effect of its own."""
    kinds = sorted(set(families))
    kin = np.array([kinds.index(family) for family in families])

    def made() -> np.ndarray:
        return rng.normal(size=(len(kinds), len(kinds)))[kin][:, kin] + 0.5 * rng.normal(size=(len(kin), len(kin)))

    return made


def heavy_tails(rng: np.random.Generator, families: Sequence[str]) -> Matrix:
    """Sources and targets, and cells of which a few are wild: Student's t with 2.5 degrees of freedom."""
    n = len(families)
    return lambda: rng.normal(size=(n, 1)) + 2 * rng.normal(size=n) + rng.standard_t(2.5, size=(n, n))


NULLS: dict[str, Callable[[np.random.Generator, Sequence[str]], Matrix]] = {
    "independent": independent,
    "effects": effects,
    "families": by_family,
    "heavy tails": heavy_tails,
    "holes": effects,
}


def study(null: str, families: Sequence[str], rng: np.random.Generator, seeds: int = 3) -> MadeUpStudy:
    """One made-up study of two methods with tasks of the `families` (n,), which in the null `holes` lacks a fifth of its cells."""
    made = NULLS[null](rng, families)
    shape = (seeds, len(families), len(families))
    scores = np.stack([made() + SEED_NOISE * rng.normal(size=shape) for _ in range(2)])
    measures = {f"measure {number + 1}": made() for number in range(MEASURES)}
    if null == "holes":
        scores[np.broadcast_to(rng.random(scores.shape[-2:]) < MISSING, scores.shape)] = np.nan
        measures["measure 1"][rng.random(shape[1:]) < MISSING / 2] = np.nan
    return MadeUpStudy(scores, measures, made())


def equal_lists(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Scores (n, n), and as a measure the static list that n other targets would give of the same sources: as good, not better."""
    strength = rng.normal(size=(n, 1))
    scores, others = (strength + 2 * rng.normal(size=n) + rng.normal(size=(n, n)) for _ in range(2))
    return scores, static_list(others)


@dataclass(frozen=True)
class PlantedEffects:
    """Variances that `planted` gives a cell, and correlations of its parts."""

    source: float = 0.3
    target: float = 1.0
    relationship: float = 0.5
    seed_source: float = 0.1
    seed_target: float = 0.05
    seed_cell: float = 0.3
    giver_receiver: float = 0.4
    reciprocity: float = 0.3
    measure: float = 0.5
    agreement: float = 0.6


def planted(effects: PlantedEffects, n: int, seeds: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores of two methods (S, n, n) each and a measure (n, n), with the parts as given."""
    own = _mutual(n, effects.reciprocity, rng)
    other = effects.agreement * own + np.sqrt(1 - effects.agreement**2) * _mutual(n, effects.reciprocity, rng)
    measure = effects.measure * own + np.sqrt(1 - effects.measure**2) * _mutual(n, effects.reciprocity, rng)

    def method(relationship: np.ndarray) -> np.ndarray:
        giving, receiving = rng.normal(size=(2, n))
        receiving = effects.giver_receiver * giving + np.sqrt(1 - effects.giver_receiver**2) * receiving
        mean = (
            np.sqrt(effects.source) * giving[:, None] + np.sqrt(effects.target) * receiving + np.sqrt(effects.relationship) * relationship
        )
        noise = [
            np.sqrt(variance) * rng.normal(size=shape)
            for variance, shape in (
                (effects.seed_source, (seeds, n, 1)), (effects.seed_target, (seeds, 1, n)), (effects.seed_cell, (seeds, n, n)),
            )
        ]  # fmt: skip
        return mean + sum(noise)

    return method(own), method(other), measure


def _mutual(n: int, correlation: float, rng: np.random.Generator) -> np.ndarray:
    """Standard normal cells (n, n) of which (i, j) and (j, i) correlate."""
    upper, lower = np.triu(rng.normal(size=(n, n))), np.triu(rng.normal(size=(n, n)))
    return upper + (correlation * upper + np.sqrt(1 - correlation**2) * lower).T * (1 - np.eye(n))
