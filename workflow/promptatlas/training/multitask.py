"""One prompt tuned on several tasks at once: MVLPT's multitask source prompts and its joint adaptation (Shen et al. 2024,
arXiv 2211.11720).

The tasks' images lie in one pool and their classes side by side. An image is judged among the classes of all tasks, as
in the paper, or of its own task alone. Knows nothing of files or of what the prompt is for, nor of test images.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from promptatlas import methods
from promptatlas.backbone import Backbone
from promptatlas.backbone.accelerator import fetched
from promptatlas.backbone.classifier import PromptedClassifier
from promptatlas.backbone.prompts import Prompts
from promptatlas.base.errors import UserError
from promptatlas.base.rng import named_rng
from promptatlas.methods import one_epoch
from promptatlas.records.prompt_file import TunedPrompt
from promptatlas.tasks import metrics
from promptatlas.tasks.draws import Draw
from promptatlas.tasks.prepared import PreparedTask
from promptatlas.training.drawn_images import FeatureDraws, ImageDraws, logits_of
from promptatlas.training.image_batch import ImageBatch, batches_of
from promptatlas.training.learner_loss import NEVER, loss
from promptatlas.training.learners import BatchedLearners
from promptatlas.training.own_classes import pooled
from promptatlas.training.single_task import Run, side_by_side


@dataclass(frozen=True)
class Manner:
    """How several tasks are tuned together.

    classes: "union" = softmax over the classes of all tasks, "own" = of the image's own task. batches: "mixed" = any
    images, "task" = those of one task at a time, so that with "own" a step costs one task's classes.
    """

    classes: str = "union"
    batches: str = "mixed"


def tune_multitask(
    backbone: Backbone,
    method: str,
    settings: dict,
    manner: Manner,
    tasks: Sequence[PreparedTask],
    draws: Sequence[Sequence[Draw]],
    seeds: Sequence[int],
    starts: Sequence[TunedPrompt] | None = None,
) -> list[TunedPrompt]:
    """Learner k is tuned on draws[k][i] of every tasks[i] with the random number generators of seeds[k], from starts[k] if given.

    The epoch is chosen by the mean of the tasks' own metrics on their validation images, each among its own classes.
    Returns K trained prompts.
    """
    pool = TaskPool(tasks, backbone)

    def steps(own: Sequence[Draw]) -> tuple[int, ...]:
        counts = [len(draw.train) for draw in own]
        return tuple(one_epoch.steps(n, settings) for n in (counts if manner.batches == "task" else [sum(counts)]))

    def run(chosen: list[int], learners: BatchedLearners) -> _MultitaskRun:
        own_draws, own_seeds = [draws[k] for k in chosen], [seeds[k] for k in chosen]
        return _MultitaskRun(backbone, method, settings, manner, pool, own_draws, own_seeds, learners)

    return side_by_side(backbone, method, settings, seeds, starts, [steps(own) for own in draws], run, len(pool.task.class_names))


def average(backbone: Backbone, settings: dict, prompts: Sequence[TunedPrompt]) -> TunedPrompt:
    """The prompt whose every parameter is the mean of those of `prompts` (MVLPT: over seeds)."""
    method = prompts[0].method
    mean = {name: torch.stack([one.parameters[name] for one in prompts]).mean(0) for name in prompts[0].parameters}
    learners = BatchedLearners(method, settings, backbone.architecture, [0], backbone)
    learners.load([mean])
    with torch.no_grad():
        return TunedPrompt(method, mean, learners.prompts().detach(), seconds=sum(one.seconds for one in prompts))


@dataclass(frozen=True)
class PooledTask:
    """What the pool is called, and its classes; a name may occur in several tasks."""

    name: str
    class_names: tuple[str, ...]


class TaskPool:
    """Prepared tasks as one: the rows of their train splits, and their classes, one after another."""

    def __init__(self, tasks: Sequence[PreparedTask], backbone: Backbone) -> None:
        self.tasks, self.vision = tuple(tasks), backbone.vision
        names = tuple(name for one in tasks for name in one.task.class_names)
        self.task = PooledTask("+".join(one.task.name for one in tasks), names)
        self.first_row = np.cumsum([0, *(len(one.labels("train")) for one in tasks)])
        self.first_class = np.cumsum([0, *(len(one.task.class_names) for one in tasks)])

    def rows(self, split: str, numbers: np.ndarray) -> np.ndarray:
        return numbers

    def pooled(self, draws: Sequence[Draw]) -> np.ndarray:
        """Rows of the train images of one draw per task."""
        parts = zip(self.tasks, draws, self.first_row, strict=False)
        return np.concatenate([first + task.rows("train", own.train) for task, own, first in parts])

    def owner(self, rows: np.ndarray) -> np.ndarray:
        """The number of the task to which each row belongs."""
        return np.searchsorted(self.first_row, rows, side="right") - 1

    def images(self, split: str) -> _PooledImages:
        return _PooledImages(self)

    def labels(self, split: str) -> np.ndarray:
        """Class numbers in the pool (N,) or, if any task is multi-label, marks (N, C)."""
        return pooled([one.labels(split) for one in self.tasks], np.diff(self.first_class).tolist())


class _PooledImages:
    """The images of a pool, of which only those that are asked for are read, in the model's size."""

    def __init__(self, pool: TaskPool) -> None:
        self.pool = pool

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """rows ascending. Nothing is there twice but what is read of one task."""
        pool, owner, size = self.pool, self.pool.owner(rows), self.pool.vision.image_size
        found = np.empty((len(rows), size, size, 3), np.uint8)
        for i in np.unique(owner):
            found[owner == i] = pool.vision.fitted(pool.tasks[i].images("train")[rows[owner == i] - pool.first_row[i]]).numpy()
        return found


class _MultitaskRun(Run):
    """One synchronous run of K learners on the same tasks."""

    def __init__(
        self,
        backbone: Backbone,
        method: str,
        settings: dict,
        manner: Manner,
        pool: TaskPool,
        draws: list[Sequence[Draw]],
        seeds: list[int],
        learners: BatchedLearners,
    ) -> None:
        self.method, self.settings, self.task, self.seeds = method, settings, pool.task, seeds
        self.manner, self.pool = manner, pool
        self.learners = learners.to(backbone.device)
        with torch.no_grad():
            start = learners.prompts()
            self.classifier = PromptedClassifier(backbone, pool.task.class_names, start)
            alone = manner.classes == "own" or methods.is_by_image(method)  # where it comes to the classes of one task alone
            self.classifiers = [PromptedClassifier(backbone, one.task.class_names, start) for one in pool.tasks] if alone else []
        inputs = ImageDraws if learners.visual else FeatureDraws
        rows = [pool.pooled(own) for own in draws]
        self.train = self._trained_on(backbone, pool, rows)
        self.held = [
            inputs(backbone, self.classifier, one, draws[0][i].validation_split, [own[i].validation for own in draws])
            for i, one in enumerate(pool.tasks)
        ]
        self.owner = pool.owner(self.train.rows)
        self.task_of = torch.from_numpy(self.owner).to(backbone.device)
        class_owner = np.repeat(np.arange(len(pool.tasks)), np.diff(pool.first_class))
        self.class_owner = torch.from_numpy(class_owner).to(backbone.device)
        self.turns = named_rng("turns", pool.task.name)
        self._bring(backbone, pool, [one.task for one in pool.tasks], rows)
        if self.own_loss and (manner.classes, manner.batches) == ("own", "mixed"):
            raise UserError(
                f"method {method}: a loss of its own is for the classes of all images of a batch; write `classes: union` or "
                "`batches: task` under `union`."
            )

    def _batches(self, permutations: list) -> Iterator[ImageBatch]:
        if self.manner.batches == "mixed":
            return super()._batches(permutations)
        return self._by_task(permutations)

    def _by_task(self, permutations: list) -> Iterator[ImageBatch]:
        """Batches of one task each, the tasks taking turns in an order that all learners share."""
        size, tasks = self.settings["batch_size"], range(len(self.pool.tasks))
        orders = [permutation(own) for permutation, own in zip(permutations, self.train.sizes, strict=True)]
        by_task = [[self._whole(order[self.owner[k, order] == i]) for i in tasks] for k, order in enumerate(orders)]
        turns = self.turns.permutation(np.repeat(tasks, [-(-len(own) // size) for own in by_task[0]]))
        done, batches = dict.fromkeys(tasks, 0), []
        for i in turns.tolist():
            batches.append([own[i][done[i] : done[i] + size] for own in by_task])
            done[i] += size
        equal = max(len(part) for parts in batches for part in parts) if self.equal_batches else 0
        rows, present = [], []
        for parts in batches:
            longest = max(equal, *map(len, parts))
            rows.append(np.stack([np.pad(part, (0, longest - len(part)), mode="edge") for part in parts]))
            present.append(np.arange(longest) < np.array([len(part) for part in parts])[:, None])
        lengths = [own.shape[1] for own in rows]
        return batches_of(np.concatenate(rows, axis=1), np.concatenate(present, axis=1), lengths, self.train.device)

    def _whole(self, rows: np.ndarray) -> np.ndarray:
        return rows[: one_epoch.images(len(rows), self.settings)]

    def _seen(self) -> list[int]:
        if self.manner.batches == "mixed":
            return super()._seen()
        counts = [np.bincount(self.owner[k, :own]) for k, own in enumerate(self.train.sizes)]
        return [sum(one_epoch.images(int(count), self.settings) for count in own) for own in counts]

    def _losses(self, prompts: Prompts, batch: ImageBatch) -> Tensor:
        features, labels = self.train.features(prompts, batch), self.train.labels_at(batch.rows)
        if self.manner.classes == "union":
            return self._loss(self.classifier, prompts, features, batch, labels)
        if (only := self._only_task(batch)) is not None:
            own = slice(*self.pool.first_class[only : only + 2].tolist())
            labels = labels[..., own] if labels.dim() == 3 else labels - own.start
            return self._loss(self.classifiers[only], prompts, features, batch, labels, own)
        owner = self.task_of[self.train.learner, batch.rows]
        logits = self.classifier.answer(prompts, features)
        return loss(logits.masked_fill(self.class_owner != owner.unsqueeze(-1), NEVER), labels, batch.weights)

    @property
    def equal_batches(self) -> bool:
        """Batches of one task each are as different as their tasks; where all classes are looked at and images cost nothing, they are
        padded to one shape."""
        alike = self.manner.batches == "mixed" or (self.manner.classes == "union" and not self.learners.visual)
        return alike and super().equal_batches

    def _decided(self, batch: ImageBatch) -> Hashable:
        return super()._decided(batch), self._only_task(batch) if self.manner.classes == "own" else None

    def _only_task(self, batch: ImageBatch) -> int | None:
        """The task to which all images of a batch belong, if there is one."""
        owner = np.take_along_axis(self.owner, batch.on_host, axis=1)
        return int(owner[0, 0]) if (owner == owner[0, 0]).all() else None

    @torch.no_grad()
    def _validate(self) -> list[float]:
        scores = np.zeros((len(self.pool.tasks), len(self.seeds)))
        for i, (held, answers) in enumerate(zip(self.held, fetched(self._answers_by_task()), strict=True)):
            self._converge("answers are not numbers", np.isfinite(answers).all(axis=(1, 2)))
            for k, size in enumerate(held.sizes):
                scores[i, k] = metrics.score(self.pool.tasks[i].task.metric, answers[k, :size], held.truth[k, :size]).value
        return scores.mean(axis=0).tolist()

    def _answers_by_task(self) -> list[Tensor]:
        """Logits (K, N, C) of each task's validation images among its own classes; the class names of all tasks are read at once."""
        prompts = self.learners.prompts(self.kept)
        if prompts.meta:
            return [logits_of(own, prompts, held, None).float() for own, held in zip(self.classifiers, self.held, strict=True)]
        weights = self.classifier.class_features(prompts).split(np.diff(self.pool.first_class).tolist(), dim=1)
        return [logits_of(self.classifier, prompts, held, own).float() for own, held in zip(weights, self.held, strict=True)]
