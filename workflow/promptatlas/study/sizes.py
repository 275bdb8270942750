"""How large the tasks of a study are, before or after they are prepared. Knows nothing of jobs, of torch or of results."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from promptatlas.base.errors import UserError
from promptatlas.study.scope import Scope
from promptatlas.tasks import base_new, metrics, readers
from promptatlas.tasks.draws import MOST_VALIDATION_SHOTS
from promptatlas.tasks.task import Task

ASSUMED = 10, {"train": 1000, "validation": 200, "test": 1000}  # classes and images of a task of which nothing is known yet
REFERENCE = 2000  # training images by which real tasks are compared


@dataclass(frozen=True)
class Size:
    """names: tokens of each class name; train, validation: images of one draw; images: all that are prepared; tried: those of the train
    pool on which prompts of other tasks are tried.

    embedded: drawn by promptatlas, not decoded; known: False if classes or images had to be assumed.
    """

    names: tuple[int, ...]
    train: int
    validation: int
    test: int
    images: int
    templates: int = 1
    metric: str = metrics.ONE_CLASS
    embedded: bool = False
    known: bool = True
    tried: int = 0

    @property
    def classes(self) -> int:
        return len(self.names)


def size(scope: Scope, name: str) -> Size:
    """How large a task of a study is: from its prepared folder if there is one, else from its description."""
    return _size(scope, name, *_found(scope, base_new.whole_of(name)))


def described(scope: Scope, name: str) -> Size:
    """How large a task is by its description alone, whatever is prepared or found by now."""
    return _size(scope, name, *_described(scope, base_new.whole_of(name)))


def _size(scope: Scope, name: str, task: Task, pools: Mapping[str, int], known: bool) -> Size:
    task = scope.hand_written(task)
    names = [tokens(one) for one in task.class_names] or [2] * ASSUMED[0]
    pools = {split: pools.get(split, 0) for split in ("train", "validation", "test")}
    shots, whole, embedded = scope.shots_of(base_new.whole_of(name)), len(names), scope.data.is_embedded(name)
    if not pools["validation"] and scope.config["draw"] == "coop":
        pools["validation"], pools["train"] = pools["train"] // 5, pools["train"] - pools["train"] // 5
    if scope.config["draw"] == "elevater":
        drawn = min(shots * whole, pools["train"])
        validation = min(math.ceil(0.2 * shots) * whole, drawn)
        train = drawn if shots == 1 else drawn - validation
    else:
        train = drawn = min(shots * whole, pools["train"])
        validation = min(min(shots, MOST_VALIDATION_SHOTS) * whole, pools["validation"])
    test = pools["test"]
    if scope.config["test_pictures"] != "all" and not embedded:
        test = min(test, scope.config["test_pictures"])
    tried = _tried(scope, whole, pools["train"])
    prepared = sum(pools.values()) if embedded else test + min(pools["train"], REFERENCE + len(scope.seeds) * drawn + tried)
    if part := base_new.subset_of(name):
        names = [names[number] for number in base_new.classes(whole, part)]
    share = len(names) / whole
    train, validation, test, prepared = (round(count * share) for count in (train, validation, test, prepared))
    return Size(tuple(names), train, validation, test, prepared, len(task.templates), task.metric, embedded, known, tried)


def _tried(scope: Scope, classes: int, pool: int) -> int:
    """About how many images of a train pool are in any of the draws on which prompts are tried, which may have some in common."""
    if not scope.choice or not pool:
        return 0
    share = min(1.0, max(scope.choice.shots) * classes / pool)
    return round(pool * (1 - (1 - share) ** len(scope.choice.draws)))


def _described(scope: Scope, name: str) -> tuple[Task, Mapping[str, int], bool]:
    """The task, images by split, and whether these are known, without a look at any file."""
    if scope.data.is_embedded(name):
        from promptatlas.tasks.mini import MINI_TASKS

        return MINI_TASKS[name].task, MINI_TASKS[name].sizes, True
    entry = scope.data.entry(name)
    return entry.task, entry.sizes or ASSUMED[1], bool(entry.sizes and entry.task.class_names)


def _found(scope: Scope, name: str) -> tuple[Task, Mapping[str, int], bool]:
    """The same from what is prepared, or from the data themselves where the description says too little."""
    path = scope.paths.task_folder(name) / "task.json"
    if path.exists():
        record = json.loads(path.read_bytes())
        return Task.from_dict(record["task"]), record["pools"], True
    task, pools, known = _described(scope, name)
    if known:
        return task, pools, known
    entry = scope.data.entry(name)
    try:
        source = readers.find(entry.sources, scope.data.root)
        listing = readers.reader(source).read(source, scope.data.root) if source else None
    except UserError:
        listing = None
    if listing is None:
        return task, pools, known
    entry = entry if entry.task.class_names else entry.with_classes(listing.class_names)
    return entry.task, {split: len(part.labels) for split, part in listing.splits.items()}, True


def tokens(name: str) -> int:
    """About as many as CLIP's tokenizer makes of a class name: one for a word of up to seven letters, a digit or a mark."""
    words = re.findall(r"[^\W\d_]+|\d|[^\w\s]", name)
    return sum(math.ceil(len(word) / 7) for word in words)
