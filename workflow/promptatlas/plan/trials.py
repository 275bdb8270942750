"""Small made-up work of every kind that a study has, from tiny to as large as the study's own, to be timed by `device_speed`.

All of it goes through the code that the jobs use. Pictures are noise and answers mean nothing. Knows nothing of seconds.
"""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice, product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from PIL import Image

from promptatlas.analysis.statistics.permutation import null_correlations
from promptatlas.backbone import Backbone
from promptatlas.backbone.encode import encode_images
from promptatlas.base.rng import stream
from promptatlas.evaluation import evaluate, similarity
from promptatlas.methods import module_class
from promptatlas.study.costs import SENTENCE, SIGLIP_LENGTH, Method, Work, probing
from promptatlas.study.designs import EXPLAINED
from promptatlas.study.sizes import Size
from promptatlas.study.study import Study
from promptatlas.tasks import metrics
from promptatlas.tasks.draws import Draw
from promptatlas.tasks.mini import MINI_TASKS
from promptatlas.tasks.task import Task
from promptatlas.tasks.upright import opened
from promptatlas.training import single_task
from promptatlas.training.adapters import Examples
from promptatlas.training.learners import Population
from promptatlas.training.linear_probe import linear_probe
from promptatlas.training.shared_learner import SharedTask, tune_shared

Run = Callable[[], object]
Trial = Iterator[tuple[Work, Run]]  # what is done, and doing it; each needs more than the one before

WORDS = "red blue green white black big small old new good car dog cat house tree road".split()
PHOTO = (500, 375)
FEW, STEPS = 128, 16  # pictures and steps at most of a shortened epoch: its beginning and end count for little


class MadeUp:
    """A task of a given size: what `single_task` and `evaluate` ask of a prepared one."""

    def __init__(self, size: Size, pixels: int) -> None:
        self.size, self.pixels = size, pixels
        names = _names(size.classes)
        several = metrics.lookup(size.metric).multilabel
        self.task = Task("made up", "made up", "any", names, ("a photo of a {}.",), size.metric, several)

    def images(self, split: str) -> np.ndarray:
        shape = (getattr(self.size, split), self.pixels, self.pixels, 3)
        return np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)

    def labels(self, split: str) -> np.ndarray:
        labels = np.arange(getattr(self.size, split)) % self.size.classes
        return np.eye(self.size.classes, dtype=np.uint8)[labels] if self.task.multilabel else labels

    def rows(self, split: str, numbers: np.ndarray) -> np.ndarray:
        return numbers

    def draw(self) -> Draw:
        train, held = np.arange(self.size.train), np.arange(self.size.validation)
        return Draw(train, held, "validation", self.labels("train"), self.labels("validation"))


def _made_up(size: Size, pixels: int) -> Any:
    return MadeUp(size, pixels)


def trials(study: Study, model: Backbone, sizes: Mapping[str, Size]) -> dict[str, Trial]:
    """By kind of cost, everything that this study needs to know."""
    learners = sorted((sizes[name] for name in study.learners), key=lambda size: size.classes)
    typical = [learners[len(learners) * share // 4] for share in (2, 3, 1)]  # what is tried first is the most usual
    width = model.architecture.embed_dim
    found: dict[str, Trial] = {"encode": _encoding(model)}
    embedded = [name for name in study.design.given if study.data.is_embedded(name)]
    if embedded:
        found["prepare drawn"] = _drawing(embedded)
    if study.data.real_tasks:
        found["prepare decoded"] = _decoding(model.architecture.image_size)
    found["probe"] = _probing(typical, width)
    learners_at_once = max((len(job.seeds) for job in study.jobs.tune), default=0)
    prompts_at_once = max(len(job.seeds) * len(job.sources) for job in study.jobs.transfer)
    for name in study.methods:
        method = Method.of(study, name)
        found[f"tune {name}"] = _tuning(model, method, typical, learners_at_once)
        found[f"evaluate {name}"] = _answering(model, method, typical, prompts_at_once)
    for name in study.shared_methods:
        found[f"share {name}"] = _sharing(model, Method.of(study, name), typical)
    for name in study.adapter_methods:
        found[f"adapt {name}"] = _adapting(Method.of(study, name), typical, model.logit_scale, width)
    if study.design.ending is EXPLAINED:
        found["similarity"] = _comparing(width)
        found["statistics"] = _permuting(len(study.tasks))
        found["figures"] = _plotting()
    return found


def _names(count: int) -> tuple[str, ...]:
    """Names of words of one token each; the first differs, or the text tower would run it once for all."""
    return tuple(" ".join(reversed(words)) for words in islice(product(WORDS, repeat=_words(count)), count))


def _words(count: int) -> int:
    return 2 if count <= len(WORDS) ** 2 else 3


def _sized(classes: int, train: int, validation: int, test: int, metric: str = metrics.ONE_CLASS) -> Size:
    return Size((_words(classes),) * classes, train, validation, test, 0, metric=metric)


def _tuning(model: Backbone, method: Method, typical: Sequence[Size], learners: int) -> Trial:
    """One epoch: the smallest, with more classes, with more pictures; then classes as in the study and a few pictures."""
    shapes = [(_sized(2, 2, 2, 0), 1), (_sized(6, 2, 2, 0), 1), (_sized(2, 6, 6, 0), 1)]
    few = min(FEW, STEPS * method.settings["batch_size"])
    shapes += [(_sized(size.classes, min(size.train, few), min(size.validation, FEW // 2), 0), learners) for size in typical]
    for size, k in shapes:
        quick = replace(method, settings={**method.settings, "epochs": 1})
        settings, task = dict(quick.settings), _made_up(size, model.architecture.image_size)
        seeds = list(range(k))
        population = partial(Population, method.name, settings, model.architecture, seeds, model)
        run = single_task.Run(model, method.name, settings, task, [task.draw()] * k, seeds, population())
        work = quick.tuning(size, k)
        del work["encode: images"]  # done before, as a run begins
        yield work, run.learn


def _answering(model: Backbone, method: Method, typical: Sequence[Size], prompts: int) -> Trial:
    shapes = [(2, 2, 1), (6, 2, 2), (2, 6, 1)]
    shapes += [(size.classes, min(size.test, FEW // 2), min(prompts, 8)) for size in typical]
    shapes += [(size.classes, min(size.test, 2 * FEW), prompts) for size in typical[:1]]
    for classes, test, count in shapes:
        task = _made_up(_sized(classes, 0, 0, test), model.architecture.image_size)
        own = single_task.scratch(model, method.name, dict(method.settings), 0).prompts
        encoded = {"features_test": _features(test, model.architecture.embed_dim)}
        yield method.evaluating(task.size, count), partial(evaluate.evaluate, model, task, encoded, [own] * count)


def _encoding(model: Backbone) -> Trial:
    sentence = SIGLIP_LENGTH if model.architecture.kind == "siglip" else SENTENCE + 2
    for count in (1, 2, 16, 128):
        names = _names(count)
        yield Work({"encode: tokens": count * sentence}), partial(model.class_features, names, ("a photo of a {}.",))
        images = MadeUp(_sized(2, count, 0, 0), model.architecture.image_size).images("train")
        yield Work({"encode: images": count}), partial(encode_images, model, images)


def _sharing(model: Backbone, method: Method, typical: Sequence[Size]) -> Trial:
    shapes = [[_sized(2, 4, 2, 0)] * 2, [_sized(8, 4, 2, 0)] * 2]
    shapes.append([_sized(size.classes, 32, 32, 0) for size in typical])
    for sizes in shapes:
        settings = {**method.settings, "epochs": 1}
        tasks = [_shared(MadeUp(size, 1), number, model) for number, size in enumerate(sizes)]
        yield replace(method, settings=settings).sharing(sizes), partial(tune_shared, model, method.name, settings, tasks, 0)


def _shared(task: MadeUp, number: int, model: Backbone) -> SharedTask:
    parts = [_examples(task, split, model) for split in ("train", "validation")]
    return SharedTask(f"things {number}", task.task.class_names, metrics.ONE_CLASS, *parts)


def _examples(task: MadeUp, split: str, model: Backbone) -> tuple[torch.Tensor, torch.Tensor]:
    labels = task.labels(split)
    features = _features(len(labels), model.architecture.embed_dim)
    return torch.from_numpy(features).to(model.device), torch.from_numpy(labels).to(model.device)


def _features(count: int, width: int) -> np.ndarray:
    rows = np.random.default_rng(0).normal(size=(count, width)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _adapting(method: Method, typical: Sequence[Size], scale: float, width: int) -> Trial:
    """Small grids and few epochs, each varied alone; one task ranks pictures, which makes every pair of alpha and beta a step."""
    tiny, own = _sized(2, 4, 4, 0), [replace(size, metric=metrics.ONE_CLASS) for size in typical]
    shapes = [(tiny, 5, 2), (tiny, 20, 2), (tiny, 5, 8), (replace(tiny, metric="roc_auc"), 5, 2)]
    shapes += [(_sized(4, 16, 8, 0), 5, 2), (_sized(6, 48, 16, 0), 5, 2)]
    shapes += [(own[0], 5, 2), (own[1], 20, 2), (own[1], 5, 8), (own[2], 20, 8)]
    for size, grid, epochs in shapes:
        settings = {**method.settings, "alpha_steps": 20, "beta_steps": grid}
        if "epochs" in settings:
            settings["epochs"] = epochs
        task = MadeUp(size, 1)
        known = [
            Examples(torch.from_numpy(_features(count, width)), torch.from_numpy(task.labels(split)))
            for split, count in (("train", size.train), ("validation", size.validation))
        ]
        weights = torch.from_numpy(_features(size.classes, width))
        order = (stream("order", "made up"),) if "epochs" in settings else ()
        adapter = module_class(method.name)
        yield (
            replace(method, settings=settings).adapting(size),
            partial(adapter, settings, scale, weights, *known, size.metric, *order),
        )


def _probing(typical: Sequence[Size], width: int) -> Trial:
    """Pictures of a class lie around a place of their own, as real ones do."""
    for size in (_sized(2, 8, 4, 0), _sized(4, 24, 8, 0), *typical):
        labels, held = np.arange(size.train) % size.classes, np.arange(size.validation) % size.classes
        centres, noise = _features(size.classes, width), 0.7 * _features(size.train, width)
        train, validation = centres[labels] + noise, centres[held] + noise[: len(held)]
        run = partial(linear_probe, train, labels, validation, held, validation, held, metrics.ONE_CLASS)
        yield probing(size), run


def _drawing(names: Sequence[str]) -> Trial:
    """A few pictures of every embedded task: some draw their text and some only discs."""
    for count in (2, 6):
        yield (
            Work({"prepare: drawn": count * len(names)}),
            partial(_drawn, names, count),
        )


def _drawn(names: Sequence[str], count: int) -> None:
    for name in names:
        MINI_TASKS[name].pictures.split("train", count)


def _decoding(pixels: int) -> Trial:
    """A JPEG of the usual size, smooth with some noise as photographs are."""
    from promptatlas.tasks.decoding import fitted

    across = np.linspace(0, 200, PHOTO[0])[None, :, None] + np.random.default_rng(0).normal(0, 8, (PHOTO[1], PHOTO[0], 3))
    file = io.BytesIO()
    Image.fromarray(across.clip(0, 255).astype(np.uint8)).save(file, "jpeg", quality=90)

    def decode(count: int) -> None:
        for _ in range(count):
            hashlib.sha256(fitted(opened(io.BytesIO(file.getvalue())), pixels, "crop").data)

    for count in (4, 16):
        yield Work({"prepare: decoded": count}), partial(decode, count)


def _comparing(width: int) -> Trial:
    """Two tasks with each other and with themselves, by every measure of the library's own: others may ask for more than is made up."""
    own = [name for name in similarity.registered() if similarity.MEASURES.origin(name) is None]

    def some(number: int, count: int) -> tuple[SimpleNamespace, dict[str, np.ndarray]]:
        task = SimpleNamespace(name=f"task {number}", family="any", drawn=(), labelled=())
        return task, {"features_train": _features(count, width), "class_features": _features(10, width)}

    for count in (50, 400):
        tasks = {f"task {number}": some(number, count) for number in range(2)}
        yield Work({"similarity: pairs": 4}), partial(similarity.compute, tasks, own)


def _permuting(tasks: int) -> Trial:
    """Matrices of as many tasks with six measures, under a share of the usual relabellings."""
    matrix = np.random.default_rng(0).normal(size=(tasks, tasks))
    for count in (50, 500):
        orders = np.random.default_rng(0).permuted(np.tile(np.arange(tasks), (count, 1)), axis=1)
        run = partial(null_correlations, matrix, np.stack([matrix] * 6), orders)
        yield Work({"statistics: permuted cells": count * tasks**2}), run


def _plotting() -> Trial:
    """A matrix with a number in every cell, as SVG and PNG."""
    from matplotlib import pyplot

    from promptatlas.report.figures.style import save

    def plot(tasks: int) -> None:
        figure, axes = pyplot.subplots(figsize=(0.36 * tasks, 0.36 * tasks))
        axes.pcolormesh(np.zeros((tasks, tasks)))
        for row, column in product(range(tasks), repeat=2):
            axes.text(column + 0.5, row + 0.5, "0.5", ha="center", va="center")
        with tempfile.TemporaryDirectory() as folder:
            save(figure, Path(folder) / "matrix")

    for tasks in (3, 6, 12):
        yield Work({"figures: cells": tasks**2}), partial(plot, tasks)
