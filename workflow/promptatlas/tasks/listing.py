"""What a reader finds of a task before any image is decoded."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from PIL.Image import Image


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
