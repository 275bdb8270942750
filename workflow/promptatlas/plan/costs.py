"""What the jobs of a study have to do, counted in things whose speed can be measured: passes through a tower, tokens, pictures,
files. The same counts serve for real tasks and for the small ones of a calibration.

Counts follow the loops of `single_task`, `evaluate`, `shared_learner` and `adapters`. Knows nothing of seconds, of torch or of results.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promptatlas import methods
from promptatlas.backbone import kinds
from promptatlas.base.errors import UserError
from promptatlas.study.study import Study
from promptatlas.tasks import halves, metrics, readers
from promptatlas.tasks.draws import MOST_VALIDATION_SHOTS
from promptatlas.tasks.task import Task

Work = Counter[str]  # how much of what; a name is "what: in which unit"

AT_ONCE = 256  # validation pictures per pass
ASSUMED = 10, {"train": 1000, "validation": 200, "test": 1000}  # classes and pictures of a task of which nothing is known yet
REFERENCE = 2000  # training pictures by which real tasks are compared
SENTENCE = 8  # tokens of a template around a class name
SIGLIP_LENGTH = 64  # tokens of every sentence


@dataclass(frozen=True)
class Size:
    """names: tokens of each class name; train, validation: pictures of one draw; pictures: all that are prepared.

    embedded: drawn by promptatlas, not decoded; known: False if classes or pictures had to be assumed.
    """

    names: tuple[int, ...]
    train: int
    validation: int
    test: int
    pictures: int
    templates: int = 1
    metric: str = metrics.ONE_CLASS
    embedded: bool = False
    known: bool = True

    @property
    def classes(self) -> int:
        return len(self.names)


def size(study: Study, name: str) -> Size:
    """How large a task of a study is: from its prepared folder if there is one, else from its description."""
    task, pools, known = _described(study, halves.whole_of(name))
    task = study.hand_written(task)
    names = [tokens(one) for one in task.class_names] or [2] * ASSUMED[0]
    pools = {split: pools.get(split, 0) for split in ("train", "validation", "test")}
    shots, whole, embedded = study.shots_of(halves.whole_of(name)), len(names), study.data.is_embedded(name)
    if not pools["validation"] and study.config["draw"] == "coop":
        pools["validation"], pools["train"] = pools["train"] // 5, pools["train"] - pools["train"] // 5
    if study.config["draw"] == "elevater":
        drawn = min(shots * whole, pools["train"])
        validation = min(math.ceil(0.2 * shots) * whole, drawn)
        train = drawn if shots == 1 else drawn - validation
    else:
        train = drawn = min(shots * whole, pools["train"])
        validation = min(min(shots, MOST_VALIDATION_SHOTS) * whole, pools["validation"])
    test = pools["test"]
    if study.config["test_pictures"] != "all" and not embedded:
        test = min(test, study.config["test_pictures"])
    prepared = sum(pools.values()) if embedded else test + min(pools["train"], REFERENCE + len(study.seeds) * drawn)
    if part := halves.part_of(name):
        names = [names[number] for number in halves.classes(whole, part)]
    share = len(names) / whole
    train, validation, test, prepared = (round(count * share) for count in (train, validation, test, prepared))
    return Size(tuple(names), train, validation, test, prepared, len(task.templates), task.metric, embedded, known)


def _described(study: Study, name: str) -> tuple[Any, Mapping[str, int], bool]:
    """The task, pictures by split, and whether these are known."""
    path = study.paths.task_folder(name) / "task.json"
    if path.exists():
        record = json.loads(path.read_bytes())
        return Task.from_dict(record["task"]), record["pools"], True
    if study.data.is_embedded(name):
        from promptatlas.tasks.mini import MINI_TASKS

        return MINI_TASKS[name].task, MINI_TASKS[name].sizes, True
    entry = study.data.entry(name)
    if entry.sizes and entry.task.class_names:
        return entry.task, entry.sizes, True
    try:
        source = readers.find(entry.sources, study.data.root)
        listing = readers.reader(source).read(source, study.data.root) if source else None
    except UserError:
        listing = None
    if listing is None:
        return entry.task, entry.sizes or ASSUMED[1], False
    entry = entry if entry.task.class_names else entry.with_classes(listing.class_names)
    return entry.task, {split: len(part.labels) for split, part in listing.splits.items()}, True


def tokens(name: str) -> int:
    """About as many as CLIP's tokenizer makes of a class name: one for a word of up to seven letters, a digit or a mark."""
    words = re.findall(r"[^\W\d_]+|\d|[^\w\s]", name)
    return sum(math.ceil(len(word) / 7) for word in words)


@dataclass(frozen=True)
class Method:
    """A method with its settings, on a kind of backbone."""

    name: str
    settings: Mapping[str, Any]
    kind: str = "vit"

    @classmethod
    def of(cls, study: Study, name: str, settings: Mapping[str, Any] | None = None) -> Method:
        return cls(name, settings or study.settings(name), kinds.kind(study.config["backbone"]["model"]))

    @property
    def visual(self) -> bool:
        return methods.is_visual(self.name)

    @property
    def by_picture(self) -> bool:
        """Whether every picture has class weights of its own."""
        return methods.is_by_image(self.name)

    def tuning(self, size: Size, learners: int) -> Work:
        """`learners` prompts side by side on one task: forward and backward in each step, forward to validate each epoch."""
        epochs, steps = self.settings["epochs"], math.ceil(size.train / self.settings["batch_size"])
        checks = math.ceil(size.validation / AT_ONCE)
        passes, seen = 2 * steps + checks, 2 * size.train + size.validation
        text = sentences(self, size.names)
        work = Work({f"tune {self.name}: passes": epochs * passes * (learners if self.by_picture else 1)})
        work[f"tune {self.name}: tokens"] = epochs * learners * text * (seen if self.by_picture else passes)
        if self.visual:
            work[f"tune {self.name}: pictures"] = epochs * learners * seen
        else:
            work["encode: pictures"] = size.train + size.validation
        return work

    def answers(self, size: Size, prompts: int) -> Work:
        """Scores of `prompts` prompts on the test pictures of one task."""
        text = prompts * sentences(self, size.names)
        return Work({
            f"answer {self.name}: prompts": prompts,
            f"answer {self.name}: tokens": text * (size.test if self.by_picture else 1),
            f"answer {self.name}: logits": prompts * size.test * size.classes,
            f"answer {self.name}: pictures": prompts * size.test * self.visual,
        })  # fmt: skip

    def sharing(self, sizes: Sequence[Size]) -> Work:
        """One learner on all tasks; a step runs the names of those tasks of which it has a picture, all in one pass."""
        total, batch, epochs = sum(size.train for size in sizes), self.settings["batch_size"], self.settings["epochs"]
        steps = math.ceil(total / batch)
        there = [1 - (1 - size.train / total) ** batch for size in sizes]
        text = [sentences(self, size.names) for size in sizes]
        named = sum(2 * steps * own * share + own for own, share in zip(text, there, strict=True))
        return Work({f"share {self.name}: passes": epochs * (2 * steps + 1), f"share {self.name}: tokens": epochs * named})

    def adapting(self, size: Size, width: int) -> Work:
        """One adapter: the search of alpha and beta, one beta at a time, and, if keys are trained, their epochs."""
        grid, ranked = self.settings["beta_steps"], not metrics.lookup(size.metric).of_right_answers
        work = Work({
            f"adapt {self.name}: betas": grid,
            f"adapt {self.name}: looks": grid * size.validation * size.train * (size.classes if ranked else 1),
            f"adapt {self.name}: logits": grid * size.validation * size.classes,
            f"adapt {self.name}: pairs": grid * self.settings["alpha_steps"] * ranked,
        })  # fmt: skip
        if "epochs" in self.settings:
            epochs, seen = self.settings["epochs"], 2 * size.train + size.validation
            work[f"adapt {self.name}: steps"] = epochs * (1 + math.ceil(size.train / self.settings["batch_size"]))
            work[f"adapt {self.name}: products"] = epochs * seen * size.train * (size.classes + width)
        return work


def sentences(method: Method, names: Sequence[int]) -> int:
    """Tokens in one run of the text tower over the class names, what they share counted once; none for fixed sentences."""
    settings = method.settings
    if "context" not in settings:
        return 0
    if method.kind == "siglip":
        return SIGLIP_LENGTH * len(names)
    n = settings["context"]
    before = {"end": n, "middle": n // 2, "front": 0}[settings.get("position", "end")]
    words = max(0, len(settings.get("initial", "").split()) - n)
    return 1 + before + words + sum(n - before + own + 2 for own in names)


def joined(sizes: Sequence[Size]) -> Size:
    """Tasks as one: all their classes and pictures."""
    names = tuple(own for size in sizes for own in size.names)
    return Size(names, *(sum(getattr(size, kind) for size in sizes) for kind in ("train", "validation", "test", "pictures")))


def encoding(study: Study, size: Size) -> Work:
    """All prepared pictures, and every class name in every template."""
    siglip = kinds.kind(study.config["backbone"]["model"]) == "siglip"
    text = size.templates * sum(SIGLIP_LENGTH if siglip else SENTENCE + own for own in size.names)
    return Work({"encode: pictures": size.pictures, "encode: tokens": text})


def probing(size: Size, width: int) -> Work:
    """One linear probe."""
    return Work({"probe: fits": 1, "probe: products": size.train * size.classes * width})


def preparing(size: Size) -> Work:
    return Work({"prepare: drawn" if size.embedded else "prepare: decoded": size.pictures})


def together(parts: Iterable[Work]) -> Work:
    total = Work()
    for part in parts:
        total.update(part)
    return total
