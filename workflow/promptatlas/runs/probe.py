"""The job that fits linear probes: what the few-shot images alone give without any prompt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from promptatlas.backbone import feature_file
from promptatlas.base.errors import FAILED, Failed, UserError
from promptatlas.base.stage import through
from promptatlas.base.version import NUMERICS_VERSION
from promptatlas.records.fingerprint import digest
from promptatlas.records.probe_file import PROBES
from promptatlas.runs.attempts import apart
from promptatlas.runs.context import Context
from promptatlas.runs.engine import Artifact, Batch, Step
from promptatlas.study.jobs import ProbeJob
from promptatlas.tasks import metrics
from promptatlas.training.linear_probe import linear_probe

Row = dict[str, Any]


class Probe:
    """The probes of some tasks, all seeds of a task in one file."""

    def __init__(self, at: Context, job: ProbeJob) -> None:
        self.at, self.study, self.job = at, at.study, job
        self.settings = at.study.settings("linear_probe")
        self.rows: dict[str, list[Row]] = {}

    def steps(self) -> Iterator[Step]:
        batches = [Batch(name, [self.probes(name)], self.fit) for name in self.job.tasks]
        yield Step("linear probe", "probes to fit", batches, resumes=False)

    def probes(self, name: str) -> Artifact:
        path, inputs = self.study.paths.probe(name), partial(self.inputs, name)
        return Artifact("linear probes", path, PROBES, inputs, name, lambda: {"probes": self.rows.get(name, [])})

    def inputs(self, name: str) -> dict[str, str]:
        """Everything that determines the probes of a task, by name."""
        try:
            return self._inputs(name)
        except UserError as why:
            self.rows[name] = [_failed(seed, why) for seed in self.study.seeds]
            raise

    def _inputs(self, name: str) -> dict[str, str]:
        task = self.at.tasks[name]
        return {
            "features": digest(self.at.feature_inputs(name)),
            "metric": metrics.mark(task.task.metric),
            "draws": digest(self.draws(name)),
            "settings": digest(self.settings),
            "numerics": str(NUMERICS_VERSION),
        }

    def draws(self, name: str) -> dict[str, str]:
        """By seed the hash of its draw; one that failed counts, too, so that probes of the others alone do not hold."""
        return {str(seed): self._draw(name, seed) for seed in self.study.seeds}

    def _draw(self, name: str, seed: int) -> str:
        try:
            return self.at.draws[name, seed].sha256
        except Failed:
            return FAILED

    def fit(self, names: Sequence[str]) -> list[list[Row]]:
        return [self._fit(name) for name in names]

    def _fit(self, name: str) -> list[Row]:
        """Raises Failed if any probe did: a file that lacks one is to be tried again."""
        encoded = feature_file.load(self.study.paths.encoded(name))[0]
        fitted = apart(partial(self._scores, name, encoded), through(self.study.seeds, "seed"))
        rows = fitted.sound | {seed: _failed(seed, why) for seed, why in fitted.failed.items()}
        self.rows[name] = [rows[seed] for seed in self.study.seeds]
        for why in fitted.failed.values():
            raise why
        return self.rows[name]

    def _scores(self, name: str, encoded: dict[str, np.ndarray], seed: int) -> Row:
        task, drawn = self.at.tasks[name], self.at.draws[name, seed]
        train = task.rows("train", drawn.train)
        held = task.rows(drawn.validation_split, drawn.validation)
        score, strength = linear_probe(
            encoded["features_train"][train],
            drawn.train_labels,
            encoded[f"features_{drawn.validation_split}"][held],
            drawn.validation_labels,
            encoded["features_test"],
            task.labels("test"),
            task.task.metric,
            **self.settings,
        )
        return {"seed": seed, "score": score, "inverse_regularisation": strength}


def _failed(seed: int, why: UserError) -> Row:
    return {"seed": seed, "score": None, FAILED: str(why)}
