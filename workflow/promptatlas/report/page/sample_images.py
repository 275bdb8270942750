"""Small images of tasks for the page: some training images, and the test images about which prompts disagree most.

They are only shown: no number and no choice depends on them.
"""

from __future__ import annotations

import base64
import io
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import zip_longest
from typing import Any

import numpy as np
from PIL import Image, features

from promptatlas.base.rng import named_rng
from promptatlas.report.page.cell_evidence import CellFacts
from promptatlas.tasks.prepared import PreparedTask

SIDE = 64  # pixels, at most
TESTED = 3  # as many test images as training images of a task, times this
TRAINING, TEST = "train", "test"


def disputed(cells: Iterable[CellFacts], hand: Iterable[CellFacts], labels: np.ndarray, count: int, name: str) -> np.ndarray:
    """Rows of at most `count` test images, labels (N,), about which prompts disagree.

    Of those that the zero-shot prompt gets right and of those that it gets wrong half each, the ones that nearest to half of the
    cells get right, of no class more than of others; among equals the lot decides, in the stream of the task's name.
    """
    right, reference = (_right(some, len(labels)) for some in (cells, hand))
    if not len(right) or not len(reference) or not count:
        return np.array([], dtype=np.int64)
    share, before = right.mean(axis=0), reference.mean(axis=0) > 0.5
    drawn = named_rng("page test images", name).permutation(len(labels))
    order = drawn[np.argsort(np.abs(share - 0.5)[drawn], kind="stable")]
    order = order[(share[order] > 0) & (share[order] < 1)]
    halves = [_spread(order[before[order] == known], labels, math.ceil(count / 2)) for known in (True, False)]
    return np.array([row for pair in zip_longest(*halves) for row in pair if row is not None][:count], dtype=np.int64)


def _right(cells: Iterable[CellFacts], count: int) -> np.ndarray:
    """Which of `count` images each cell answers right, (cells, count); cells that do not say so of as many are left out."""
    return np.array([one.right for one in cells if one.right is not None and len(one.right) == count], dtype=bool)


def _spread(rows: np.ndarray, labels: np.ndarray, count: int) -> list[int]:
    """The first `count` rows when the first of each class come before the second of any."""
    seen: Counter[int] = Counter()
    turns = []
    for row in rows.tolist():
        turns.append(seen[int(labels[row])])
        seen[int(labels[row])] += 1
    return [int(row) for row in rows[np.argsort(turns, kind="stable")][:count]]


def samples(task: PreparedTask, count: int) -> tuple[str, np.ndarray]:
    """The split, the training images where there are some, and the rows of `count` of them, of as many classes as possible."""
    split = TRAINING if len(task.labels(TRAINING)) else TEST
    labels = task.labels(split)
    first = labels if labels.ndim == 1 else labels.argmax(axis=1)
    drawn = named_rng("page images", task.task.name).permutation(len(first))
    return split, np.array(_spread(drawn, first, count), dtype=np.int64)


def of_task(task: PreparedTask, count: int, tested: np.ndarray) -> dict[str, Any]:
    """split and samples: `count` images with the numbers of their classes; tested: the test images in these rows, with theirs."""
    split, rows = samples(task, count)
    return {"split": split, "samples": list(_told(task, split, rows)), "tested": list(_told(task, TEST, tested))}


def _told(task: PreparedTask, split: str, rows: np.ndarray) -> Iterable[list[Any]]:
    images, labels = task.images(split), task.labels(split)
    for row in rows.tolist():
        classes = [int(labels[row])] if labels.ndim == 1 else np.flatnonzero(labels[row]).tolist()
        yield [address(images[row]), classes]


def address(image: np.ndarray) -> str:
    """An image (R, R, 3) uint8, made small, as the address of itself."""
    small = Image.fromarray(image)
    small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    file, kind = io.BytesIO(), "webp" if features.check("webp") else "jpeg"
    small.save(file, kind, quality=80)
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"


def labels_of(tasks: Mapping[str, PreparedTask]) -> dict[str, np.ndarray]:
    """By task the class numbers (N,) of its test images; of tasks whose images have several classes there are none."""
    return {name: task.labels(TEST) for name, task in tasks.items() if not task.task.multilabel}
