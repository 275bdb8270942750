"""The registry of estimators: how well one prompt will serve one target, from what it makes of the target's images. Knows no single one.

An estimator is a function from what was `Observed` to one number, larger = better. Prompts are compared with each other on the same images.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np

from promptatlas.base import plugins
from promptatlas.base.errors import UserError
from promptatlas.base.messages import shown, suggest
from promptatlas.base.registry import Registry, require_column
from promptatlas.base.signatures import require


class Undefined(ValueError):
    """Why an estimator has no value, in a few words."""


@dataclass(frozen=True)
class Observed:
    """What estimators may look at of one prompt on N images of a target with C classes. None: not there.

    logits: (N, C) scaled cosines under the prompt; labels: class numbers (N,) or marks (N, C) of 0 and 1; features: image features
    (N, D) under a prompt that changes them. source_probabilities: (N, S) of the prompt over the S classes that it was trained on.
    hand_written: logits (N, C) of the target's zero-shot prompt; majority: (N, C) mean probabilities of all prompts that are compared.
    delta: (V,) what tuning on the source changed in the prompt's numbers; gradient: (V,) of the target's mean loss at the start of that
    tuning. validation: the score of the prompt on its own source's validation images.
    """

    logits: np.ndarray
    labels: np.ndarray | None = None
    features: np.ndarray | None = None
    source_probabilities: np.ndarray | None = None
    hand_written: np.ndarray | None = None
    majority: np.ndarray | None = None
    delta: np.ndarray | None = None
    gradient: np.ndarray | None = None
    validation: float | None = None

    @property
    def representation(self) -> np.ndarray:
        """(N, D) or (N, C): what the prompt makes of the images. A prompt of text alone leaves image features as they are, the same for
        every source; only its logits tell sources apart."""
        return np.asarray(self.logits if self.features is None else self.features, dtype=np.float64)

    @property
    def given_labels(self) -> np.ndarray:
        """Class numbers (N,) or marks (N, C). Undefined without any."""
        return np.asarray(self.given("labels"))

    def given(self, need: str) -> np.ndarray:
        """The array called `need`; Undefined if it is not there."""
        found = getattr(self, need)
        if found is None:
            raise Undefined(f"{NEEDS[need]} not given")
        return np.asarray(found)


# What may be needed besides the logits, in the words of the reason for a gap.
NEEDS = {
    "labels": "labels are",
    "source_probabilities": "probabilities of the source's classes are",
    "hand_written": "answers of the zero-shot prompt are",
    "majority": "answers of the other prompts are",
    "delta": "the prompt's start is",
    "gradient": "the gradient at the prompts' start is",
    "validation": "the source's validation score is",
}
assert set(NEEDS) < {field.name for field in fields(Observed)}


@dataclass(frozen=True)
class Estimator:
    """A registered estimator.

    name: what tables call it; title: in words; description: one line on what it is; formula and source: for the documentation; needs: what
    it looks at besides the logits, of `NEEDS`. images, classes, per_class: the least numbers of images, of classes with images, and of
    images in each of these; multilabel: whether images may have several labels. costly: left out unless it is named.
    """

    name: str
    title: str
    description: str
    formula: str
    source: str
    needs: tuple[str, ...]
    compute: Callable[[Observed], float]
    images: int = 1
    classes: int = 1
    per_class: int = 1
    multilabel: bool = True
    costly: bool = False

    def __post_init__(self) -> None:
        require_column("estimator", self.name)
        if unknown := [need for need in self.needs if need not in NEEDS]:
            raise UserError(f"estimator {self.name!r}: there is no {shown(unknown[0])} to need; {suggest(unknown[0], NEEDS)}")
        require(f"estimator {self.name!r}: its function", self.compute, ("observed",))

    @property
    def labelled(self) -> bool:
        """Whether it needs labels of the target's images, directly or in a loss."""
        return bool({"labels", "gradient"} & {*self.needs})


@dataclass(frozen=True)
class Estimate:
    """What an estimator gives: NaN has a reason, a number has none."""

    value: float
    reason: str = ""


ESTIMATORS: Registry[Estimator] = Registry("estimator")


def register(estimator: Estimator) -> None:
    """Makes an estimator known. UserError if there is one of its name."""
    ESTIMATORS.add(estimator.name, estimator)


def estimator(
    name: str, title: str, formula: str, source: str, needs: Sequence[str] = (), images: int = 1, classes: int = 1, per_class: int = 1,
    multilabel: bool = True, costly: bool = False,
) -> Callable:  # fmt: skip
    """Decorator that registers ``observed -> float``, larger = better. The first line of the function's docstring describes it."""

    def registering(function: Callable[[Observed], float]) -> Callable[[Observed], float]:
        line = (function.__doc__ or title).strip().splitlines()[0]
        register(Estimator(name, title, line, formula, source, tuple(needs), function, images, classes, per_class, multilabel, costly))
        return function

    return registering


def lookup(name: str) -> Estimator:
    """The estimator called `name`; a `UserError` names the nearest one if there is none."""
    return ESTIMATORS.lookup(name)


def code(names: Sequence[str]) -> dict[str, str]:
    """By name the SHA-256 of the code of those that come from plugins."""
    every = ESTIMATORS.code()
    return {name: every[name] for name in names if name in every}


def cheap() -> list[str]:
    """Names of the estimators that take milliseconds for a prompt."""
    return [name for name, one in ESTIMATORS.items() if not one.costly]


def estimate(observed: Observed, names: Sequence[str]) -> dict[str, Estimate]:
    """By name what each estimator gives; NaN, with the reason, where it is not defined."""
    return {name: _estimate(lookup(name), observed) for name in names}


def _estimate(one: Estimator, observed: Observed) -> Estimate:
    try:
        _require(one, observed)
        value = float(one.compute(observed))
    except Undefined as why:
        return Estimate(float("nan"), str(why))
    except Exception as error:
        if told := plugins.blamed(error):  # what a plugin does wrong costs its own values
            return Estimate(float("nan"), told)
        raise
    return Estimate(value) if np.isfinite(value) else Estimate(float("nan"), "it is not a finite number")


def _require(one: Estimator, observed: Observed) -> None:
    """Undefined if what is needed is not there, or not enough of it."""
    for need in one.needs:
        observed.given(need)
    if not np.isfinite(observed.representation).all():
        raise Undefined("the answers are not finite numbers")
    if len(observed.logits) < one.images:
        raise Undefined(f"{len(observed.logits)} images, and it needs {one.images}")
    if "labels" not in one.needs:
        return
    labels = observed.given_labels
    if labels.ndim > 1 and not one.multilabel:
        raise Undefined("images have several labels")
    counts = labels.sum(0) if labels.ndim > 1 else np.bincount(labels)
    counts = counts[counts > 0]
    if len(counts) < one.classes:
        raise Undefined(f"{len(counts)} of the classes have images, and it needs {one.classes}")
    if len(counts) and counts.min() < one.per_class:
        raise Undefined(f"a class has {int(counts.min())} of the images, and it needs {one.per_class}")
