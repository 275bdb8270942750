"""The job that tunes source prompts, task by task, all seeds of a task together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from promptatlas.records import card
from promptatlas.records.fingerprint import digest
from promptatlas.records.prompt_file import PROMPT, TunedPrompt
from promptatlas.runs.engine import Artifact, Batch, Step
from promptatlas.runs.known import OfMethod, described, numerics
from promptatlas.study.jobs import TuneJob
from promptatlas.training import single_task


class Tune(OfMethod[TuneJob]):
    """The prompts of one method."""

    def steps(self) -> Iterator[Step]:
        batches = [Batch(name, [self.prompt(name, seed) for seed in self.job.seeds], partial(self.tune, name)) for name in self.job.tasks]
        yield Step(f"tune {self.method}", "prompts to tune", batches)

    def prompt(self, name: str, seed: int) -> Artifact:
        path = self.study.paths.prompt(self.method, seed, name)
        about = {"method": self.method}
        return Artifact(f"prompts {self.method}", path, PROMPT, partial(self.inputs, name, seed), seed, lambda: about)

    def inputs(self, name: str, seed: int) -> dict[str, str]:
        """Everything that determines a source prompt, by name."""
        own = {"method": self.method, "settings": digest(self.settings), "seed": str(seed)}
        return own | numerics(self.at.model) | described(self.at, name).trained_on(seed)

    def tune(self, name: str, seeds: Sequence[int]) -> list[tuple[TunedPrompt, dict[str, str]]]:
        task, draws = self.at.tasks[name], [self.at.draws[name, seed] for seed in seeds]
        prompts = single_task.tune_task(self.at.model, self.method, self.settings, task, draws, list(seeds))
        told = [{"task": name, "seed": str(seed)} for seed in seeds]
        return [(prompt, one | self.card(name, seed, prompt)) for prompt, seed, one in zip(prompts, seeds, told, strict=True)]

    def card(self, name: str, seed: int, prompt: TunedPrompt) -> dict[str, str]:
        """What a prompt's file says to those who take it away; nothing of it is part of a fingerprint."""
        task, drawn, chosen = self.at.tasks[name].task, self.at.draws[name, seed], prompt.history[prompt.best_epoch - 1]
        draw: dict[str, Any] = {
            "sha256": drawn.sha256, "shots": self.study.shots, "train": len(drawn.train), "validation": len(drawn.validation),
        }  # fmt: skip
        return card.write(
            method=self.method,
            settings=self.settings,
            backbone={"name": self.study.backbone.name, "sha256": self.at.model.fingerprint},
            precision=self.at.model.precision,
            task=name,
            class_names=list(task.class_names),
            resize=self.study.data.resize_of(name),
            seed=seed,
            draw=draw,
            validation={"metric": task.metric, "score": chosen["validation_score"], "epoch": prompt.best_epoch},
        )
