"""What a reader finds of a task before any image is decoded."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from PIL.Image import Image

from promptatlas.base.errors import UserError
from promptatlas.base.messages import shown, suggest

SPLITS = ("train", "validation", "test")


class Images(Protocol):
    """N images that can be opened one by one, also in another process: every implementation can be pickled."""

    def __len__(self) -> int: ...

    def open(self, index: int) -> Image:
        """The decoded image, in its own size and mode. Raises OSError or another error of Pillow if it is broken."""

    def name(self, index: int) -> str:
        """What a person calls it: a path, of any bytes, or data set, split and number."""


NO_IMAGES: Any = ()  # of a split without any: a length, and nothing to open


@dataclass(frozen=True)
class Split:
    """Images and their labels: (N,) int64 class numbers, or for a multi-label task (N, C) uint8 marks.

    `stamp` changes when the images change: names and sizes of files, or the identity of an archive.
    """

    images: Images
    labels: np.ndarray
    stamp: str


@dataclass(frozen=True)
class Listing:
    """All splits of a task ("train", "test", often "validation"); labels count `class_names`, spelt as in the source.

    `split_source` says who decided which image is a test image: "official", "promptatlas", ...; `notes` what is odd
    about the source, in sentences without a full stop.
    """

    class_names: tuple[str, ...]
    splits: dict[str, Split]
    split_source: str
    notes: tuple[str, ...] = ()


def require_whole(listing: Any, reader: str) -> None:
    """UserError, beginning with `reader`, unless it is a `Listing` whose splits have a label for each image."""
    if not isinstance(listing, Listing):
        raise UserError(f"{reader}: `read` must give a Listing, not {shown(listing)}; mend it")
    if unknown := [split for split in listing.splits if split not in SPLITS]:
        raise UserError(f"{reader}: there is no split {shown(unknown[0])}; {suggest(unknown[0], SPLITS)}")
    if "test" not in listing.splits:
        raise UserError(f"{reader}: `read` gives no split `test`, on which prompts are scored; add it, it may be empty")
    for split, part in listing.splits.items():
        labels = part.labels
        if not isinstance(labels, np.ndarray) or labels.ndim not in (1, 2) or (len(labels) and labels.dtype.kind not in "iub"):
            raise UserError(f"{reader}: the labels of split {split} must be an array of class numbers (N,) or of marks (N, C); mend them")
        if len(part.images) != len(labels):
            raise UserError(f"{reader}: split {split} has {len(part.images)} images and {len(labels)} labels; mend one of the two")
