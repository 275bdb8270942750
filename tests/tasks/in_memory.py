"""Images without a folder, for workers in other processes: imports nothing that is slow to import."""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image


def make_image(number: int, width: int = 50, height: int = 40, mode: str = "RGB") -> Image.Image:
    values = np.random.default_rng(number).integers(256, size=(height, width, 3), dtype=np.uint8)
    return Image.fromarray(values).convert(mode)


@dataclass
class Encoded:
    """Images as files in memory."""

    files: list[bytes]

    def __len__(self) -> int:
        return len(self.files)

    def open(self, index: int) -> Image.Image:
        return Image.open(io.BytesIO(self.files[index]))

    def name(self, index: int) -> str:
        return f"image {index}"


@dataclass
class Interrupted(Encoded):
    """Ends the process, as far as it can be ended, at the image `at`."""

    at: int = 0

    def open(self, index: int) -> Image.Image:
        if index == self.at:
            raise KeyboardInterrupt
        return super().open(index)


def encoded(count: int) -> list[bytes]:
    files = []
    for number in range(count):
        buffer = io.BytesIO()
        make_image(number, 30 + number % 17, 30 + number % 5).save(buffer, "JPEG" if number % 2 else "PNG")
        files.append(buffer.getvalue())
    return files
