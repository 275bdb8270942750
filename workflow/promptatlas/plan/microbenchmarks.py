"""Small made-up work of every kind that a study has, from tiny to as large as the study's own, to be timed by `speeds`.

All of it goes through the code that the jobs use. Images are noise and answers mean nothing.
"""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from PIL import Image

from promptatlas.analysis.statistics.permutation import null_correlations
from promptatlas.backbone import Backbone, parts
from promptatlas.backbone.encode import encode_images
from promptatlas.base.rng import named_rng
from promptatlas.evaluation import evaluate, similarity
from promptatlas.methods import module_class
from promptatlas.plan import choice_benchmarks, speeds
from promptatlas.plan.made_up import Benchmark, MadeUp, MadeUpFeatures, Run, features, names, sized
from promptatlas.study.costs import SENTENCE, MethodCosts, Work, probing
from promptatlas.study.designs import EXPLAINED
from promptatlas.study.sizes import Size
from promptatlas.study.study import Study
from promptatlas.tasks import metrics
from promptatlas.tasks.decoding import fitted
from promptatlas.tasks.mini import MINI_TASKS
from promptatlas.tasks.upright import opened
from promptatlas.training import single_task
from promptatlas.training.learners import BatchedLearners
from promptatlas.training.linear_probe import linear_probe
from promptatlas.training.shared_learner import SharedTask, tune_shared

PHOTO = (375, 500, 3)
FEW, STEPS = 128, 16  # images and steps at most of a shortened epoch: its beginning and end count for little
MANY = 6  # times as many tasks as are typical


def microbenchmarks(study: Study, model: Backbone, sizes: Mapping[str, Size]) -> dict[str, list[Benchmark]]:
    """By kind of work, each benchmark with more to do than the one before, of everything whose speed this study needs to know."""
    learners = sorted((sizes[name] for name in study.learners), key=lambda size: size.classes)
    typical = [learners[len(learners) * share // 4] for share in (2, 3, 1)]  # what is tried first is the most usual
    width = model.architecture.embed_dim
    found: dict[str, list[Benchmark]] = {"encode names": _encoding_names(model)}
    seeing = {speeds.IMAGES: _encoding_images(model)}  # a large image tower is the last that is begun with
    found["job"] = [_counted("job: weights", 1 << 25, _as_weights, bytes(1 << 25))]
    if embedded := [name for name in study.design.given if study.data.is_embedded(name)]:
        found["prepare drawn"] = [_counted("prepare: drawn", n * len(embedded), _draw, embedded, n) for n in (2, 6)]
    if study.data.real_tasks:
        found["prepare decoded"] = _decoding(model.architecture.image_size)
    found["probe"] = [_probing(replace(size, metric=metrics.ONE_CLASS), width) for size in (sized(2, 8, 4), sized(4, 24, 8), *typical)]
    seeds = max((len(job.seeds) for job in study.jobs.tune), default=0)
    prompts = max(len(job.seeds) * len(job.sources) for job in study.jobs.transfer)
    for method in (MethodCosts.of(study, name) for name in study.methods):
        kinds = seeing if method.visual or method.augments else found
        kinds[f"tune {method.name}"] = _tuning(model, method, typical, seeds)
        kinds[f"evaluate {method.name}"] = _evaluating(model, method, typical, prompts)
        if study.tries and study.choice.estimators:
            kinds[f"estimate {method.name}"] = choice_benchmarks.estimating(model, method, typical, study.choice)
    if study.tries:
        found["choice"] = [choice_benchmarks.choosing(study, tasks, seeds) for tasks, seeds in ((3, 1), (6, 1), (6, 3))]
    for method in (MethodCosts.of(study, name) for name in study.shared_methods):
        found[f"share {method.name}"] = _sharing(model, method, typical)
    for method in (MethodCosts.of(study, name) for name in study.adapter_methods):
        found[f"adapt {method.name}"] = _adapting(method, typical, model.logit_scale, width)
    if study.design.ending is EXPLAINED:
        tasks = len(study.tasks)
        found["similarity"] = [_counted("similarity: pairs", 4, _compare, width, n) for n in (50, 400)]
        found["statistics"] = [_counted("statistics: permuted cells", n * tasks**2, _permute, tasks, n) for n in (50, 500)]
        found["figures"] = [_counted("figures: cells", n**2, _plot, n) for n in (3, 6, 12)]
    return found | seeing


def _counted(name: str, count: int, run: Callable[..., object], *given: Any) -> Benchmark:
    """Work of one kind that needs no getting ready."""
    return Work({name: count}), lambda: partial(run, *given)


def _encoding_names(model: Backbone) -> list[Benchmark]:
    seen = model.architecture
    sentence = seen.context_length if seen.text_tower in parts.WHOLE else SENTENCE + 2
    given = [(count, names(count), ("a photo of a {}.",)) for count in (1, 2, 16, 128)]
    return [_counted("encode: tokens", count * sentence, model.class_features, *own) for count, *own in given]


def _encoding_images(model: Backbone) -> list[Benchmark]:
    given = [(count, MadeUp(sized(2, count, 0), model.architecture.image_size).images("train")) for count in (1, 2, 16, 128)]
    return [_counted("encode: images", count, encode_images, model, images) for count, images in given]


def _tuning(model: Backbone, method: MethodCosts, typical: Sequence[Size], learners: int) -> list[Benchmark]:
    """One epoch: the smallest, with more classes, with more images; then classes as in the study and a few images."""
    sizes = [(sized(2, 2, 2), 1), (sized(6, 2, 2), 1), (sized(2, 6, 6), 1)]
    few = min(FEW, STEPS * method.settings["batch_size"])
    sizes += [(sized(size.classes, min(size.train, few), min(size.validation, FEW // 2)), learners) for size in typical]
    quick = replace(method, settings={**method.settings, "epochs": 1})
    # Features that are computed once are no part of an epoch, and a large tower would take minutes for them.
    seen = model if method.visual or method.augments else replace(model, vision=MadeUpFeatures(model.architecture).to(model.device))

    def ready(task: Any, k: int) -> Run:
        settings, seeds = dict(quick.settings), list(range(k))
        batched = BatchedLearners(method.name, settings, model.architecture, seeds, model)
        return single_task.Run(seen, method.name, settings, task, [task.draw()] * k, seeds, batched).tune

    made = [(MadeUp(size, model.architecture.image_size), k) for size, k in sizes]
    done = {"encode: images": 0}  # before, as one gets ready
    return [(Work(quick.tuning(task.size, k) | done), partial(ready, task, k)) for task, k in made]


def _evaluating(model: Backbone, method: MethodCosts, typical: Sequence[Size], prompts: int) -> list[Benchmark]:
    sizes = [(2, 2, 1), (6, 2, 2), (2, 6, 1)]
    sizes += [(size.classes, min(size.test, FEW // 2), min(prompts, 8)) for size in typical]
    sizes += [(size.classes, min(size.test, 2 * FEW), prompts) for size in typical[:1]]

    def ready(task: Any, k: int) -> Run:
        own = single_task.scratch(model, method.name, dict(method.settings), 0).prompts
        encoded = {"features_test": features(task.size.test, model.architecture.embed_dim)}
        return partial(evaluate.evaluate, model, task, encoded, [own] * k)

    tasks = [(MadeUp(sized(classes, 0, 0, test), model.architecture.image_size), k) for classes, test, k in sizes]
    return [(method.evaluating(task.size, k), partial(ready, task, k)) for task, k in tasks]


def _sharing(model: Backbone, method: MethodCosts, typical: Sequence[Size]) -> list[Benchmark]:
    quick = replace(method, settings={**method.settings, "epochs": 1})

    def ready(sizes: Sequence[Size]) -> Run:
        made = [MadeUp(size, 1) for size in sizes]
        parts = [[task.examples(split, model.architecture.embed_dim, model.device) for split in ("train", "validation")] for task in made]
        tasks: list[Any] = [
            SharedTask(f"{number} things", task.task.class_names, metrics.ONE_CLASS, *((one.features, one.labels) for one in own))
            for number, (task, own) in enumerate(zip(made, parts, strict=True))
        ]
        return partial(tune_shared, model, method.name, dict(quick.settings), tasks, 0)

    usual = [[sized(size.classes, images, images) for size in typical] for images in (32, 8)]
    several = ([sized(2, 4, 2)] * 2, [sized(8, 4, 2)] * 2, [sized(2, 4, 2)] * 8, usual[0], usual[1] * MANY)
    return [(quick.sharing(sizes), partial(ready, sizes)) for sizes in several]


def _adapting(method: MethodCosts, typical: Sequence[Size], scale: float, width: int) -> list[Benchmark]:
    """Small grids and few epochs, each varied alone; some tasks rank images, anew for every pair of alpha and beta. What an image costs
    shows in tasks of many images alone, up to which there are some on the way.
    """
    tiny, own = sized(2, 4, 4), [replace(size, metric=metrics.ONE_CLASS) for size in typical]
    several = [(tiny, 5, 2), (tiny, 20, 2), (tiny, 5, 8)]
    several += [(replace(size, metric="roc_auc"), 5, 2) for size in (tiny, sized(2, 32, 32))]
    several += [(sized(classes, 8 * classes, 4 * classes), 5, 2) for classes in (4, 12, 36, 108, 324) if classes < max(6, own[0].classes)]
    several += [(own[0], 5, 2), (own[1], 20, 2), (own[1], 5, 8), (own[2], 20, 8)]
    trained = "epochs" in method.settings

    def ready(settings: dict[str, Any], size: Size) -> Run:
        examples = [MadeUp(size, 1).examples(split, width) for split in ("train", "validation")]
        order = (named_rng("order", "made up"),) if trained else ()
        weights = torch.from_numpy(features(size.classes, width))
        return partial(module_class(method.name), settings, scale, weights, *examples, size.metric, *order)

    found: list[Benchmark] = []
    for size, grid, epochs in several:
        small = {"alpha_steps": 20, "beta_steps": grid, "epochs": epochs}
        settings = {**method.settings, **{key: value for key, value in small.items() if key in method.settings}}
        found.append((replace(method, settings=settings).adapting(size), partial(ready, settings, size)))
    return found


def _probing(size: Size, width: int) -> Benchmark:
    train, held = (MadeUp(size, 1).examples(split, width) for split in ("train", "validation"))
    train_too, held_too = ((one.features.numpy(), one.labels.numpy()) for one in (train, held))
    return probing(size), lambda: partial(linear_probe, *train_too, *held_too, *held_too, size.metric)


def _draw(names: Sequence[str], count: int) -> None:
    """A few images of every embedded task: some draw their text and some only discs."""
    for name in names:
        MINI_TASKS[name].images.split("train", count)


def _decoding(pixels: int) -> list[Benchmark]:
    """A JPEG of the usual size, smooth with some noise as photographs are."""
    across, file = np.linspace(0, 200, PHOTO[1])[None, :, None] + np.random.default_rng(0).normal(0, 8, PHOTO), io.BytesIO()
    Image.fromarray(across.clip(0, 255).astype(np.uint8)).save(file, "jpeg", quality=90)

    def decode(count: int) -> None:
        for _ in range(count):
            hashlib.sha256(fitted(opened(io.BytesIO(file.getvalue())), pixels, "crop").data)

    return [_counted("prepare: decoded", count, decode, count) for count in (4, 16)]


def _as_weights(content: bytes) -> None:
    """Read, hashed and copied, as every job does it with the weights of the backbone."""
    hashlib.sha256(content)
    np.frombuffer(content, np.float32).copy().sum()


def _compare(width: int, count: int) -> None:
    """Two tasks with each other and with themselves, by every measure."""
    about = [SimpleNamespace(name=f"task {number}", family="any", drawn=(), labelled=()) for number in range(2)]
    encoded = {"features_train": features(count, width), "class_features": features(10, width)}
    similarity.compute({task.name: (task, encoded) for task in about})


def _permute(tasks: int, count: int) -> None:
    """Matrices of as many tasks with six measures, under a share of the usual relabellings."""
    rng = np.random.default_rng(0)
    matrix, orders = rng.normal(size=(tasks, tasks)), rng.permuted(np.tile(np.arange(tasks), (count, 1)), axis=1)
    null_correlations(matrix, np.stack([matrix] * 6), orders)


def _plot(tasks: int) -> None:
    """A matrix with a number in every cell, in all forms that figures have."""
    from matplotlib import pyplot

    from promptatlas.report.figures.style import save

    figure, axes = pyplot.subplots(figsize=(0.36 * tasks, 0.36 * tasks))
    axes.pcolormesh(np.zeros((tasks, tasks)))
    for row, column in product(range(tasks), repeat=2):
        axes.text(column + 0.5, row + 0.5, "0.5", ha="center", va="center")
    with tempfile.TemporaryDirectory() as folder:
        save(figure, Path(folder) / "matrix")
