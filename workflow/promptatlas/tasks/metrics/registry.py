"""The registry of metrics.

Registering a metric is all that is needed for tasks to be scored by it, epochs to be chosen by it, and tables and pages to name it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from promptatlas.base.errors import UserError
from promptatlas.base.messages import shown
from promptatlas.base.registry import Registry, require_column
from promptatlas.base.signatures import require

MEAN_OVER = ("images", "classes", "")
CALLED = {
    "function": ("logits", "labels"), "curve": ("marks", "scores"), "chance": ("labels", "classes"), "undefined": ("labels",),
    "guessing_error": ("chance", "count"), "standard_error": ("labels",),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Metric:
    """What a metric is, between 0 and 1, larger = better. One of three kinds:

    * function: logits (N, C) float64 and labels -> the value and the same by class (C,), nan where a class has no image;
    * curve: ranks images. Marks (N,) of one class and the scores (..., N) of images for it -> (...,), nan without a value. What is ranked
      are softmax probabilities, and the value is the mean over classes, or, where `classes` is two, that of the second;
    * neither: the mean over images or classes of how many answers are right.

    labels: class numbers (N,), or, if `multilabel`, marks (N, C). name: what descriptions and tables call it; title: what people do.
    chance: labels and C -> what blind guessing scores on average.
    mean_over: "images" (a large class counts more than a small one), "classes" (those with images count alike) or "" (neither).
    classes: how many a task must have; None for any number.
    undefined: why there is no value on labels of which there are some, whatever the answers, as part of a sentence; "" if there is one.
    guessing_error: chance and N -> the standard error of the score of guessing. standard_error: labels -> the largest that a score
    can have. None where it is not known in closed form.
    """

    name: str
    title: str
    chance: Callable[[np.ndarray, int], float]
    function: Callable[[np.ndarray, np.ndarray], tuple[float, np.ndarray]] | None = None
    curve: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    mean_over: str = ""
    multilabel: bool = False
    classes: int | None = None
    undefined: Callable[[np.ndarray], str] = lambda labels: ""
    guessing_error: Callable[[float, int], float] | None = None
    standard_error: Callable[[np.ndarray], float | None] | None = None

    def __post_init__(self) -> None:
        require_column("metric", self.name)
        if self.mean_over not in MEAN_OVER:
            raise UserError(f"metric {self.name!r}: mean_over is {shown(self.mean_over)}; it is one of 'images', 'classes' and ''")
        if self.function is not None and self.curve is not None:
            raise UserError(f"metric {self.name!r} has a function and a curve; give one of them")
        if self.of_right_answers and (self.multilabel or not self.mean_over):
            raise UserError(
                f"metric {self.name!r} has neither a function nor a curve; give one, or mean_over for the share of right answers among "
                "images of one class"
            )
        for field, arguments in CALLED.items():
            if (function := getattr(self, field)) is not None:
                require(f"metric {self.name!r}: its `{field}`", function, arguments)

    @property
    def of_right_answers(self) -> bool:
        """Whether it is the mean over images or classes of how many answers are right."""
        return self.function is None and self.curve is None


METRICS: Registry[Metric] = Registry("metric")


def register(metric: Metric) -> None:
    """Makes a metric known. UserError if there is one of its name: scores that exist would change their meaning."""
    METRICS.add(metric.name, metric)


def registered(multilabel: bool | None = None) -> list[str]:
    """Names of all registered metrics, or of those for images of several classes (True) or of one class (False)."""
    return [name for name, metric in METRICS.items() if multilabel in (None, metric.multilabel)]


def lookup(name: str) -> Metric:
    """The metric called `name`; a UserError names the nearest one if there is none."""
    return METRICS.lookup(name)


def mark(name: str) -> str:
    """What stands for a metric in a fingerprint: its name and, if it comes from a plugin, the hash of that file."""
    code = METRICS.code().get(name)
    return f"{name} {code}" if code else name


def title(name: str) -> str:
    """A metric as people call it, also with what published tables say after its name; one that is not registered by its own name."""
    first, space, rest = name.partition(" ")
    return (METRICS[first].title if first in METRICS else first.replace("_", " ")) + space + rest


def choice(names: Iterable[str]) -> str:
    """Names to choose from: "a, b or c"."""
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last
