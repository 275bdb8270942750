"""Parts of a pool of images: a choice of rows, several pools as one, a pool cut into train, validation and test.

Whatever is drawn here comes from named random number generators, class by class.
"""

import hashlib
from collections.abc import Sequence
from typing import BinaryIO

import numpy as np
from PIL.Image import Image

from promptatlas.base.errors import UserError
from promptatlas.base.messages import counted, shown
from promptatlas.base.rng import named_rng
from promptatlas.tasks.listing import Images, Split


class Subset:
    """Some of the images of another object, in the order of `rows`, (N,) int64."""

    def __init__(self, images: Images, rows: np.ndarray) -> None:
        self.images = images
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def open(self, index: int) -> Image:
        return self.images.open(int(self.rows[index]))

    def name(self, index: int) -> str:
        return self.images.name(int(self.rows[index]))


class Concatenation:
    """The images of several objects, one after the other."""

    def __init__(self, parts: Sequence[Images]) -> None:
        self.parts = tuple(parts)
        self.ends = np.cumsum([len(part) for part in parts])

    def __len__(self) -> int:
        return int(self.ends[-1])

    def open(self, index: int) -> Image:
        part, row = self.place(index)
        return part.open(row)

    def name(self, index: int) -> str:
        part, row = self.place(index)
        return part.name(row)

    def place(self, index: int) -> tuple[Images, int]:
        """Whose image it is, and which of these."""
        number = int(np.searchsorted(self.ends, index, side="right"))
        return self.parts[number], index - int(self.ends[number]) + len(self.parts[number])


def file_of(images: Images, index: int) -> str | BinaryIO:
    """The file of an image, or where it lies inside of one what it holds: `content` of who has these images, if it has that."""
    if isinstance(images, Subset):
        return file_of(images.images, int(images.rows[index]))
    if isinstance(images, Concatenation):
        return file_of(*images.place(index))
    return getattr(images, "content", images.name)(index)


def subset(split: Split, rows: np.ndarray) -> Split:
    """The images `rows` (N,) of `split`, in that order."""
    rows = np.asarray(rows, dtype=np.int64)
    stamp = hashlib.sha256(split.stamp.encode() + rows.astype("<i8").tobytes()).hexdigest()
    images = split.images
    inner, chosen = (images.images, images.rows[rows]) if isinstance(images, Subset) else (images, rows)
    return Split(Subset(inner, chosen), split.labels[rows], stamp)


def join(splits: Sequence[Split]) -> Split:
    """All images of `splits`, one after the other."""
    if len(splits) == 1:
        return splits[0]
    stamp = hashlib.sha256("\n".join(split.stamp for split in splits).encode()).hexdigest()
    labels = np.concatenate([split.labels for split in splits])
    return Split(Concatenation([split.images for split in splits]), labels, stamp)


def redraw(split: Split, rule: dict, task_name: str, class_names: Sequence[str] = ()) -> dict[str, Split]:
    """Cut a pool that has no splits of its own into "train", "test" and, if `rule` asks for it, "validation".

    rule: images per class for train, validation and test, each a whole number or a share of the class below 1;
    without test, the rest is test. Every class has a generator of its own, in order of first appearance, so neither the
    numbers of the classes nor images of other classes change what is drawn. `class_names` serve messages only.
    A multi-label pool is cut as if it were one class; whole numbers are then refused.
    """
    _check(rule, split.labels.ndim == 2)
    rows: dict[str, list[np.ndarray]] = {"train": [], "validation": [], "test": []}
    for number, members in enumerate(_classes(split.labels)):
        counts = {key: _count(rule.get(key, 0), len(members)) for key in ("train", "validation")}
        left = len(members) - sum(counts.values())
        counts["test"] = min(_count(rule["test"], len(members)), left) if "test" in rule else left
        if counts["train"] < 1 or counts["test"] < 1 or (rule.get("validation") and counts["validation"] < 1):
            who_has = _who_has(split.labels, members, class_names)
            asked = ", ".join(key for key in rows if key in ("train", "test") or rule.get(key))
            raise UserError(
                f"{who_has} {counted(len(members), 'image')}, too few to set some apart for each of {asked} where `redraw` is {rule}; add "
                "images or change `redraw`"
            )
        order = members[named_rng("redraw", task_name, number).permutation(len(members))]
        start = 0
        for key, count in counts.items():
            rows[key].append(order[start : start + count])
            start += count
    found = {key: np.sort(np.concatenate(parts)) for key, parts in rows.items() if parts}
    return {key: subset(split, chosen) for key, chosen in found.items() if len(chosen)}


def hold_out(train: Split, share: float, task_name: str) -> tuple[Split, Split]:
    """Set `share` of every class of `train` aside: (what stays, what is held out), both in the order of `train`.

    A class of two or more images gives at least one and keeps at least one; a multi-label pool is cut as one class.
    """
    held = []
    for number, members in enumerate(_classes(train.labels)):
        if len(members) < 2:
            continue
        count = min(max(round(share * len(members)), 1), len(members) - 1)
        held.append(members[named_rng("hold out", task_name, number).permutation(len(members))[:count]])
    rows = np.sort(np.concatenate(held)) if held else np.arange(0)
    return subset(train, np.setdiff1d(np.arange(len(train.labels)), rows)), subset(train, rows)


def _classes(labels: np.ndarray) -> list[np.ndarray]:
    """Rows of each class, ascending, classes in order of first appearance; one class if multi-label."""
    if labels.ndim == 2:
        return [np.arange(len(labels))]
    order = np.argsort(labels, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)
    return sorted((group for group in groups if len(group)), key=lambda group: group[0])


def _check(rule: dict, multilabel: bool) -> None:
    good = "train" in rule and set(rule) <= {"train", "validation", "test"}
    for value in rule.values():
        share = isinstance(value, float) and 0 <= value < 1
        good &= share or (type(value) is int and value >= 0 and not multilabel)
    if not good:
        raise UserError(
            f"`redraw` is {rule}; it gives train, and if wanted validation and test, as images per "
            f"class or as shares below 1{' (a multi-label task: shares only)' if multilabel else ''}"
        )


def _count(value: int | float, images: int) -> int:
    return round(value * images) if isinstance(value, float) else value


def _who_has(labels: np.ndarray, members: np.ndarray, class_names: Sequence[str]) -> str:
    if labels.ndim == 2:
        return "the task has"
    label = int(labels[members[0]])
    return f"class {shown(class_names[label])} has" if label < len(class_names) else f"class number {label} has"
