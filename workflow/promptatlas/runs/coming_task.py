"""A task that is going to be prepared again, as far as it is known before its images and labels are read."""

from __future__ import annotations

import numpy as np

from promptatlas.base.errors import UserError
from promptatlas.tasks.prepared import PreparedTask

# What leaves the labels of all splits as they are, and what besides leaves every image as it is that was prepared and is wanted.
SAME_IMAGES = frozenset({"shots", "seeds", "draw", "choice"})
SAME_LABELS = SAME_IMAGES | {"resize", "interpolation", "test_pictures", "backbone", "library numerics"}


class Changed(UserError):
    """What of a task differs, so that only preparing it tells whether a result made from it still holds."""

    def __init__(self, *inputs: str) -> None:
        super().__init__(", ".join(inputs))
        self.inputs = inputs


class ComingTask(PreparedTask):
    """A prepared task of which `unread`, some of `SAME_LABELS`, differ now. Changed for what these may change."""

    unread: tuple[str, ...]

    def fingerprint(self, split: str, numbers: np.ndarray | None = None) -> str:
        """Of the test split and of images that are prepared by now, if only others are drawn."""
        if not SAME_IMAGES.issuperset(self.unread) or (numbers is None and split != "test"):
            raise Changed(*self.unread)
        try:
            return super().fingerprint(split, numbers)
        except UserError:
            raise Changed(*self.unread) from None
