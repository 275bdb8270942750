"""The job that tunes multitask source prompts: one prompt on many tasks, without the target where one is left out."""

from __future__ import annotations

from collections.abc import Iterator

from promptatlas.runs.context import Context
from promptatlas.runs.engine import Step
from promptatlas.runs.several_tasks import SeveralTasks
from promptatlas.study.jobs import MultitaskJob
from promptatlas.study.multitask import AVERAGE


class Multitask(SeveralTasks):
    """The multitask source prompts of one method, and their means over seeds where these are wanted."""

    def __init__(self, at: Context, job: MultitaskJob) -> None:
        super().__init__(at, job.method, f"multitask {job.method}")
        # A source prompt that leaves nothing out is the same for all targets.
        self.targets = job.targets if self.study.multitask.leaves_one_out else job.targets[:1]

    def steps(self) -> Iterator[Step]:
        study, method = self.study, self.method
        paths = {target: {seed: study.paths.multitask_prompt(method, seed, target) for seed in study.seeds} for target in self.targets}
        settings = study.multitask.settings(method)
        batches = [
            self.prompts(target if study.multitask.leaves_one_out else "", study.multitask.tasks(target), own, settings)
            for target, own in paths.items()
        ]
        yield Step(f"multitask {method}", "prompts to tune", batches)
        if study.multitask.options["average_seeds"]:
            means = {study.paths.multitask_prompt(method, AVERAGE, target): [*own.values()] for target, own in paths.items()}
            yield Step(f"multitask {method}", "means to take", [self.averages(means)])
