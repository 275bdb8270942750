"""Which of several choices has the best score on validation images.

A score that is no finite number says nothing, so it is never the best, wherever it comes in the row. Of equal scores the first wins.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import numpy as np

from promptatlas.base.errors import UserError

Choice = TypeVar("Choice")
NONE = (
    "no {} has a score that is a number on the validation images, so none can be chosen; "
    "look at the learning rate, the images and their labels"
)


class Best(Generic[Choice]):
    """Of what is offered, one after the other, the first with the highest score."""

    def __init__(self, what: str) -> None:
        self.what, self._score = what, -np.inf
        self._kept: Choice | None = None

    def offer(self, score: float, choice: Callable[..., Choice]) -> None:
        """`choice` gives what is kept, and is asked only if it is."""
        if np.isfinite(score) and score > self._score:
            self._score, self._kept = score, choice()

    def taken(self) -> Choice:
        """The best. UserError if nothing that was offered had a score."""
        if self._kept is None:
            raise UserError(NONE.format(self.what))
        return self._kept


class Latest(Best[Choice]):
    """Of equal scores the last, as LP++ has it."""

    def offer(self, score: float, choice: Callable[..., Choice]) -> None:
        if np.isfinite(score) and score >= self._score:
            self._score, self._kept = score, choice()


class Last(Best[Choice]):
    """What is offered last, whatever its score, as papers that train for a fixed number of epochs have it."""

    def offer(self, score: float, choice: Callable[..., Choice]) -> None:
        self._kept = choice()


def epochs(settings: dict, best: type[Best] = Best) -> Best:
    """What keeps the epoch that the setting `select` means, `best_validation`, which is what `best` keeps, or `last`."""
    return (Last if settings["select"] == "last" else best)("epoch")


def best_of(what: str, scores: np.ndarray) -> tuple[int, ...]:
    """Where in an array of any shape the first highest score is. UserError if no score is finite."""
    finite = np.isfinite(scores)
    if not finite.any():
        raise UserError(NONE.format(what))
    return tuple(int(i) for i in np.unravel_index(np.where(finite, scores, -np.inf).argmax(), scores.shape))
