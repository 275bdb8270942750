"""What methods have to do, counted in things whose speed can be measured: passes through a tower, tokens, images, products.

The same counts serve for the tasks of a study and for the small ones of a microbenchmark. They follow the loops of `single_task`,
`evaluate`, `shared_learner` and `adapters`. Knows nothing of seconds, of torch or of results.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from promptatlas import methods
from promptatlas.backbone import kinds
from promptatlas.backbone.parts import TEXT
from promptatlas.methods import one_epoch
from promptatlas.methods.registry import known
from promptatlas.study.scope import Scope
from promptatlas.study.sizes import Size
from promptatlas.tasks import metrics

Work = Counter[str]  # how much of what; a name is "what: in which unit"

AT_ONCE = 256  # validation images per pass
SENTENCE = 8  # tokens of a template around a class name
TITLE = 2  # tokens of the name of a task


@dataclass(frozen=True)
class StepMemory:
    """What the largest step of a job has in memory on its way forward and back: text tokens and images."""

    tokens: int = 0
    images: int = 0


@dataclass(frozen=True)
class MethodCosts:
    """A method with its settings. Of the backbone's text tower, whole: tokens of every sentence where it reads all of them, else 0; layers:
    how many it has."""

    name: str
    settings: Mapping[str, Any]
    whole: int = 0
    layers: int = int(TEXT["layers"])

    @classmethod
    def of(cls, scope: Scope, name: str, settings: Mapping[str, Any] | None = None) -> MethodCosts:
        model = scope.config["backbone"]["model"]
        layers = int((TEXT | kinds.description(model)["text_cfg"])["layers"])
        return cls(name, settings or scope.settings(name), kinds.whole_sentences(model), layers)

    @property
    def visual(self) -> bool:
        return methods.is_visual(self.name)

    @property
    def augments(self) -> bool:
        """Whether the image tower sees training images in every step, whatever the method."""
        return self.settings.get("augmentation", "none") != "none"

    @property
    def adapts(self) -> bool:
        """Whether image features pass through a small net, and no tower does anything."""
        return not self.visual and "context" not in self.settings

    @property
    def by_image(self) -> bool:
        """Whether every image has class weights of its own."""
        return methods.is_by_image(self.name)

    def sentences(self, size: Size) -> int:
        """Tokens in one run of the text tower over the class names, what they share counted once; none for fixed sentences. What classes
        have of their own from some layer on counts by its share of the layers."""
        if "context" not in self.settings:
            return 0
        if self.whole:
            return self.whole * size.classes
        n = self.settings["context"]
        before = {"end": n, "middle": n // 2, "front": 0}[self.settings.get("position", "end")]
        words = max(0, len(self.settings.get("initial", "").split()) - n)
        own = 0
        if known(self.name).by_class:
            layers = self.layers - min(self.settings["layer"], self.layers - 1)
            own = round((size.classes - 1) * (before + words) * layers / self.layers)
        return 1 + before + words + own + sum(n - before + name + 2 for name in size.names)

    @staticmethod
    def looked_at(size: Size, count: int, learners: int) -> int:
        """Images whose features are computed once: `count` of each learner's draw, of which no more differ than are prepared."""
        return min(learners * count, size.images - size.test) if size.images > size.test else learners * count

    def step(self, sizes: Sequence[Size], learners: int) -> StepMemory:
        """The largest step of `learners` prompts that are tuned side by side on one of some tasks."""
        batch = self.settings["batch_size"]
        text = max(map(self.sentences, sizes)) * (batch if self.by_image else 1)
        images = min(batch, max(size.train for size in sizes)) * (self.visual or self.augments)
        return StepMemory(learners * text, learners * images)

    def tuning(self, size: Size, learners: int) -> Work:
        """`learners` prompts side by side on one task: forward and backward in each step, forward to validate each epoch."""
        epochs, trained = self.settings["epochs"], one_epoch.images(size.train, self.settings)
        passes = 2 * one_epoch.steps(size.train, self.settings) + math.ceil(size.validation / AT_ONCE)
        seen = 2 * trained + size.validation
        work = Work({f"tune {self.name}: passes": epochs * passes * (learners if self.by_image else 1)})
        work[f"tune {self.name}: tokens"] = epochs * learners * self.sentences(size) * (seen if self.by_image else passes)
        changed, teacher = epochs * learners * trained * self.augments, known(self.name).teacher
        if self.visual:  # the teacher's are computed once, or in every step where images change
            work[f"tune {self.name}: images"] = epochs * learners * seen + changed * teacher
            work["encode: images"] = self.looked_at(size, size.train, learners) * (teacher and not changed)
        else:
            work[f"tune {self.name}: images"] = changed
            work["encode: images"] = self.looked_at(size, size.validation + size.train * (not changed), learners)
        if self.adapts:
            work[f"tune {self.name}: features"] = epochs * learners * seen
        return work

    def tuning_on_several(self, sizes: Sequence[Size], learners: int, options: Mapping[str, Any]) -> Work:
        """The same on several tasks at once, as `union` in the configuration says."""
        if (options["classes"], options["batches"]) == ("own", "task"):
            return together(self.tuning(size, learners) for size in sizes)
        names = tuple(own for size in sizes for own in size.names)
        counts = (sum(getattr(size, kind) for size in sizes) for kind in ("train", "validation", "test", "images"))
        return self.tuning(Size(names, *counts), learners)

    def evaluating(self, size: Size, prompts: int) -> Work:
        """Scores of `prompts` prompts on the test images of one task."""
        text = prompts * self.sentences(size)
        return Work({
            f"evaluate {self.name}: prompts": prompts,
            f"evaluate {self.name}: tokens": text * (size.test if self.by_image else 1),
            f"evaluate {self.name}: logits": prompts * size.test * size.classes,
            f"evaluate {self.name}: images": prompts * size.test * self.visual,
            f"evaluate {self.name}: features": prompts * size.test * self.adapts,
        })  # fmt: skip

    def trying(self, size: Size, prompts: int) -> Work:
        """Answers of `prompts` prompts on the labelled training images that prompts are tried on."""
        return self.evaluating(replace(size, test=size.tried), prompts)

    def estimating(self, size: Size, sources: Iterable[Size], images: int) -> Work:
        """Estimators of prompts of `sources` from their answers on `images` images of the target, all draws and levels counted, and the
        probabilities of the sources' classes that they look at."""
        each = list(sources)
        return Work({
            f"evaluate {self.name}: tokens": sum(map(self.sentences, each)) * (size.tried if self.by_image else 1),
            f"estimate {self.name}: prompts": len(each),
            f"estimate {self.name}: images": len(each) * images * self.visual,
            f"estimate {self.name}: logits": len(each) * images * size.classes,
        })  # fmt: skip

    def gradients(self, size: Size, starts: int, images: int) -> Work:
        """Of the loss at `starts` untrained prompts, forward and back, on the images of all draws and levels."""
        text = self.sentences(size) * (images if self.by_image else 1)
        return Work({f"tune {self.name}: tokens": 2 * starts * text, f"tune {self.name}: images": 2 * starts * images * self.visual})

    def sharing(self, sizes: Sequence[Size]) -> Work:
        """One learner on all tasks; a step runs the names of those tasks of which it has an image, all in one pass, after what contexts
        are made of if they are made of names."""
        total, batch, epochs, own = sum(size.train for size in sizes), self.settings["batch_size"], self.settings["epochs"], self.settings
        steps, by_names = one_epoch.steps(total, own), own.get("class_context", "none") != "none"
        passes, kept = 2 * steps + 1, own.get("class_rate", 1.0) if by_names else 1.0
        tasks = classes = names = 0.0
        for size in sizes:
            there, on_image = (1 - (1 - share / total) ** batch for share in (size.train, size.train / size.classes))
            looks = 2 * steps * (on_image + (there - on_image) * kept) + 1  # at each class
            tasks += 2 * steps * there + 1
            classes += looks * size.classes
            names += looks * sum(name + 2 for name in size.names)
        contexts = classes if by_names or own.get("sharing") == "class" else passes if own.get("sharing") == "all" else tasks
        tokens = self._read(names, classes, contexts, own["context"])
        if "task_vectors" in own:
            specific = own["task_context"] == "specific"
            tokens += self._read(tasks * (TITLE + 2), tasks, tasks if specific else passes, own["task_vectors"])
        if by_names:
            tokens += self._read(names, classes, classes if own["class_context"] == "specific" else passes, own["class_vectors"])
        counted = {"passes": passes, "tasks": tasks, "tokens": tokens}
        return Work({f"share {self.name}: {unit}": epochs * count for unit, count in counted.items()})

    def _read(self, tokens: float, sentences: float, contexts: float, vectors: int) -> float:
        """Tokens of sentences with so many of their own, which share what is before the names: that is read once for each of `contexts`."""
        return self.whole * sentences if self.whole else tokens + contexts * (1 + vectors)

    def adapting(self, size: Size) -> Work:
        """One adapter: the search of alpha and beta, one beta at a time, if it has one, and the epochs of what is trained: keys, or class
        weights."""
        grid, ranked = self.settings.get("beta_steps", 0), not metrics.lookup(size.metric).of_right_answers
        work = Work({
            f"adapt {self.name}: betas": grid,
            f"adapt {self.name}: looks": grid * size.validation * size.train * (size.classes if ranked else 1),
            f"adapt {self.name}: logits": grid * size.validation * size.classes,
            f"adapt {self.name}: ranks": grid * self.settings.get("alpha_steps", 0) * size.validation * size.classes * ranked,
        })  # fmt: skip
        if "epochs" in self.settings:
            epochs, seen = self.settings["epochs"], 2 * size.train + size.validation
            keys = size.train if grid else 0
            work[f"adapt {self.name}: steps"] = epochs * (1 + math.ceil(size.train / self.settings.get("batch_size", size.train)))
            work[f"adapt {self.name}: keys"] = epochs * seen * keys
            work[f"adapt {self.name}: products"] = epochs * seen * (keys or 1) * size.classes
        return work


def encoding(scope: Scope, size: Size) -> Work:
    """All prepared images, and every class name in every template."""
    whole = kinds.whole_sentences(scope.config["backbone"]["model"])
    text = size.templates * sum(whole or SENTENCE + own for own in size.names)
    return Work({"encode: images": size.images, "encode: tokens": text})


def probing(size: Size) -> Work:
    """One linear probe."""
    return Work({"probe: fits": 1, "probe: products": size.train * size.classes})


def choosing(targets: int, sources: int, seeds: int, methods: int, drawn: int) -> Work:
    """The table `choice`: on every target, `drawn` times (draws and numbers of images), gains of the candidates with and without each
    source, of all seeds and of each alone, of each method and of all together."""
    counted, several = drawn * targets * (1 + sources), seeds > 1
    groups = [1] * methods + [methods] * (methods > 1)
    return Work({
        "choice: choices": counted * (1 + seeds * several) * len(groups),
        "choice: candidates": counted * (1 + several) * (sources - 1) * seeds * sum(groups),
    })  # fmt: skip


def preparing(size: Size) -> Work:
    return Work({"prepare: drawn" if size.embedded else "prepare: decoded": size.images})


def together(parts: Iterable[Work]) -> Work:
    total = Work()
    for part in parts:
        total.update(part)
    return total
