"""Base and new classes: the first half of a task's classes and the others, as tasks of their own.

The protocol of CoCoOp (Zhou et al. 2022) and MaPLe (Khattak et al. 2023): what is trained on the base classes is tried
on the new ones. Neither has a copy of the images.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from promptatlas.base.errors import UserError
from promptatlas.tasks.draws import Draw, draw
from promptatlas.tasks.prepared import SPLITS, Pool, PreparedTask, array_path, save_array, write
from promptatlas.tasks.sufficient import require_test

BASE, NEW = "base", "new"
SUBSETS = (BASE, NEW)
MARK = "@"  # no task of the catalogue or the configuration can have it in its name
FEWEST_CLASSES = 4


def subset_name(task: str, subset: str) -> str:
    """What the `subset` of a task is called."""
    return f"{task}{MARK}{subset}"


def whole_of(name: str) -> str:
    """The task whose base or new classes `name` stands for, or `name` itself."""
    return name.partition(MARK)[0]


def subset_of(name: str) -> str:
    """`base`, `new`, or nothing for a whole task."""
    return name.partition(MARK)[2]


def classes(count: int, subset: str) -> range:
    """Numbers of the base classes, the first half of `count` rounded up, or of the others."""
    half = -(-count // 2)
    return range(half) if subset == BASE else range(half, count)


def require_base_and_new(name: str, class_names: Sequence[str], multilabel: bool) -> None:
    """UserError for a task whose base or new classes would be no task."""
    if multilabel:
        raise UserError(f"task `{name}` marks several classes on an image, so base and new classes share images; leave it out of `tasks`")
    if 0 < len(class_names) < FEWEST_CLASSES:
        raise UserError(f"task `{name}` has {len(class_names)} classes, but base and new need two each; leave it out of `tasks`")


def write_subset(whole: PreparedTask, subset: str, folder: str | Path) -> None:
    """Write the prepared folder of the base or new classes: labels that count these alone, and rows of the images of `whole`."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    names = whole.task.class_names
    require_base_and_new(whole.task.name, names, whole.task.multilabel)
    own = classes(len(names), subset)
    pools = {}
    for split in SPLITS:
        rows = np.flatnonzero(np.isin(whole.labels(split), own))
        save_array(array_path(folder, split, "rows"), rows)
        reference = whole.reference() if split == "train" else rows[:0]
        pools[split] = _pool(whole, split, own, rows, reference)
    task = replace(
        whole.task,
        name=subset_name(whole.task.name, subset),
        title=f"{whole.task.title}, {subset} classes",
        class_names=tuple(names[number] for number in own),
    )
    require_test(task, pools["test"].labels[pools["test"].index], len(pools["test"].skipped))
    write(folder, task, pools, factors=[], part_of=os.path.relpath(whole.folder, folder), notes=whole.notes)


def _pool(whole: PreparedTask, split: str, own: range, rows: np.ndarray, reference: np.ndarray) -> Pool:
    labels = whole.pool_labels(split)
    number = _numbers(labels, own)
    there = np.isin(labels, own)
    return Pool(
        labels=labels[there] - own.start,
        index=number[whole.index(split)[rows]],
        digests=whole.digests(split)[rows],
        reference=np.flatnonzero(np.isin(rows, reference)),
        skipped=[int(number[skipped]) for skipped in whole.skipped(split) if there[skipped]],
    )


def _numbers(labels: np.ndarray, own: range) -> np.ndarray:
    """Number in the subset's pool of every image of the whole pool that is in it; meaningless for the others."""
    return np.cumsum(np.isin(labels, own)) - 1


def draw_subset(whole: PreparedTask, subset: str, shots: int, seed: int, scheme: str) -> Draw:
    """The few-shot draw of the base or new classes, numbered as their pool: that of the whole task without the other classes.

    CoOp's code draws first and leaves classes out then; a draw from their pool alone would be another.
    """
    pools = {split: whole.pool_labels(split) for split in ("train", "validation")}
    drawn = draw(pools["train"], pools["validation"], shots, seed, whole.task.name, scheme)
    own = classes(len(whole.task.class_names), subset)
    kept = {}
    for kind, split in (("train", "train"), ("validation", drawn.validation_split)):
        numbers, labels = getattr(drawn, kind), getattr(drawn, f"{kind}_labels")
        inside = np.isin(labels, own)
        kept[kind] = _numbers(pools[split], own)[numbers[inside]]
        kept[f"{kind}_labels"] = labels[inside] - own.start
    return Draw(validation_split=drawn.validation_split, **kept)
