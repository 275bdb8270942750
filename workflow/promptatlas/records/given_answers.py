"""What a cell holds under `answers`: the class that its prompt gives to each test image.

The numbers of the classes count in the order of `per_class`; which class an image is of is not in the cell but in the prepared task.
"""

import base64
import binascii
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

WIDTHS = {1: "<u1", 2: "<u2", 4: "<u4"}  # bytes of a class number, as few as the largest one needs


def packed_classes(answers: np.ndarray) -> str:
    """Class numbers (N,) as base64 of what zlib makes of them, in as few bytes each as the largest needs."""
    largest = int(answers.max(initial=0))
    kind = next(kind for width, kind in WIDTHS.items() if largest < 256**width)
    return base64.b64encode(zlib.compress(answers.astype(kind).tobytes(), 9)).decode()


def answered_classes(cell: Mapping[str, Any]) -> np.ndarray | None:
    """The class numbers (N,) int64 that a cell holds; None if it does not say one of its classes for each of its `n_test` images, as
    one that was written before there was such a key."""
    try:
        packed, count, classes = base64.b64decode(cell["answers"], validate=True), int(cell["n_test"]), len(cell["per_class"])
        raw = zlib.decompressobj().decompress(packed, max(WIDTHS) * count + 1)
    except (KeyError, TypeError, ValueError, OverflowError, MemoryError, binascii.Error, zlib.error):
        return None
    width, left = divmod(len(raw), count) if count > 0 else (0, 0)
    if left or width not in WIDTHS:
        return None
    answers = np.frombuffer(raw, WIDTHS[width]).astype(np.int64)
    return answers if answers.max() < classes else None
