"""The job that encodes tasks: frozen features of their images and class names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from functools import partial

import numpy as np

from promptatlas.backbone import encode, feature_file, precision
from promptatlas.base.errors import UserError
from promptatlas.base.version import NUMERICS_VERSION
from promptatlas.evaluation import doubts
from promptatlas.records.features import FEATURES
from promptatlas.records.fingerprint import fingerprint
from promptatlas.runs.context import Context, classes
from promptatlas.runs.engine import Artifact, Batch, Step
from promptatlas.study.jobs import EncodeJob
from promptatlas.tasks.prepared import SPLITS, PreparedTask


class Encode:
    """The features of some tasks."""

    def __init__(self, at: Context, job: EncodeJob) -> None:
        self.at, self.study, self.job = at, at.study, job

    def steps(self) -> Iterator[Step]:
        yield Step("encode", "tasks to encode", [Batch(name, [self.features(name)], self.encode) for name in self.job.tasks], resumes=False)

    def features(self, name: str) -> Artifact:
        return Artifact("encoded tasks", self.study.paths.encoded(name), FEATURES, partial(feature_inputs, self.at, name), name)

    def encode(self, names: Sequence[str]) -> list[Mapping[str, np.ndarray]]:
        return [self._encode(name) for name in names]

    def _encode(self, name: str) -> Mapping[str, np.ndarray]:
        """Only what differs is encoded anew; everything if nothing does, which was forced then."""
        task, inputs = _task(self.at, name), feature_inputs(self.at, name)
        try:
            known, old = feature_file.load(self.study.paths.encoded(name))
        except UserError:
            known, old = {}, {}
        stale = [array for array in inputs if old.get(array) != inputs[array]] or [*inputs]
        arrays = known | encode.encode_task(self.at.model, task, stale)
        if told := doubts.alike(task.task.class_names, arrays[feature_file.CLASSES]):
            self.at.say(f"task {name}: {told}")
        return arrays


def feature_inputs(at: Context, name: str) -> dict[str, str]:
    """By array of an encoded task: the fingerprint of all that determines it."""
    task, numerics = _task(at, name), str(NUMERICS_VERSION)
    inputs = {f"features_{split}": task.fingerprint(split) for split in SPLITS} | {feature_file.CLASSES: classes(task)}
    common = {"backbone": at.model.fingerprint, "numerics": numerics} | precision.mark(at.model.precision)
    return {key: fingerprint({"input": mark} | common) for key, mark in inputs.items()}


def _task(at: Context, name: str) -> PreparedTask:
    """The task with the sentences that hand-written class weights are made of."""
    task = copy(at.tasks[name])
    task.task = at.study.hand_written(task.task)
    return task
