"""The registry of similarity measures between tasks. Knows nothing of transfer results or of any single measure.

A measure is a function from a `Corpus` to an n x n matrix, larger = closer, NaN = not computable. Registering one
is all that is needed for it to appear in every table, test and figure and on the page.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from promptatlas.base.errors import UserError
from promptatlas.base.messages import shown, suggest
from promptatlas.base.registry import Registry, require_column
from promptatlas.base.signatures import require

FAMILIES = ("visual", "label", "prompt", "estimator", "truth")
ALL, STANDARD = "all", "standard"
NEEDS = ("images", "labels", "class_names", "prompts", "logits", "start", "behaviours")


@dataclass(frozen=True)
class Behaviour:
    """What the frozen model does under one prompt.

    classes: (K, D) features of the class names of all tasks, None where the prompt leaves them as they are or they differ from image to
    image; images: (P, D) features of the same images of all tasks, None where it leaves them as they are; answers: by task, logits (N, C)
    for those images that are the task's own. active: where a prompt changes classes, images or both, which of the H units of the last block
    are active (above 0) at the token that becomes the feature, (K, H / 8) and (P, H / 8), eight in a byte.
    """

    classes: np.ndarray | None
    images: np.ndarray | None
    answers: Mapping[str, np.ndarray]
    active: tuple[np.ndarray, ...] = ()


@dataclass(frozen=True)
class Corpus:
    """What measures may look at: n tasks in one fixed order.

    names: n task names; tasks: n `Task` records; images: n arrays (N_t, D) of L2-normalised image features of the
    training pools; classes: n arrays (C_t, D) of class-name embeddings. For measures that need them:
    labels: n arrays, class numbers (N_t,) or marks (N_t, C_t) of the images; logits: n arrays (N_t, C_t), cosines of the images and
    the names of their own task's classes. Of one method and seed: prompts: n dictionaries of the arrays that enter the towers; start:
    the same of the untrained prompt that all of them start from; behaviours: n of them.
    """

    names: tuple[str, ...]
    tasks: tuple
    images: tuple[np.ndarray, ...]
    classes: tuple[np.ndarray, ...]
    labels: tuple[np.ndarray, ...] = ()
    logits: tuple[np.ndarray, ...] = ()
    prompts: tuple[Mapping[str, np.ndarray], ...] = ()
    start: Mapping[str, np.ndarray] = field(default_factory=dict)
    behaviours: tuple[Behaviour, ...] = ()


@dataclass(frozen=True)
class Measure:
    """A registered measure.

    name: what tables call it; title: in words; description: one line on what it is; family: one of `FAMILIES`; directed: whether
    from a to b is another thing than from b to a; needs: what it looks at, of `NEEDS`. One that needs prompts is computed for each
    method and seed. images, classes: the least that a task must have of each. standard: whether it is in every study that names none.
    """

    name: str
    title: str
    description: str
    family: str
    directed: bool
    needs: tuple[str, ...]
    compute: Callable[[Corpus], np.ndarray]
    images: int = 1
    classes: int = 1
    standard: bool = True

    def __post_init__(self) -> None:
        require_column("measure", self.name)
        if self.family not in FAMILIES:
            raise UserError(f"measure {self.name!r}: its family is {shown(self.family)}; it is one of {', '.join(FAMILIES)}")
        if unknown := [need for need in self.needs if need not in NEEDS]:
            raise UserError(f"measure {self.name!r}: there is no {shown(unknown[0])} to need; {suggest(unknown[0], NEEDS)}")
        require(f"measure {self.name!r}: its function", self.compute, ("corpus",))


MEASURES: Registry[Measure] = Registry("measure")


def register(measure: Measure) -> None:
    """Makes a measure known. UserError if there is one of its name: values that exist would change their meaning."""
    MEASURES.add(measure.name, measure)


def measure(
    name: str, title: str, family: str, directed: bool, needs: Sequence[str], description: str = "", images: int = 1, classes: int = 1,
    standard: bool = True,
) -> Callable:  # fmt: skip
    """Decorator that registers ``corpus -> (n, n)`` as a measure; rows are sources, columns are targets.

    Without a description the first line of the function's docstring is it.
    """

    def registering(function: Callable[[Corpus], np.ndarray]) -> Callable[[Corpus], np.ndarray]:
        line = description or (function.__doc__ or title).strip().splitlines()[0]
        register(Measure(name, title, line, family, directed, tuple(needs), function, images, classes, standard))
        return function

    return registering


def registered() -> list[str]:
    """Names of all registered measures, family by family."""
    return sorted(MEASURES, key=lambda name: FAMILIES.index(MEASURES[name].family))


def lookup(name: str) -> Measure:
    """The measure called `name`; a `UserError` names the nearest one if there is none."""
    return MEASURES.lookup(name)


def chosen(names: str | Sequence[str]) -> list[Measure]:
    """The measures of a configuration: those of these names, "all" that are registered, or those of them that are "standard"."""
    if isinstance(names, str):
        return [one for one in map(lookup, registered()) if one.standard or names == ALL]
    return [lookup(name) for name in names]


def needs(names: str | Sequence[str]) -> frozenset[str]:
    """What the measures of a configuration look at."""
    return frozenset(need for one in chosen(names) for need in one.needs)
