"""Trains K independent prompts of one method on K few-shot draws of one task.

The K learners share kernels and nothing else: parameters, data order and choice of the epoch are each learner's own, so
a batch of K gives what K single runs give.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor

from promptatlas import methods
from promptatlas.backbone import Backbone
from promptatlas.backbone.accelerator import is_accelerator
from promptatlas.backbone.classifier import PromptedClassifier
from promptatlas.backbone.passes import in_passes
from promptatlas.backbone.prompts import Prompts
from promptatlas.base import memory
from promptatlas.base.errors import UserError
from promptatlas.base.rng import named_rng
from promptatlas.base.stage import through
from promptatlas.methods import one_epoch
from promptatlas.records.prompt_file import TunedPrompt
from promptatlas.tasks import metrics
from promptatlas.tasks.draws import Draw
from promptatlas.tasks.prepared import PreparedTask
from promptatlas.training import own_rules, selection
from promptatlas.training.augmentation import Crops
from promptatlas.training.drawn_images import FeatureDraws, ImageDraws, Looked, logits_of
from promptatlas.training.image_batch import ImageBatch, Step
from promptatlas.training.learner_loss import loss
from promptatlas.training.learners import BatchedLearners
from promptatlas.training.micro_batches import in_micro_batches
from promptatlas.training.optimisers import Optimiser
from promptatlas.training.own_rules import EpochMean, OwnLoss
from promptatlas.training.recorded_step import RecordedStep
from promptatlas.training.schedule import learning_rate, optimiser
from promptatlas.training.selection import Best


def scratch(backbone: Backbone, method: str, settings: dict, seed: int) -> TunedPrompt:
    """The untrained prompt of a seed: what every source prompt of that seed started from."""
    learners = BatchedLearners(method, settings, backbone.architecture, [seed], backbone)
    with torch.no_grad():
        return TunedPrompt(method, learners.snapshot(0), learners.prompts().detach())


def tune_task(
    backbone: Backbone,
    method: str,
    settings: dict,
    task: PreparedTask,
    draws: list[Draw],
    seeds: list[int],
    starts: list[TunedPrompt] | None = None,
) -> list[TunedPrompt]:
    """Learner k is tuned on draws[k] with the random number generators of seeds[k], from starts[k] if given. Returns K trained prompts."""
    steps = [one_epoch.steps(len(draw.train), settings) for draw in draws]

    def run(chosen: list[int], learners: BatchedLearners) -> Run:
        return Run(backbone, method, settings, task, [draws[k] for k in chosen], [seeds[k] for k in chosen], learners)

    return side_by_side(backbone, method, settings, seeds, starts, steps, run, len(task.task.class_names))


def side_by_side(
    backbone: Backbone,
    method: str,
    settings: dict,
    seeds: Sequence[int],
    starts: Sequence[TunedPrompt] | None,
    steps: Sequence[Any],
    run: Callable[[list[int], BatchedLearners], Run],
    classes: int,
) -> list[TunedPrompt]:
    """K trained prompts. Learners step together, so those of a group have equal `steps` per epoch; run: what trains the learners of some
    of the K. Where memory runs out with one image for each, fewer learners are trained at once: the result is the same."""

    def tune(chosen: list[int]) -> list[TunedPrompt]:
        learners = BatchedLearners(method, settings, backbone.architecture, [seeds[k] for k in chosen], backbone)
        if starts is not None:
            learners.load([starts[k].parameters for k in chosen])
        return run(chosen, learners).tune()

    results: dict[int, TunedPrompt] = {}
    groups = sorted(set(steps))
    for same in through(groups, "group of seeds") if len(groups) > 1 else groups:
        chosen = [k for k, own in enumerate(steps) if own == same]
        some = partial(_some_of, tune, chosen)
        # What a prompt takes is its images or, where it sees none, its sentences.
        each = 1 if methods.is_visual(method) else classes
        with memory.told("tuning runs out of GPU memory with a single prompt; use a GPU with more memory."):
            parts = in_passes(some, len(chosen), len(chosen), backbone.room, f"learners of {method}", each)
        results |= dict(zip(chosen, chain(*parts), strict=True))
    return [results[k] for k in range(len(steps))]


def _some_of(tune: Callable[[list[int]], list[TunedPrompt]], chosen: list[int], part: slice) -> list[TunedPrompt]:
    return tune(chosen[part])


class Run:
    """One synchronous run of K learners."""

    def __init__(
        self,
        backbone: Backbone,
        method: str,
        settings: dict,
        task: PreparedTask,
        draws: list[Draw],
        seeds: list[int],
        learners: BatchedLearners,
    ) -> None:
        self.method, self.settings, self.seeds = method, settings, seeds
        self.task: Any = task.task
        self.learners = learners.to(backbone.device)
        with torch.no_grad():
            self.classifier = PromptedClassifier(backbone, task.task.class_names, learners.prompts())
        inputs = FeatureDraws if not learners.visual else ImageDraws
        self.train = self._trained_on(backbone, task, [draw.train for draw in draws])
        self.validation = inputs(backbone, self.classifier, task, draws[0].validation_split, [draw.validation for draw in draws])
        self._bring(backbone, task, [task.task], [draw.train for draw in draws])

    def _trained_on(self, backbone: Backbone, task: Looked, indices: list[np.ndarray]) -> FeatureDraws | ImageDraws:
        if self.settings.get("augmentation", "none") == "none":
            return (ImageDraws if self.learners.visual else FeatureDraws)(backbone, self.classifier, task, "train", indices)
        generators = [named_rng("crops", self.task.name, seed) for seed in self.seeds]
        crops = Crops(generators, [len(own) for own in indices], backbone.vision.image_size, backbone.device)
        return ImageDraws(backbone, self.classifier, task, "train", indices, crops)

    def _bring(self, backbone: Backbone, task: Looked, tasks: Sequence[Any], indices: list[np.ndarray]) -> None:
        """What the method itself brings to its training. tasks: those whose classes lie side by side in `task`."""

        def frozen() -> Tensor:
            train = self.train
            return (train if isinstance(train, FeatureDraws) else FeatureDraws(backbone, self.classifier, task, "train", indices)).cached

        module: Any = self.learners.template_module
        self.by_image = methods.is_by_image(self.method)
        own_rules.require_whole(self.method, module)
        anew = self.train.frozen if isinstance(self.train, ImageDraws) and self.train.crops else None
        self.own_loss = OwnLoss(self.method, self.learners, backbone, tasks, frozen, anew) if hasattr(module, "loss") else None
        self.epoch_mean = EpochMean(self.method, module.epoch_weight, self.settings["epochs"]) if hasattr(module, "epoch_weight") else None
        self.kept = self.learners.parameters

    def tune(self) -> list[TunedPrompt]:
        started, parameters, step = time.perf_counter(), self.learners.parameters, self._started()
        learners = range(len(self.seeds))
        optimizer = optimiser(self.settings, list(parameters.values()))
        orders = [named_rng("order", self.task.name, seed) for seed in self.seeds]
        histories: list[list[dict]] = [[] for _ in learners]
        best: list[Best[tuple[int, dict[str, Tensor]]]] = [selection.epochs(self.settings) for _ in learners]
        for epoch in through(range(self.settings["epochs"]), "epoch"):
            rate = learning_rate(self.settings, epoch)
            optimizer.rate = rate
            losses = self._epoch(optimizer, orders, step)
            self.kept = self.epoch_mean.after(epoch + 1, parameters) if self.epoch_mean else parameters
            scores = self._validate()
            for k in learners:
                histories[k].append({"epoch": epoch + 1, "loss": losses[k], "learning_rate": rate, "validation_score": scores[k]})
                best[k].offer(scores[k], lambda k=k, epoch=epoch: (epoch + 1, self.learners.snapshot(k, self.kept)))
        seconds = (time.perf_counter() - started) / len(self.seeds)
        chosen = [(epoch, {name: value.cpu() for name, value in kept.items()}) for epoch, kept in (own.taken() for own in best)]
        finite = [all(bool(value.isfinite().all()) for value in parameters.values()) for _, parameters in chosen]
        self._converge("trained prompt is not a number", np.array(finite))
        self.learners.load([parameters for _, parameters in chosen])
        with torch.no_grad():
            prompts = self.learners.prompts().detach().to("cpu")
        return [
            TunedPrompt(
                self.method,
                chosen[k][1],
                prompts[k : k + 1],
                histories[k],
                chosen[k][0],
                seconds,
            )
            for k in learners
        ]

    def _epoch(self, optimizer: Optimiser, orders: list[np.random.Generator], step: Step) -> list[float]:
        """One pass over each draw by `_step`, started as `step`; returns each learner's mean loss over the examples that it saw."""
        totals = torch.zeros(len(self.seeds), device=self.train.device)
        self.train.begin()
        for batch in self._batches([order.permutation for order in orders]):
            optimizer.zero_grad()
            totals += step(batch)  # stays on the device: no step waits for the one before
            optimizer.step()
        means = (totals.cpu() / torch.tensor(self._seen())).tolist()
        self._converge("loss is not a number", np.isfinite(means))
        return means

    def _started(self) -> Step:
        """`_step` as it is started: on CUDA from a record, where its batches have one shape."""
        if self.train.device.type != "cuda" or not self.equal_batches:
            return self._step
        return RecordedStep(self._step, list(self.learners.parameters.values()), self._decided)

    def _decided(self, batch: ImageBatch) -> Hashable:
        """What the host decides of a batch before its step."""
        return self.train.alike(batch)

    def _step(self, batch: ImageBatch) -> Tensor:
        """Leaves the gradient at the parameters. Returns each learner's loss, summed over its examples (K,).

        Memory that runs out is enough for fewer images at once where they take most of it; a method's own loss may see all of them.
        """
        count, learners = batch.on_host.shape[1], len(self.seeds)
        if not (self.train.sees or self.by_image) or (self.own_loss and not self.own_loss.separable):
            self._forget()
            losses = self._piece(batch, slice(count))
        else:
            each = learners * self.classifier.sentence_tokens if self.by_image else learners
            room, kind = self.classifier.backbone.room, f"images of a step of {self.method}"
            losses = in_micro_batches(partial(self._piece, batch), self._forget, count, count, room, kind, each)
        if self.own_loss:
            self.own_loss.finish()
        return losses

    def _forget(self) -> None:
        for value in self.learners.parameters.values():
            value.grad = None
        if self.own_loss:
            self.own_loss.begin()

    def _piece(self, batch: ImageBatch, part: slice) -> Tensor:
        """The same of some images of a batch, whose gradient is added to what is there."""
        if part.start in (None, 0) and part.stop >= batch.on_host.shape[1]:
            return self._added(self._losses(self.learners.prompts(), batch), 1.0) * batch.weights.sum(1)
        piece = batch[part]
        own, every = piece.weights.sum(1), batch.weights.sum(1)
        counted = piece.weighed(torch.where(own.unsqueeze(1) > 0, piece.weights, 1.0))  # a learner may have none of these images
        return self._added(self._losses(self.learners.prompts(), counted), own / every) * own

    def _added(self, losses: Tensor, share: Tensor | float) -> Tensor:
        """Adds the gradient of `_losses` of a share (K,) of a batch's images. Returns each learner's loss (K,)."""
        if self.own_loss:
            return self.own_loss.add(losses, share)
        (losses * share).sum().backward()
        return losses.detach()

    def _converge(self, what: str, sound: np.ndarray) -> None:
        """Raises UserError if a learner is not sound (K,)."""
        if not sound.all():
            known = self.own_loss.to_blame() if self.own_loss else ""
            lower = f"lower settings.{self.method}.learning_rate{self.classifier.backbone.finer}"
            raise UserError(f"{self.method} on {self.task.name}: the {what}; {known or lower}.")

    def _batches(self, permutations: list) -> Iterator[ImageBatch]:
        return self.train.batches(self.settings["batch_size"], permutations, self.equal_batches, self._seen())

    def _seen(self) -> list[int]:
        """How many examples of each draw an epoch has."""
        return [one_epoch.images(count, self.settings) for count in self.train.sizes]

    @property
    def equal_batches(self) -> bool:
        """Whether all batches of an epoch have one shape, the last one padded with images of weight 0, as an accelerator has it."""
        return is_accelerator(self.train.device) and (self.own_loss is None or self.own_loss.separable)

    def _losses(self, prompts: Prompts, batch: ImageBatch) -> Tensor:
        """Mean loss of each learner over its rows, (K,), or of several losses (L, K)."""
        features, labels = self.train.features(prompts, batch), self.train.labels_at(batch.rows)
        return self._loss(self.classifier, prompts, features, batch, labels)

    def _loss(
        self, classifier: PromptedClassifier, prompts: Prompts, features: Tensor, batch: ImageBatch, labels: Tensor,
        classes: slice = slice(None),
    ) -> Tensor:  # fmt: skip
        """The same among the classes of `classifier`, those numbered `classes` among all."""
        if self.own_loss is None:
            return loss(classifier.answer(prompts, features), labels, batch.weights)
        return self.own_loss.losses(classifier, prompts, features, batch.rows, labels, batch.weights, classes)

    @torch.no_grad()
    def _validate(self) -> list[float]:
        logits, held = self._answers().float().cpu().numpy(), self.validation
        self._converge("answers are not numbers", np.isfinite(logits).all(axis=(1, 2)))
        return [metrics.score(self.task.metric, logits[k, :size], held.truth[k, :size]).value for k, size in enumerate(held.sizes)]

    def _answers(self) -> Tensor:
        """Logits (K, N, C) of the validation images."""
        prompts = self.learners.prompts(self.kept)
        return logits_of(self.classifier, prompts, self.validation, None if prompts.meta else self.classifier.class_features(prompts))
