"""Sizes and modes of images as their files have them, read from the heads of the files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import BinaryIO

from promptatlas.tasks import upright

PLAIN = ("RGB", "L")  # modes of which nothing needs to be said


@dataclass
class SizesAndModes:
    """sizes: (width, height) in pixels with how many images have it; modes: of Pillow likewise; turned: images that are stored turned, as
    their EXIF says."""

    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)
    turned: int = 0

    @classmethod
    def of(cls, files: Iterable[str | BinaryIO]) -> SizesAndModes:
        """Of those that can be opened; names that are no files are left out."""
        found = cls()
        for file in files:
            with suppress(Exception), upright.opened(file) as image:  # Pillow raises many kinds; who prepares the image tells of them
                found.sizes[image.size] += 1
                found.modes[image.mode] += 1
                found.turned += upright.is_turned(image)
        return found

    def words(self) -> str:
        """In one line; empty where no image was opened."""
        if not self.sizes:
            return ""
        by_area = sorted(self.sizes, key=lambda size: size[0] * size[1])
        (width, height), (wider, higher) = by_area[0], by_area[-1]
        span = f"{width}x{height} px" if len(by_area) == 1 else f"{width}x{height} to {wider}x{higher} px"
        odd = [f"{count:,} of mode {mode}" for mode, count in sorted(self.modes.items()) if mode not in PLAIN]
        turned = [f"{self.turned:,} turned upright"] if self.turned else []
        return ", ".join([span, *odd, *turned])
