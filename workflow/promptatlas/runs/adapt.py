"""The job that runs adapters on the frozen features of tasks, one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from promptatlas.base.rng import named_rng
from promptatlas.methods import module_class, revision
from promptatlas.methods.registry import known as registered
from promptatlas.records import learner_file
from promptatlas.records.fingerprint import digest
from promptatlas.records.score import SCORE
from promptatlas.runs.context import Context, OnDemand
from promptatlas.runs.engine import Artifact, Batch, Step
from promptatlas.runs.known import Known, OfMethod, described, numerics, scored
from promptatlas.study.jobs import AdaptJob
from promptatlas.study.study import Study
from promptatlas.training import adapters
from promptatlas.training.adapters import Examples, Ready


class Adapt(OfMethod[AdaptJob]):
    """The scores of one adapter."""

    def __init__(self, at: Context, job: AdaptJob) -> None:
        super().__init__(at, job)
        self.raw: Mapping[str, Tensor] = OnDemand(self._raw)

    def steps(self) -> Iterator[Step]:
        batches = [
            Batch(f"{name}, seed {seed}", [self.score(name, seed)], partial(self.adapt, name))
            for name in self.job.tasks
            for seed in self.study.seeds
        ]
        yield Step(f"adapt {self.method}", "scores to compute", batches)

    def score(self, name: str, seed: int) -> Artifact:
        return Artifact(
            f"scores {self.method}", self.study.paths.score(self.method, seed, name), SCORE, lambda: self.inputs(name, seed)[0], seed,
            lambda: {"method": self.method, "seed": seed, "target": name, "metric": self.at.metric_of(name)},
            tuple(filter(None, [weights_file(self.study, self.settings, seed, name)])),
        )  # fmt: skip

    def inputs(self, name: str, seed: int) -> tuple[dict[str, str], Callable[[], Tensor]]:
        """Everything that determines a score, by name, and how to get the class weights (C, D) that the adapter starts from."""
        task = described(self.at, name)
        made_of, weights = self.class_weights(name, seed)
        own = {"method": self.method, "settings": digest(self.settings), "seed": str(seed), "revision": str(revision(self.method))}
        return numerics(self.at.model) | task.trained_on(seed) | task.tested_on() | made_of | own, weights

    def class_weights(self, name: str, seed: int) -> tuple[dict[str, str], Callable[[], Tensor]]:
        """What the class weights of a task are made of, for the fingerprint, and how to get them."""
        source, path = self.settings.get("class_weights"), weights_file(self.study, self.settings, seed, name)
        if path is None and registered(self.method).raw_weights:
            return {"class_weights": f"raw {self.study.sentences}s"}, lambda: self.raw[name]
        if path is None:
            return {"class_weights": f"{self.study.sentences}s"}, lambda: self.known[name].class_features
        if source in self.study.shared_methods:
            weights, mark = learner_file.class_weights(path, name)
            return {"class_weights": mark}, lambda: weights.to(self.at.model.device)
        prompt, names = self.at.prompts[path], self.at.tasks[name].task.class_names
        return {"class_weights": prompt.fingerprint()}, lambda: adapters.class_weights(self.at.model, names, prompt.prompts)

    def _raw(self, name: str) -> Tensor:
        """Class features (C, D) as the text tower gives them."""
        task = self.study.hand_written(self.at.tasks[name].task)
        spaces = self.settings.get("underscores") != "as_released"
        names = tuple(own.replace("_", " ") if spaces else own for own in task.class_names)
        return self.at.model.raw_class_features(names, task.templates)

    def adapt(self, name: str, seeds: Sequence[int]) -> list[dict[str, Any]]:
        return [self._adapt(self.known[name], seed, self.inputs(name, seed)[1]) for seed in seeds]

    def _adapt(self, task: Known, seed: int, weights: Callable[[], Tensor]) -> dict[str, Any]:
        started = time.perf_counter()
        adapter = adapted(self.method, self.settings, self.at.model.logit_scale, weights(), task, seed)
        logits = adapter.logits(task.test)
        return scored(self.method, seed, task, logits, time.perf_counter() - started, epoch=adapter.best_epoch, **adapter.chosen)


def adapted(method: str, settings: dict, scale: float, weights: Tensor, known: Known, seed: int) -> Ready:
    """The adapter that the few-shot images of one seed give with class weights (C, D) and the scale of their cosines.

    No test image is looked at.
    """
    own = known.few_shot[seed]
    task = known.prepared.task
    further = (named_rng("order", method, task.name, seed),) if "epochs" in settings else ()
    return module_class(method)(settings, scale, weights, Examples(*own.train), Examples(*own.validation), task.metric, *further)


def weights_file(study: Study, settings: dict, seed: int, name: str) -> Path | None:
    """Where the prompt or learner is that class weights are made of; None if they are those of sentences."""
    source = settings.get("class_weights")
    if source is None:
        return None
    return study.paths.shared(source, seed) if source in study.shared_methods else study.paths.adapter_prompt(source, seed, name)
