"""Trains one learner on several tasks at once, on frozen image features: SoftCPT and the baselines that share contexts.

Pictures of all tasks are mixed in one order; each is judged among its own task's classes alone. Knows nothing of files, nor
of test pictures.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from promptatlas import metrics
from promptatlas.backbone import Backbone
from promptatlas.backbone.text import Layout, sentences
from promptatlas.errors import UserError
from promptatlas.methods.settings import module_class
from promptatlas.methods.softcpt import SoftCPT
from promptatlas.schedule import learning_rate, optimiser
from promptatlas.streams import stream, torch_stream
from promptatlas.tuning import loss

RELEASED_STEPS = 3  # SoftCPT's release steps optimiser and schedule once for each of its three registered parts


@dataclass(frozen=True)
class SharedTask:
    """One of the tasks: its name in words, its classes, and unit image features (N, e) with labels (N,) or marks (N, C)."""

    name: str
    class_names: tuple[str, ...]
    metric: str
    train: tuple[Tensor, Tensor]
    validation: tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Shared:
    """What was learned. By task: class_weights (C, e) of unit length and contexts (n, d_text) or (C, n, d_text).

    history: a row per epoch; best_epoch: the chosen one, 1-based.
    """

    parameters: dict[str, Tensor]
    class_weights: list[Tensor]
    contexts: list[Tensor]
    history: list[dict]
    best_epoch: int


def tune_shared(backbone: Backbone, method: str, settings: dict, tasks: list[SharedTask], seed: int) -> Shared:
    """One learner of `method` on all tasks, with the streams of `seed`. Raises UserError if the loss is not a number."""
    learner = _Learner(backbone, method, settings, tasks, seed)
    steps = RELEASED_STEPS if settings["steps"] == "as_released" else 1
    optimizer = optimiser(settings, list(learner.module.parameters()))
    best: tuple[float, int, dict[str, Tensor]] = (float("-inf"), 0, {})
    history, order = [], stream("order", method, seed)
    for epoch in range(settings["epochs"]):
        rate = learning_rate(settings, epoch * steps)
        for group in optimizer.param_groups:
            group["lr"] = rate
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
            raise UserError(f"{method}: the loss is not a number for seed {seed}; lower settings.{method}.learning_rate.")
        score = learner.validate()
        history.append({"epoch": epoch + 1, "loss": total / len(permutation), "learning_rate": rate, "validation_score": score})
        if settings["select"] == "last" or score > best[0]:
            best = (score, epoch + 1, {k: v.detach().clone() for k, v in learner.module.state_dict().items()})
    learner.module.load_state_dict(best[2])
    weights, contexts = learner.result()
    return Shared(best[2], weights, contexts, history, best[1])


class Sentences:
    """Names after n context vectors, encoded with vectors that all share, (n, d), or with own ones, (R, n, d)."""

    def __init__(self, backbone: Backbone, names: list[str], n: int) -> None:
        self.text, self.n = backbone.text, n
        self.rows = sentences(backbone.tokenizer, names, n, "end")

    def features(self, context: Tensor, chosen: Tensor) -> Tensor:
        """(R, e), not normalised, of the chosen names, ascending."""
        own = context.dim() == 3
        if len(chosen) == len(self.rows):
            layout = self._separate if own else self._together
        else:
            rows = [self.rows[i] for i in chosen.tolist()]
            layout = self.text.layout(self._numbered(rows) if own else rows)
        return self.text(layout, context.reshape(1, 1, -1, context.shape[-1]))[0]

    @cached_property
    def _together(self) -> Layout:
        return self.text.layout(self.rows)

    @cached_property
    def _separate(self) -> Layout:
        return self.text.layout(self._numbered(self.rows))

    def _numbered(self, rows: list[list[int]]) -> list[list[int]]:
        """Vector j of row i, written as -1 - j, becomes vector i n + j of all rows."""
        return [[token - i * self.n if token < 0 else token for token in row] for i, row in enumerate(rows)]


class _Learner:
    """The module, the sentences of all tasks, and the loss of a batch of pictures numbered over all tasks."""

    def __init__(self, backbone: Backbone, method: str, settings: dict, tasks: list[SharedTask], seed: int) -> None:
        self.backbone, self.tasks = backbone, tasks
        classes = [len(task.class_names) for task in tasks]
        generator = torch_stream("initial", method, seed)
        self.module = module_class(method)(backbone.architecture, settings, generator, classes).to(backbone.device)
        self.sentences = [Sentences(backbone, list(task.class_names), settings["context"]) for task in tasks]
        self.everything = [torch.arange(count, device=backbone.device) for count in classes]
        sizes = [len(task.train[1]) for task in tasks]
        self.owner = np.repeat(np.arange(len(tasks)), sizes)
        self.place = np.concatenate([np.arange(size) for size in sizes])
        self.soft = isinstance(self.module, SoftCPT)
        self.rate = settings["class_rate"] if self.soft and self.module.class_aware else 1.0
        self.sampling = stream("classes", method, seed)
        if self.soft:
            self.named = Sentences(backbone, [task.name for task in tasks], settings["task_vectors"])
        if self.soft and self.module.class_aware:
            own = settings["class_vectors"]
            self.described = [Sentences(backbone, list(task.class_names), own) for task in tasks]

    def loss(self, rows: np.ndarray) -> Tensor:
        """Sum over the batch's pictures of the cross-entropy in their own tasks, divided by the size of the batch."""
        read, total = self._reader(), 0.0
        for task in np.unique(self.owner[rows]).tolist():
            own = torch.from_numpy(self.place[rows[self.owner[rows] == task]]).to(self.backbone.device)
            features, labels = (part[own] for part in self.tasks[task].train)
            chosen, labels = self._chosen(task, labels)
            logits = self.backbone.logit_scale * features @ self._weights(task, chosen, read(task, chosen)).T
            ones = torch.ones(1, len(own), device=logits.device, dtype=logits.dtype)
            total = total + loss(logits[None], labels[None], ones)[0] * (len(own) / len(rows))
        return total

    @torch.no_grad()
    def result(self) -> tuple[list[Tensor], list[Tensor]]:
        """Class weights and contexts of every task."""
        read = self._reader()
        contexts = [read(i, chosen) for i, chosen in enumerate(self.everything)]
        return [self._weights(i, self.everything[i], context) for i, context in enumerate(contexts)], contexts

    def validate(self) -> float:
        """The mean of the tasks' own metrics on their validation pictures."""
        scores = []
        for task, weights in zip(self.tasks, self.result()[0], strict=True):
            features, labels = task.validation
            logits = self.backbone.logit_scale * features @ weights.T
            scores.append(metrics.score(task.metric, logits.cpu().numpy(), labels.cpu().numpy()).value)
        return float(np.mean(scores))

    def _reader(self) -> Callable[[int, Tensor], Tensor]:
        """The context of the chosen classes of a task, as the parameters are now."""
        if not self.soft:
            return self.module
        names = torch.arange(len(self.tasks), device=self.backbone.device)
        task_features = self.named.features(self.module.task_context(), names)

        def read(task: int, chosen: Tensor) -> Tensor:
            described = None
            if self.module.class_aware:
                described = self.described[task].features(self.module.class_context(task, chosen), chosen)
            return self.module(task_features[task], described)

        return read

    def _weights(self, task: int, chosen: Tensor, context: Tensor) -> Tensor:
        return F.normalize(self.sentences[task].features(context, chosen), dim=-1)

    def _chosen(self, task: int, labels: Tensor) -> tuple[Tensor, Tensor]:
        """All classes, or those on the pictures and a share of the others; the labels renumbered to them."""
        classes = self.everything[task]
        if self.rate == 1.0:
            return classes, labels
        present = labels.bool().any(0) if labels.dim() == 2 else torch.isin(classes, labels)
        absent = classes[~present].cpu().numpy()
        drawn = self.sampling.choice(absent, math.ceil(self.rate * len(absent)), replace=False) if len(absent) else absent
        present[torch.from_numpy(drawn).to(present.device)] = True
        chosen = classes[present]
        return chosen, labels[:, chosen] if labels.dim() == 2 else torch.searchsorted(chosen, labels)
