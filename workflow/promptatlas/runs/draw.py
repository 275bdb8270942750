"""The job that draws the few-shot images of every task that prompts are trained on, for every seed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from promptatlas.records import draw_file
from promptatlas.records.draw_file import DRAW
from promptatlas.records.fingerprint import digest
from promptatlas.runs.context import Context
from promptatlas.runs.engine import Artifact, Batch, Step
from promptatlas.study.jobs import DrawJob
from promptatlas.tasks import base_new
from promptatlas.tasks.draws import draw
from promptatlas.tasks.sufficient import require_draw


class Draws:
    """All draws of a study."""

    def __init__(self, at: Context, job: DrawJob) -> None:
        self.at, self.study = at, at.study

    def steps(self) -> Iterator[Step]:
        batches = [
            Batch(name, [self.draw(name, seed) for seed in self.study.seeds], lambda keys: [self.content(*one) for one in keys])
            for name in self.study.learners
        ]
        yield Step("draw", "draws to make", batches, resumes=False)

    def draw(self, name: str, seed: int) -> Artifact:
        return Artifact("draws", self.study.paths.draw(name, seed), DRAW, partial(self.content, name, seed), (name, seed))

    def content(self, name: str, seed: int) -> dict[str, Any]:
        """What the file of a draw holds."""
        task, study = self.at.tasks[name], self.study
        labels = task.pool_labels("train"), task.pool_labels("validation")
        pools = digest([hashlib.sha256(np.ascontiguousarray(some).data).hexdigest() for some in labels])
        if part := base_new.subset_of(name):
            drawn = base_new.draw_subset(self.at.tasks[base_new.whole_of(name)], part, study.shots, seed, study.config["draw"])
        else:
            drawn = draw(*labels, study.shots, seed, name, study.config["draw"])
        readable = drawn.without(task.skipped("train"), task.skipped("validation"))
        require_draw(task.task, drawn, readable)
        return draw_file.record(readable, len(task.task.class_names), pools)
