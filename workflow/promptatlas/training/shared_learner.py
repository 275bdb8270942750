"""Trains one learner on several tasks at once, on frozen image features: SoftCPT and the baselines that share contexts.

Images of all tasks are mixed in one order; each is judged among its own task's classes alone. Knows nothing of files, nor
of test images.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from promptatlas.backbone import Backbone
from promptatlas.backbone.accelerator import fetched, is_accelerator, sent
from promptatlas.backbone.owners import EACH, Owner, of_owners
from promptatlas.backbone.packed_sentences import PackedSentences
from promptatlas.backbone.passes import in_passes, joined
from promptatlas.backbone.text import sentences
from promptatlas.backbone.whole_text import Whole
from promptatlas.base import memory
from promptatlas.base.errors import UserError
from promptatlas.base.rng import named_rng, torch_rng
from promptatlas.base.stage import through
from promptatlas.methods import module_class, one_epoch
from promptatlas.tasks import metrics
from promptatlas.training import selection
from promptatlas.training.image_batch import ImageBatch, Step, batches_of
from promptatlas.training.micro_batches import in_micro_batches
from promptatlas.training.own_classes import TaskPart, all_together, among_own, pooled, task_by_task
from promptatlas.training.own_rules import require_none
from promptatlas.training.recorded_step import RecordedStep
from promptatlas.training.schedule import learning_rate, optimiser
from promptatlas.training.selection import Best


@dataclass(frozen=True)
class SharedTask:
    """One of the tasks: its name in words, its classes, and unit image features (N, e) with labels (N,) or marks (N, C)."""

    name: str
    class_names: tuple[str, ...]
    metric: str
    train: tuple[Tensor, Tensor]
    validation: tuple[Tensor, Tensor]


@dataclass(frozen=True)
class SharedPrompts:
    """What was trained. By task: class_weights (C, e) of unit length and contexts (n, d_text) or (C, n, d_text).

    history: a row per epoch; best_epoch: the chosen one, 1-based.
    """

    parameters: dict[str, Tensor]
    class_weights: list[Tensor]
    contexts: list[Tensor]
    history: list[dict]
    best_epoch: int


@memory.told("a shared learner runs out of GPU memory with the classes of a single task; use a GPU with more memory.")
def tune_shared(backbone: Backbone, method: str, settings: dict, tasks: list[SharedTask], seed: int) -> SharedPrompts:
    """One learner of `method` on all tasks, with the random number generators of `seed`. Raises UserError if the loss is not a number."""
    learner = _Learner(backbone, method, settings, tasks, seed)
    steps = learner.module.released_steps if settings.get("steps") == "as_released" else 1
    optimizer = optimiser(settings, list(learner.module.parameters()))
    best: Best[tuple[int, dict[str, Tensor]]] = selection.epochs(settings)
    history, order, every = [], named_rng("order", method, seed), len(learner.owner)
    seen = one_epoch.images(every, settings)
    for epoch in through(range(settings["epochs"]), "epoch"):
        rate = learning_rate(settings, epoch * steps)
        optimizer.rate = rate
        total = torch.zeros((), dtype=torch.float64, device=backbone.device)
        for rows, batch in learner.batches(order.permutation(every)[:seen], settings["batch_size"]):
            value = learner.step(rows, batch, optimizer.zero_grad)
            for _ in range(steps):
                optimizer.step()
            total += value.double() * len(rows)  # stays on the device: no step waits for the one before
        mean = total.item() / seen
        if not np.isfinite(mean):
            raise UserError(f"{method}: the loss is not a number; lower settings.{method}.learning_rate.")
        score = learner.validate()
        history.append({"epoch": epoch + 1, "loss": mean, "learning_rate": rate, "validation_score": score})
        best.offer(score, lambda epoch=epoch: (epoch + 1, {k: v.detach().clone() for k, v in learner.module.state_dict().items()}))
    chosen, parameters = best.taken()
    learner.module.load_state_dict(parameters)
    weights, contexts = learner.result()
    return SharedPrompts(parameters, weights, contexts, history, chosen)


class Sentences:
    """Names after n context vectors each, encoded in one pass: all with the same vectors, or each with those of its owner."""

    def __init__(self, backbone: Backbone, names: list[str], n: int) -> None:
        self.text = backbone.text
        self.rows = sentences(backbone.tokenizer, names, n, "end")

    def features(self, contexts: Tensor, chosen: np.ndarray, owner: Owner | None = None) -> Tensor:
        """(R, e), not normalised, of the R names chosen (R,), ascending; contexts (n, d), or (T, n, d) with owner (R,) in 0..T - 1
        or one of each."""
        every = len(chosen) == len(self.rows)
        layout = self._all if every else self.text.layout([self.rows[i] for i in chosen.tolist()])
        return self.text(layout, contexts.reshape(-1, 1, *contexts.shape[-2:]), owner)[0]

    @cached_property
    def _all(self) -> PackedSentences | Whole:
        return self.text.layout(self.rows)


class _ChosenClasses:
    """Some classes (R,) in ascending order, the tasks (T,) to which they belong, and which of these each has (R,).

    `numbers` and `tasks` lie on the host, where it is decided what is encoded; `own`, `own_tasks` and `task` on the device.
    """

    def __init__(self, numbers: np.ndarray, class_task: np.ndarray, device: torch.device) -> None:
        self.numbers = numbers
        self.tasks, task = np.unique(class_task[numbers], return_inverse=True)
        self.own, self.own_tasks, self.task = (sent(values, device) for values in (numbers, self.tasks, task))


class _Learner:
    """The module, the sentences of all tasks, and the loss of a batch; images and classes are numbered over all tasks."""

    def __init__(self, backbone: Backbone, method: str, settings: dict, tasks: list[SharedTask], seed: int) -> None:
        self.backbone, self.tasks, device = backbone, tasks, backbone.device
        self.kind = f"tasks of a step of {method}"
        classes = [len(task.class_names) for task in tasks]
        generator = torch_rng("initial", method, seed)
        self.module = module_class(method)(backbone.architecture, settings, generator, classes).to(device)
        require_none(method, self.module)
        names = [name for task in tasks for name in task.class_names]
        self.sentences = Sentences(backbone, names, settings["context"])
        self.first_class = np.cumsum([0, *classes])
        self.class_task = np.repeat(np.arange(len(tasks)), classes)
        self.everything = _ChosenClasses(np.arange(len(names)), self.class_task, device)
        self.features = torch.cat([task.train[0] for task in tasks])
        self.truth = [task.train[1].cpu().numpy() for task in tasks]
        sizes = [len(labels) for labels in self.truth]
        self.owner = np.repeat(np.arange(len(tasks)), sizes)
        self.first_image = np.cumsum([0, *sizes])
        self.rate = settings["class_rate"] if self.module.class_aware else 1.0
        self.sampling = named_rng("classes", method, seed)
        if self.module.reads_names:
            self.named = Sentences(backbone, [task.name for task in tasks], settings["task_vectors"])
        if self.module.class_aware:
            self.described = Sentences(backbone, names, settings["class_vectors"])
        # An accelerator looks at all classes of all tasks at every step: the same kernels, whatever the batch, and nothing to send.
        self.at_once: Step | None = None
        if is_accelerator(device) and self.rate == 1.0:
            self.image_task, self.labels = sent(self.owner, device), sent(pooled(self.truth, classes), device)
            self.at_once = self.whole_step
            if device.type == "cuda":
                self.at_once = RecordedStep(self.whole_step, list(self.module.parameters()), lambda batch: None)

    def batches(self, order: np.ndarray, size: int) -> Iterator[tuple[np.ndarray, ImageBatch | None]]:
        """All images in this order, `size` at a time: on the host, and as batches of one shape where all tasks are looked at at once."""
        rows = [order[start : start + size] for start in range(0, len(order), size)]
        if self.at_once is None:
            yield from ((own, None) for own in rows)
            return
        padded = -len(order) % size if len(order) > size else 0
        every, present = np.pad(order, (0, padded))[None], (np.arange(len(order) + padded) < len(order))[None]
        lengths = [min(size, len(order))] * len(rows)
        yield from zip(rows, batches_of(every, present, lengths, self.backbone.device), strict=True)

    def step(self, rows: np.ndarray, batch: ImageBatch | None, begin: Callable[[], None]) -> Tensor:
        """Leaves the gradient of the loss of a batch, which is returned, at the parameters; of fewer tasks at once where memory is short.

        begin: forgets what is there.
        """
        room, count = self.backbone.room, len(self.tasks)
        if self.at_once and batch is not None and room.size(self.kind, count) == count:
            begin()
            try:
                return self.at_once(batch)
            except RuntimeError as error:
                if not memory.runs_out(error):
                    raise
            room.halved(self.kind, count)
        parts = self.parts(rows)
        return in_micro_batches(partial(self.part_step, parts, len(rows)), begin, len(parts), len(parts), room, self.kind)

    def whole_step(self, batch: ImageBatch) -> Tensor:
        """The same of a batch (1, B), all of whose images are held against all classes at once."""
        rows = batch.rows[0]
        weights = self._weights(self._contexts(self.everything), self.everything)
        logits = self.backbone.logit_scale * self.features.index_select(0, rows) @ weights.T
        task, labels = (own.index_select(0, rows) for own in (self.image_task, self.labels))
        value = among_own(logits, task, self.everything.task, labels, batch.weights[0])
        value.backward()
        return value.detach()

    def parts(self, rows: np.ndarray) -> list[TaskPart]:
        """What a batch has of each task."""
        parts = []
        for task in np.unique(self.owner[rows]).tolist():
            images = rows[self.owner[rows] == task]
            classes, labels = self._chosen(task, self.truth[task][images - self.first_image[task]])
            parts.append(TaskPart(images, classes + self.first_class[task], labels))
        return parts

    def part_step(self, parts: list[TaskPart], count: int, part: slice) -> Tensor:
        """Adds the gradient of the loss of some parts of a batch of `count` images, which is returned, to what is at the parameters."""
        some = parts[part]
        value = self.loss(some) * (sum(len(own.images) for own in some) / count)
        value.backward()
        return value.detach()

    def loss(self, parts: list[TaskPart]) -> Tensor:
        """Sum over the images of the cross-entropy in their own tasks, divided by their number."""
        device = self.backbone.device
        chosen = _ChosenClasses(np.concatenate([part.classes for part in parts]), self.class_task, device)
        features = self.features[sent(np.concatenate([part.images for part in parts]), device)]
        weights = self._weights(self._contexts(chosen), chosen)
        return (all_together if is_accelerator(device) else task_by_task)(self.backbone.logit_scale * features, weights, parts)

    @torch.no_grad()
    def result(self) -> tuple[list[Tensor], list[Tensor]]:
        """Class weights and contexts of every task."""
        made = in_passes(self._of_tasks, len(self.tasks), len(self.tasks), self.backbone.room, "tasks of a shared learner")
        sizes = np.diff(self.first_class).tolist()
        weights = list(joined([own for own, _ in made]).split(sizes))
        contexts = made[0][1] if made[0][1].dim() == 2 else joined([own for _, own in made])
        if contexts.dim() == 2:
            return weights, [contexts] * len(self.tasks)
        return weights, list(contexts.split(sizes) if self.module.per == "class" else contexts)

    def _of_tasks(self, part: slice) -> tuple[Tensor, Tensor]:
        """Unit weights (R, e) of all classes of some tasks, and the contexts that they are read after."""
        start, stop = part.start, min(part.stop, len(self.tasks))
        chosen = self.everything
        if stop - start < len(self.tasks):
            chosen = _ChosenClasses(np.arange(self.first_class[start], self.first_class[stop]), self.class_task, self.backbone.device)
        contexts = self._contexts(chosen)
        return self._weights(contexts, chosen), contexts

    def validate(self) -> float:
        """The mean of the tasks' own metrics on their validation images."""
        answers = [
            self.backbone.logit_scale * task.validation[0] @ weights.T for task, weights in zip(self.tasks, self.result()[0], strict=True)
        ]
        scored = zip(self.tasks, fetched(answers), self.held, strict=True)
        return float(np.mean([metrics.score(task.metric, logits, truth).value for task, logits, truth in scored]))

    @cached_property
    def held(self) -> list[np.ndarray]:
        """Labels or marks of the validation images of each task, on the host."""
        return [task.validation[1].cpu().numpy() for task in self.tasks]

    def _contexts(self, chosen: _ChosenClasses) -> Tensor:
        """(n, d_text) of all, (T, n, d_text) of the tasks to which the chosen classes (R,) belong, or (R, n, d_text) of each."""
        if not self.module.reads_names:
            return self.module(chosen.own_tasks, chosen.own)
        context = self.module.task_context(chosen.own_tasks)
        task_features = self.named.features(context, chosen.tasks, _each(context))
        if not self.module.class_aware:
            return self.module(task_features, None)
        context = self.module.class_context(chosen.own)
        return self.module(of_owners(task_features, chosen.task), self.described.features(context, chosen.numbers, _each(context)))

    def _weights(self, contexts: Tensor, chosen: _ChosenClasses) -> Tensor:
        """Unit class weights (R, e) of the chosen classes, each read after the context of its own or of its task."""
        owner = chosen.task if self.module.per == "task" else _each(contexts)
        return F.normalize(self.sentences.features(contexts, chosen.numbers, owner), dim=-1)

    def _chosen(self, task: int, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """All classes of a task, or those on the images and a share of the others; the labels renumbered to them."""
        classes = np.arange(len(self.tasks[task].class_names))
        if self.rate == 1.0:
            return classes, labels
        present = np.isin(classes, np.nonzero(labels)[1] if labels.ndim == 2 else labels)
        absent = classes[~present]
        drawn = self.sampling.choice(absent, math.ceil(self.rate * len(absent)), replace=False) if len(absent) else absent
        present[drawn] = True
        chosen = classes[present]
        return chosen, labels[:, chosen] if labels.ndim == 2 else np.searchsorted(chosen, labels)


def _each(contexts: Tensor) -> Owner | None:
    """Every sentence owns a context of its own, or, for a single context (n, d_text), all have it together."""
    return None if contexts.dim() == 2 else EACH
