"""Random crops and flips of training images, as the papers that follow CoOp have them: torchvision's RandomResizedCrop and
RandomHorizontalFlip, of images as they were prepared.

A crop has a share of the area between SHARE, a ratio of width to height between RATIO, is drawn again at most TRIES times if it does not
fit, and is else the whole image. It is enlarged to the size of the image by the cubic of Keys with a = -1/2 in whole bytes, first along
rows, then along columns, as Pillow does it. Knows nothing of prompts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from promptatlas.backbone.accelerator import sent

SHARE, RATIO, TRIES = (0.08, 1.0), (3 / 4, 4 / 3), 10
FLIPPED = 0.5


class Crops:
    """Of the images of K draws, drawn anew for each epoch, each draw's by a generator of its own: whatever others there are beside it."""

    def __init__(self, generators: Sequence[np.random.Generator], counts: Sequence[int], size: int, device: torch.device) -> None:
        """counts: images of each draw, of size x size."""
        self.generators, self.counts, self.size = generators, counts, size
        whole = torch.tensor([0.0, 0.0, size, size, 0.0], device=device)
        self.boxes = whole.repeat(len(counts), max(counts), 1)

    def draw(self) -> None:
        """Other crops for all images; written in place, where a recorded step finds them again."""
        boxes = np.zeros(self.boxes.shape, np.float32)  # where a draw has no image, nobody looks
        for own, generator, count in zip(boxes, self.generators, self.counts, strict=True):
            own[:count] = drawn(generator, count, self.size)
        self.boxes.copy_(sent(boxes, self.boxes.device))


def drawn(generator: np.random.Generator, count: int, size: int) -> np.ndarray:
    """(count, 5) of square images: top, left, height and width of a crop in pixels, and whether it is flipped."""
    area = size * size * generator.uniform(SHARE[0], SHARE[1], (count, TRIES))
    ratio = np.exp(generator.uniform(math.log(RATIO[0]), math.log(RATIO[1]), (count, TRIES)))
    sides = np.stack([np.sqrt(area / ratio), np.sqrt(area * ratio)], axis=-1).round().astype(np.int64)
    fits: np.ndarray = np.all((sides > 0) & (sides <= size), axis=-1)
    chosen = np.where(fits.any(axis=1, keepdims=True), sides[np.arange(count), fits.argmax(axis=1)], size)
    places = generator.integers(0, size - chosen + 1)
    return np.column_stack([places, chosen, generator.random(count) < FLIPPED])


def cropped(images: Tensor, boxes: Tensor) -> Tensor:
    """Crops (N, R, R, 3) of uint8 images (N, R, R, 3) by boxes (N, 5) as `drawn` gives them, in their size."""
    top, left, height, width, flipped = boxes.unbind(1)
    size = images.shape[1]
    seen = _whole(torch.einsum("nxc,nyck->nyxk", _weights(left, width, size, flipped), images.float().contiguous()))
    return _whole(torch.einsum("nyr,nrxk->nyxk", _weights(top, height, size, torch.zeros_like(flipped)), seen)).to(torch.uint8)


def _whole(values: Tensor) -> Tensor:
    return (values + 0.5).floor().clamp(0, 255)


def _weights(start: Tensor, length: Tensor, size: int, backwards: Tensor) -> Tensor:
    """(N, size, size): of each place of a pixel along a side, after enlarging `length` pixels from `start` on, the weight of each pixel
    before. start, length, backwards (N,)."""
    place = torch.arange(size, device=start.device, dtype=torch.float32)
    to = torch.where(backwards.unsqueeze(1) > 0, size - 1 - place, place)
    centre = (to + 0.5) * (length / size).unsqueeze(1)
    pixel = place - start.unsqueeze(1)
    there = (pixel >= 0) & (pixel < length.unsqueeze(1))
    weights = _cubic(pixel.unsqueeze(1) + 0.5 - centre.unsqueeze(2)) * there.unsqueeze(1)
    return weights / weights.sum(2, keepdim=True)


def _cubic(distance: Tensor) -> Tensor:
    """Keys 1981 (Cubic convolution interpolation), a = -1/2."""
    t = distance.abs()
    near, far = (1.5 * t - 2.5) * t * t + 1, ((-0.5 * t + 2.5) * t - 4) * t + 2
    return torch.where(t < 1, near, torch.where(t < 2, far, 0.0))
