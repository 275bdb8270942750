"""Trains one learner on several tasks at once, on frozen image features: SoftCPT and the baselines that share contexts.

Images of all tasks are mixed in one order; each is judged among its own task's classes alone. Knows nothing of files, nor
of test images.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from promptatlas.backbone import Backbone
from promptatlas.backbone.siglip import Whole
from promptatlas.backbone.text import PackedSentences, sentences
from promptatlas.base.errors import UserError
from promptatlas.base.rng import named_rng, torch_rng
from promptatlas.base.stage import through
from promptatlas.methods import module_class
from promptatlas.tasks import metrics
from promptatlas.training import selection
from promptatlas.training.own_rules import require_none
from promptatlas.training.schedule import learning_rate, optimiser
from promptatlas.training.selection import Best
from promptatlas.training.single_task import loss


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


def tune_shared(backbone: Backbone, method: str, settings: dict, tasks: list[SharedTask], seed: int) -> SharedPrompts:
    """One learner of `method` on all tasks, with the random number generators of `seed`. Raises UserError if the loss is not a number."""
    learner = _Learner(backbone, method, settings, tasks, seed)
    steps = learner.module.released_steps if settings.get("steps") == "as_released" else 1
    optimizer = optimiser(settings, list(learner.module.parameters()))
    best: Best[tuple[int, dict[str, Tensor]]] = selection.epochs(settings)
    history, order = [], named_rng("order", method, seed)
    for epoch in through(range(settings["epochs"]), "epoch"):
        rate = learning_rate(settings, epoch * steps)
        optimizer.rate = rate
        total, permutation = 0.0, order.permutation(len(learner.owner))
        for start in range(0, len(permutation), settings["batch_size"]):
            rows = permutation[start : start + settings["batch_size"]]
            value = learner.loss(rows)
            optimizer.zero_grad()
            value.backward()
            for _ in range(steps):
                optimizer.step()
            total += value.item() * len(rows)
        if not np.isfinite(total):
            raise UserError(f"{method}: the loss is not a number; lower settings.{method}.learning_rate.")
        score = learner.validate()
        history.append({"epoch": epoch + 1, "loss": total / len(permutation), "learning_rate": rate, "validation_score": score})
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

    def features(self, contexts: Tensor, chosen: Tensor, owner: Tensor | None = None) -> Tensor:
        """(R, e), not normalised, of the R chosen names, ascending; contexts (n, d), or (T, n, d) with owner (R,) in 0..T - 1."""
        every = len(chosen) == len(self.rows)
        layout = self._all if every else self.text.layout([self.rows[i] for i in chosen.tolist()])
        return self.text(layout, contexts.reshape(-1, 1, *contexts.shape[-2:]), owner)[0]

    @cached_property
    def _all(self) -> PackedSentences | Whole:
        return self.text.layout(self.rows)


class _Learner:
    """The module, the sentences of all tasks, and the loss of a batch; images and classes are numbered over all tasks."""

    def __init__(self, backbone: Backbone, method: str, settings: dict, tasks: list[SharedTask], seed: int) -> None:
        self.backbone, self.tasks, device = backbone, tasks, backbone.device
        classes = [len(task.class_names) for task in tasks]
        generator = torch_rng("initial", method, seed)
        self.module = module_class(method)(backbone.architecture, settings, generator, classes).to(device)
        require_none(method, self.module)
        names = [name for task in tasks for name in task.class_names]
        self.sentences = Sentences(backbone, names, settings["context"])
        self.class_task = torch.arange(len(tasks), device=device).repeat_interleave(torch.tensor(classes, device=device))
        self.first_class = np.cumsum([0, *classes])
        self.everything = torch.arange(len(names), device=device)
        sizes = [len(task.train[1]) for task in tasks]
        self.owner = np.repeat(np.arange(len(tasks)), sizes)
        self.place = np.concatenate([np.arange(size) for size in sizes])
        self.rate = settings["class_rate"] if self.module.class_aware else 1.0
        self.sampling = named_rng("classes", method, seed)
        if self.module.reads_names:
            self.named = Sentences(backbone, [task.name for task in tasks], settings["task_vectors"])
        if self.module.class_aware:
            self.described = Sentences(backbone, names, settings["class_vectors"])

    def loss(self, rows: np.ndarray) -> Tensor:
        """Sum over the batch's images of the cross-entropy in their own tasks, divided by the size of the batch."""
        present, chosen, images = np.unique(self.owner[rows]).tolist(), [], []
        for task in present:
            own = torch.from_numpy(self.place[rows[self.owner[rows] == task]]).to(self.backbone.device)
            features, labels = (part[own] for part in self.tasks[task].train)
            classes, labels = self._chosen(task, labels)
            chosen.append(classes + int(self.first_class[task]))
            images.append((features, labels))
        weights = self._weights(self._contexts(torch.cat(chosen)), torch.cat(chosen)).split([len(own) for own in chosen])
        total: Any = 0.0
        for (features, labels), own in zip(images, weights, strict=True):
            logits = self.backbone.logit_scale * features @ own.T
            ones = torch.ones(1, len(features), device=logits.device, dtype=logits.dtype)
            total = total + loss(logits[None], labels[None], ones)[0] * (len(features) / len(rows))
        return total

    @torch.no_grad()
    def result(self) -> tuple[list[Tensor], list[Tensor]]:
        """Class weights and contexts of every task."""
        contexts, sizes = self._contexts(self.everything), np.diff(self.first_class).tolist()
        weights = list(self._weights(contexts, self.everything).split(sizes))
        if contexts.dim() == 2:
            return weights, [contexts] * len(self.tasks)
        return weights, list(contexts.split(sizes) if self.module.per == "class" else contexts)

    def validate(self) -> float:
        """The mean of the tasks' own metrics on their validation images."""
        scores = []
        for task, weights in zip(self.tasks, self.result()[0], strict=True):
            features, labels = task.validation
            logits = self.backbone.logit_scale * features @ weights.T
            scores.append(metrics.score(task.metric, logits.cpu().numpy(), labels.cpu().numpy()).value)
        return float(np.mean(scores))

    def _contexts(self, chosen: Tensor) -> Tensor:
        """(n, d_text) of all, (T, n, d_text) of the tasks to which the chosen classes (R,) belong, or (R, n, d_text) of each."""
        tasks, task = self._tasks_of(chosen)
        if not self.module.reads_names:
            return self.module(tasks, chosen)
        context = self.module.task_context(tasks)
        task_features = self.named.features(context, tasks, _each(context))
        if not self.module.class_aware:
            return self.module(task_features, None)
        context = self.module.class_context(chosen)
        return self.module(task_features[task], self.described.features(context, chosen, _each(context)))

    def _weights(self, contexts: Tensor, chosen: Tensor) -> Tensor:
        """Unit class weights (R, e) of the chosen classes, each read after the context of its own or of its task."""
        owner = self._tasks_of(chosen)[1] if self.module.per == "task" else _each(contexts)
        return F.normalize(self.sentences.features(contexts, chosen, owner), dim=-1)

    def _tasks_of(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """The tasks to which classes belong (T,), and which of them each has (R,)."""
        return self.class_task[chosen].unique_consecutive(return_inverse=True)

    def _chosen(self, task: int, labels: Tensor) -> tuple[Tensor, Tensor]:
        """All classes of a task, or those on the images and a share of the others; the labels renumbered to them."""
        classes = self.everything[: len(self.tasks[task].class_names)]
        if self.rate == 1.0:
            return classes, labels
        present = labels.bool().any(0) if labels.dim() == 2 else torch.isin(classes, labels)
        absent = classes[~present].cpu().numpy()
        drawn = self.sampling.choice(absent, math.ceil(self.rate * len(absent)), replace=False) if len(absent) else absent
        present[torch.from_numpy(drawn).to(present.device)] = True
        chosen = classes[present]
        return chosen, labels[:, chosen] if labels.dim() == 2 else torch.searchsorted(chosen, labels)


def _each(contexts: Tensor) -> Tensor | None:
    """Every sentence owns a context of its own, or, for a single context (n, d_text), all have it together."""
    return None if contexts.dim() == 2 else torch.arange(len(contexts), device=contexts.device)
