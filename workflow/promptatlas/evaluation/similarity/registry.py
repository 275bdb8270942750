"""The registry of similarity measures between tasks. Knows nothing of transfer results or of any single measure.

A measure is a function from a `Corpus` to an n x n matrix, larger = closer, NaN = not computable. Registering one
is all that is needed for it to appear in every table, test and figure.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from promptatlas.base.errors import UserError
from promptatlas.base.messages import suggest


@dataclass(frozen=True)
class Corpus:
    """What measures may look at: n tasks in one fixed order.

    names: n task names; tasks: n `Task` records; images: n arrays (N_t, D) of L2-normalised image features of the
    training pools; classes: n arrays (C_t, D) of class-name embeddings.
    """

    names: tuple[str, ...]
    tasks: tuple
    images: tuple[np.ndarray, ...]
    classes: tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Measure:
    """A registered measure: name, title in words, family (visual | label | prompt | estimator | truth), directed or not."""

    name: str
    title: str
    family: str
    directed: bool
    compute: Callable[[Corpus], np.ndarray]


FAMILIES = ("visual", "label", "prompt", "estimator", "truth")
_MEASURES: dict[str, Measure] = {}


def measure(name: str, title: str, family: str, directed: bool) -> Callable:
    """Decorator that registers ``corpus -> (n, n)`` as a measure; rows are sources, columns are targets."""

    def register(function: Callable[[Corpus], np.ndarray]) -> Callable[[Corpus], np.ndarray]:
        _MEASURES[name] = Measure(name, title, family, directed, function)
        return function

    return register


def registered() -> list[str]:
    """Names of all registered measures, family by family."""
    return sorted(_MEASURES, key=lambda name: FAMILIES.index(_MEASURES[name].family))


def lookup(name: str) -> Measure:
    """The measure called `name`; a `UserError` names the nearest one if there is none."""
    if name not in _MEASURES:
        raise UserError(f"similarity measure '{name}' is not known; {suggest(name, _MEASURES)}")
    return _MEASURES[name]
