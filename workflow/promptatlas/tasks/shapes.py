"""Sizes and modes of images as their files have them, read from the heads of files where that suffices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from promptatlas.tasks import upright
from promptatlas.tasks.listing import Images
from promptatlas.tasks.readers.files import Files

MOST = 500  # images per split that are looked at where each has to be decoded for it
PLAIN = ("RGB", "L")  # modes of which nothing needs to be said


@dataclass
class Shapes:
    """sizes: (width, height) with how many images have it; modes: of Pillow likewise; turned: images that lie on their side by EXIF."""

    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)
    turned: int = 0

    @classmethod
    def of(cls, splits: Iterable[Images]) -> Shapes:
        """Of all images that can be opened; of data that are no files, of the first MOST of each split."""
        found = cls()
        for images in splits:
            for index in range(len(images) if isinstance(images, Files) else min(len(images), MOST)):
                with suppress(Exception):  # Pillow raises many kinds; that an image cannot be read is told by who prepares it
                    found._add(images, index)
        return found

    def _add(self, images: Images, index: int) -> None:
        with upright.opened(images.name(index)) if isinstance(images, Files) else images.open(index) as image:
            self.sizes[image.size] += 1
            self.modes[image.mode] += 1
            self.turned += upright.is_turned(image)

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
