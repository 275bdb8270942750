"""The job that measures cells, target by target, the sources of a target together."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from promptatlas.backbone import feature_file
from promptatlas.evaluation import evaluate
from promptatlas.evaluation.evaluate import Evaluation
from promptatlas.records.cells import CELL, Cell, packed_answers
from promptatlas.records.fingerprint import digest
from promptatlas.records.given_answers import packed_classes
from promptatlas.records.prompt_file import TunedPrompt
from promptatlas.runs import devices
from promptatlas.runs.context import Context, OnDemand, classes
from promptatlas.runs.engine import Artifact, Batch, Step
from promptatlas.runs.known import numerics
from promptatlas.study.jobs import TransferJob
from promptatlas.tasks import metrics
from promptatlas.tasks.prepared import PreparedTask
from promptatlas.training import single_task

Encoded = dict[str, np.ndarray]


class Transfer:
    """The cells of one method and protocol."""

    def __init__(self, at: Context, job: TransferJob) -> None:
        self.at, self.study, self.job = at, at.study, job

    @cached_property
    def scratch(self) -> dict[int, TunedPrompt]:
        """Untuned prompts by seed."""
        return OnDemand(lambda seed: single_task.scratch(self.at.model, self.job.method, self.study.settings(self.job.method), seed))

    def steps(self) -> Iterator[Step]:
        batches = [batch for target in self.job.targets for batch in self.batches(target)]
        yield Step(f"transfer {self.job.protocol} {self.job.method}", "cells to measure", batches)

    def batches(self, target: str) -> Iterator[Batch]:
        """Cells that are measured together: zero-shot prompts, prompts as they are, and prompts tuned from one draw."""
        some = [cell for cell in self.job.cells() if cell.target == target]
        fixed = [cell for cell in some if cell.source != "template" and not self.study.tunes(cell)]
        yield self.batch(target, [cell for cell in some if cell.source == "template"], self.zero_shot)
        yield self.batch(target, fixed, self.as_they_are)
        for seed in self.job.seeds:
            yield self.batch(target, [cell for cell in some if self.study.tunes(cell) and cell.seed == seed], self.tuned)

    def batch(self, target: str, some: Sequence[Cell], how: Callable[[PreparedTask, Encoded, Sequence[Cell]], list[Evaluation]]) -> Batch:
        return Batch(target, [self.artifact(cell) for cell in some], partial(self.measure, target, how))

    def artifact(self, cell: Cell) -> Artifact:
        return Artifact(
            f"{cell.protocol} cells {cell.method}", self.study.paths.cell(cell), CELL, partial(self.inputs, cell), cell,
            partial(self.about, cell), tuple(filter(None, [self.prompt_file(cell)])),
        )  # fmt: skip

    def inputs(self, cell: Cell) -> dict[str, str]:
        """Everything that determines the number in a cell, by name."""
        task = self.at.tasks[cell.target]
        common = numerics(self.at.model) | {
            "data_test": task.fingerprint("test"), "classes": classes(task), "metric": metrics.mark(task.task.metric),
        }  # fmt: skip
        if cell.source == "template":
            return {**common, "prompt": self.study.sentences}
        tunes = self.study.tunes(cell)
        settings = self.study.target_settings(cell.protocol, cell.method) if tunes else self.study.settings(cell.method)
        common |= {"method": cell.method, "settings": digest(settings)}
        if not tunes:
            return {**common, "prompt": self.prompt(cell).fingerprint()}
        drawn = self.at.draws[cell.target, cell.seed]
        return {
            **common,
            "start": self.prompt(cell).parameter_fingerprint(),
            "seed": str(cell.seed),
            "draw": drawn.sha256,
            "data_train": task.fingerprint("train", drawn.train),
            "data_validation": task.fingerprint(drawn.validation_split, drawn.validation),
        }

    def prompt_file(self, cell: Cell) -> Path | None:
        """Where the prompt is that a cell applies or starts from; None if it is not tuned before."""
        if cell.source == "template" or self.study.untrained(cell):
            return None
        if cell.source == self.study.multitask.row:
            return self.study.paths.multitask_source(cell.method, cell.seed, cell.target)
        return self.study.paths.prompt(cell.method, cell.seed, cell.target if cell.source == "scratch" else cell.source)

    def prompt(self, cell: Cell) -> TunedPrompt:
        """The prompt that a cell applies or, with `init`, starts from."""
        path = self.prompt_file(cell)
        return self.scratch[cell.seed] if path is None else self.at.prompts[path]

    def measure(
        self, target: str, how: Callable[[PreparedTask, Encoded, Sequence[Cell]], list[Evaluation]], batch: Sequence[Cell]
    ) -> list[dict[str, Any]]:
        task, started = self.at.tasks[target], time.perf_counter()
        evaluations = how(task, feature_file.load(self.study.paths.encoded(target))[0], batch)
        seconds = (time.perf_counter() - started) / len(batch)
        return [self.content(cell, task, evaluation, seconds) for cell, evaluation in zip(batch, evaluations, strict=True)]

    def zero_shot(self, task: PreparedTask, encoded: Encoded, batch: Sequence[Cell]) -> list[Evaluation]:
        return [evaluate.zero_shot(self.at.model, task, encoded)] * len(batch)

    def as_they_are(self, task: PreparedTask, encoded: Encoded, batch: Sequence[Cell]) -> list[Evaluation]:
        return evaluate.evaluate(self.at.model, task, encoded, [self.prompt(cell).prompts for cell in batch])

    def tuned(self, task: PreparedTask, encoded: Encoded, batch: Sequence[Cell]) -> list[Evaluation]:
        method, seeds = self.job.method, [cell.seed for cell in batch]
        draws = [self.at.draws[cell.target, cell.seed] for cell in batch]
        starts = [self.prompt(cell) for cell in batch]
        settings = self.study.target_settings(self.job.protocol, method)
        prompts = single_task.tune_task(self.at.model, method, settings, task, draws, seeds, starts)
        return evaluate.evaluate(self.at.model, task, encoded, [one.prompts for one in prompts])

    def content(self, cell: Cell, task: PreparedTask, evaluation: Evaluation, seconds: float) -> dict[str, Any]:
        given, correct = evaluation.answers, evaluation.correct
        return {
            **self.about(cell),
            "score": float(evaluation.score),
            "chance": float(evaluation.chance),
            "n_test": int(evaluation.n_test),
            "seconds": round(seconds, 6),
            "peak_mib": round(devices.peak_mib(self.at.model.device.type), 1),
            "per_class": dict(zip(task.task.class_names, map(_number, evaluation.per_class), strict=True)),
            "correct": None if correct is None else packed_answers(correct),
            "answers": None if given is None else packed_classes(given),
        }

    def about(self, cell: Cell) -> dict[str, Any]:
        """What a cell says besides what was measured."""
        return {
            "study": self.study.name,
            "backbone": self.study.backbone.name,
            **cell.address(),
            "shots": self.study.shots,
            "metric": self.at.metric_of(cell.target),
        }


def _number(value: float) -> float | None:
    """JSON has no NaN: a class without test images has no score."""
    return None if np.isnan(value) else float(value)
