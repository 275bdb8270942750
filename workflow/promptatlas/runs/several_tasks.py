"""Prompts that are tuned on several tasks at once, which multitask sources and joint adaptation need.

A task that failed, or whose draw of a seed did, is left out: the prompt says on which tasks it was tuned, which is part of its
fingerprint.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from promptatlas.base.errors import Failed
from promptatlas.base.version import NUMERICS_VERSION
from promptatlas.records import card
from promptatlas.records.fingerprint import digest
from promptatlas.records.prompt_file import PROMPT, TunedPrompt
from promptatlas.runs.attempts import apart
from promptatlas.runs.context import Context, source_prompt
from promptatlas.runs.engine import Artifact, Batch
from promptatlas.runs.known import described, numerics
from promptatlas.training import multitask
from promptatlas.training.multitask import Manner

Settings = Mapping[str, Any]
Starts = Mapping[int, Path]
Content = tuple[TunedPrompt, dict[str, str]]


class SeveralTasks:
    """The prompts of one method that are tuned on several tasks. what: how `status` calls them."""

    def __init__(self, at: Context, method: str, what: str) -> None:
        self.at, self.study, self.method, self.what = at, at.study, method, what
        self.manner = Manner(self.study.multitask.options["classes"], self.study.multitask.options["batches"])

    def prompts(
        self, called: str, names: Sequence[str], paths: Mapping[int, Path], settings: Settings, starts: Starts | None = None
    ) -> Batch:
        """The prompts of all seeds at their paths. called: what progress is told of."""

        def artifact(seed: int) -> Artifact:
            inputs = partial(self.inputs, names, seed, settings, starts)
            return Artifact(self.what, paths[seed], PROMPT, inputs, seed, self.about, () if starts is None else (starts[seed],))

        return Batch(called, [artifact(seed) for seed in paths], partial(self.tune, names, settings, starts))

    def inputs(self, names: Sequence[str], seed: int, settings: Settings, starts: Starts | None) -> dict[str, str]:
        """Everything that determines a prompt of several tasks, by name; `tasks` are those of `names` on which it is tuned."""
        sound, left = self._apart(names, seed)
        if not sound:
            raise Failed(f"every task failed: {next(iter(left.values()))}" if len(left) > 1 else str(*left.values()))
        started = {} if starts is None else {"start": source_prompt(starts[seed]).parameter_fingerprint()}
        return (
            started
            | numerics(self.at.model)
            | {
                "method": self.method,
                "settings": digest({**settings, **vars(self.manner)}),
                "tasks": ";".join(sound),
                "data": digest([self.trained_on(name, seed) for name in sound]),
                "seed": str(seed),
            }
        )

    def trained_on(self, name: str, seed: int) -> list[str]:
        """All of a task that a prompt is trained on."""
        return list(described(self.at, name).trained_on(seed).values())

    def _apart(self, names: Sequence[str], seed: int) -> tuple[list[str], dict[str, Failed]]:
        """The tasks on which a prompt of a seed can be trained, and why the others are left out."""
        parted = apart(partial(self.trained_on, seed=seed), names)
        return [*parted.sound], parted.failed

    def tune(self, names: Sequence[str], settings: Settings, starts: Starts | None, seeds: Sequence[int]) -> list[Content]:
        """The prompts of some seeds; those that are tuned on the same tasks are tuned at once."""
        groups: dict[tuple[str, ...], list[int]] = {}
        for seed in seeds:
            sound, left = self._apart(names, seed)
            groups.setdefault(tuple(sound), []).append(seed)
            if left:
                named = f"the prompt of {'+'.join(names)}, seed {seed},"
                self.at.say(f"{self.method}: {named} is tuned without {', '.join(left)}, which failed")
        made = {
            seed: content
            for same, own in groups.items()
            for seed, content in zip(own, self._tuned(same, settings, starts, own), strict=True)
        }
        return [made[seed] for seed in seeds]

    def _tuned(self, sound: Sequence[str], settings: Settings, starts: Starts | None, seeds: Sequence[int]) -> list[Content]:
        tasks = [self.at.tasks[name] for name in sound]
        draws = [[self.at.draws[name, seed] for name in sound] for seed in seeds]
        begun = None if starts is None else [source_prompt(starts[seed]) for seed in seeds]
        prompts = multitask.tune_multitask(self.at.model, self.method, dict(settings), self.manner, tasks, draws, list(seeds), begun)
        return [(prompt, self.card(sound, settings, prompt, seed)) for prompt, seed in zip(prompts, seeds, strict=True)]

    def averages(self, wanted: Mapping[Path, Sequence[Path]]) -> Batch:
        """By path the elementwise mean of the prompts of all seeds."""
        artifacts = [Artifact(self.what, path, PROMPT, partial(average_inputs, own), own, self.about) for path, own in wanted.items()]
        return Batch("averages", artifacts, lambda keys: [self.average(own) for own in keys])

    def average(self, paths: Sequence[Path]) -> Content:
        prompts = [TunedPrompt.load(path)[0] for path in paths]
        seen = PROMPT.inputs(paths[0])["tasks"].split(";")
        mean = multitask.average(self.at.model, self.study.settings(self.method), prompts)
        return mean, self.card(seen, self.study.multitask.settings(self.method), mean)

    def about(self) -> dict[str, str]:
        return {"method": self.method}

    def card(self, names: Sequence[str], settings: Settings, prompt: TunedPrompt, seed: int | None = None) -> dict[str, str]:
        """What a prompt's file says to those who take it away; without a seed it is the mean of those of all seeds.

        A prompt of several tasks has no class names of its own.
        """
        resizes = {self.study.data.resize_of(name) for name in names}
        known: dict[str, Any] = {}
        if seed is not None:
            score = prompt.history[prompt.best_epoch - 1]["validation_score"]
            known = {
                "draw": card.several_draws([self.at.draws[name, seed] for name in names], self.study.shots),
                "validation": {"metric": card.MEAN, "score": score, "epoch": prompt.best_epoch},
            }
        return card.write(
            method=self.method,
            settings={**settings, **vars(self.manner)},
            backbone={"name": self.study.backbone.name, "sha256": self.at.model.fingerprint},
            precision=self.at.model.precision,
            task="+".join(names),
            resize=resizes.pop() if len(resizes) == 1 else None,
            seed=seed,
            **known,
        )


def average_inputs(paths: Sequence[Path]) -> dict[str, str]:
    """Everything that determines the mean of some prompts, by name."""
    try:
        prompts = [TunedPrompt.load(path)[0] for path in paths]
    except Failed as why:
        raise Failed(f"the prompt of a seed failed: {why}") from None
    return {"average": digest([one.parameter_fingerprint() for one in prompts]), "numerics": str(NUMERICS_VERSION)}


def tuned_on(path: Path) -> list[str]:
    """The tasks on which the prompt at `path` was tuned; none if it was tuned on a single one. Raises Failed if it failed."""
    seen = PROMPT.inputs(path).get("tasks")
    return seen.split(";") if seen else []
