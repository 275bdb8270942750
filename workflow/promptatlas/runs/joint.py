"""The job of MVLPT's joint adaptation: groups of targets that share one prompt, beside each target's own prompt, both from scratch and
from the multitask source; every prompt is scored on every target of its group.

A task of a group that failed is left out of its prompts, which its scores say, and has no score itself.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from promptatlas.backbone import feature_file, precision
from promptatlas.base import json_record
from promptatlas.base.errors import FAILED, Failed
from promptatlas.base.version import NUMERICS_VERSION
from promptatlas.evaluation import evaluate, task_grouping
from promptatlas.records.fingerprint import digest
from promptatlas.records.kind import JsonRecord
from promptatlas.records.prompt_file import TunedPrompt
from promptatlas.records.score import ABSENT, CHOICES, KEYS, SCORE
from promptatlas.runs.attempts import each
from promptatlas.runs.context import Context, classes
from promptatlas.runs.engine import Artifact, Batch, Step
from promptatlas.runs.known import numerics
from promptatlas.runs.several_tasks import SeveralTasks, tuned_on
from promptatlas.study.jobs import JointJob
from promptatlas.study.multitask import AVERAGE
from promptatlas.tasks import metrics

Group = tuple[str, ...]
NO_OTHERS = "the group holds every task of the study, so there is no prompt of other tasks to start from"


@dataclass(frozen=True)
class Scored:
    """One score: of which prompt, and what tells it from the other scores on its task. absent: there is no such prompt."""

    target: str
    source: str
    adaptation: str
    group: Group
    seed: int
    prompt: Path
    absent: bool = False

    def about(self) -> dict[str, Any]:
        return {"source": self.source, "adaptation": self.adaptation, "group": "+".join(self.group), "seed": self.seed}


class Joint(SeveralTasks):
    """The joint and single prompts of one method, and their scores."""

    def __init__(self, at: Context, job: JointJob) -> None:
        super().__init__(at, job.method, f"joint prompts {job.method}")
        self.name = f"joint {job.method}"

    def steps(self) -> Iterator[Step]:
        study = self.study
        if study.multitask.joint == "auto":
            yield Step(self.name, "groups to find", [Batch("groups", [self._grouping()], lambda keys: [self.find_groups()])], False)
        groups = self.groups()
        for group in groups:
            if study.multitask.row and not study.multitask.tasks(*group):
                self.at.say(f"{self.name}: no scores from {study.multitask.row} for {', '.join(group)}: {NO_OTHERS}")
        without = [group for group in groups if self._has_own_source(group)]
        if without:
            yield Step(self.name, "source prompts to tune", [self._source_to_tune(group) for group in without])
            if study.multitask.options["average_seeds"]:
                means = {self._source_path(group, AVERAGE): [*self._source_paths(group).values()] for group in without}
                yield Step(self.name, "means to take", [self.averages(means)])
        tuned = [
            batch for group in groups for source in study.multitask.sources for some in self._prompts_of(group, source)
            for batch in self._to_tune(source, some)
        ]  # fmt: skip
        yield Step(self.name, "prompts to tune", tuned)
        yield Step(self.name, "scores to measure", [batch for group in groups for task in group for batch in self._scores(task, group)])

    # Groups

    def groups(self) -> list[Group]:
        """Every target of the study once, as configured or as found without test images; none as long as nothing was looked for."""
        given = self.study.multitask.joint
        if given == "auto":
            path = self.study.paths.joint_groups(self.method)
            return _found(path) if path.exists() else []
        listed = [tuple(sorted(group)) for group in given]
        return listed + [(task,) for task in self.study.multitask.targets if not any(task in group for group in listed)]

    @property
    def _targets(self) -> Group:
        return tuple(sorted(self.study.multitask.targets))

    def _grouping(self) -> Artifact:
        path = self.study.paths.joint_groups(self.method)
        return Artifact(f"joint groups {self.method}", path, GROUPS, self._grouping_inputs, about=lambda: {"groups": []})

    def _grouping_inputs(self) -> dict[str, str]:
        """Everything that determines the groups, by name. A prompt or task that failed is no reason to find none."""
        all_of = [(name, seed) for name in self._targets for seed in self.study.seeds]
        return (
            {
                "prompts": digest([self._prompt_mark(*one) for one in all_of]),
                "data": digest([self._data_mark(*one) for one in all_of]),
                "backbone": self.at.model.fingerprint,
                "numerics": str(NUMERICS_VERSION),
            }
            | precision.mark(self.at.model.precision)
            | ({} if self.study.ensemble else {"zero_shot": self.study.sentences})
        )

    def _prompt_mark(self, task: str, seed: int) -> str:
        try:
            return self._own(task, seed).fingerprint()
        except Failed:
            return "failed"

    def _data_mark(self, task: str, seed: int) -> list[str]:
        try:
            return self.trained_on(task, seed)
        except Failed:
            return [task, "failed"]

    def _own(self, task: str, seed: int) -> TunedPrompt:
        return TunedPrompt.load(self.study.paths.prompt(self.method, seed, task))[0]

    def find_groups(self) -> dict[str, Any]:
        gains = self.gains(self._targets)
        noted = np.round(np.nan_to_num(gains), 3).tolist()
        groups = task_grouping.groups(self._targets, gains)
        return {"method": self.method, "tasks": self._targets, "gains": noted, "groups": groups}

    def gains(self, names: Sequence[str]) -> np.ndarray:
        """What each task's prompt gains on each other's validation images, (n, n), mean over the seeds of which it can be said; NaN if
        it cannot be said of any.
        """
        found = [[each(partial(self._gains_on, target, seed), names).sound for target in names] for seed in self.study.seeds]
        by_seed = np.array([[[column.get(name, np.nan) for name in names] for column in own] for own in found])
        said = ~np.isnan(by_seed)
        with np.errstate(invalid="ignore"):
            return (np.where(said, by_seed, 0).sum(axis=0) / said.sum(axis=0)).T

    def _gains_on(self, target: str, seed: int, sources: Sequence[str]) -> list[float]:
        encoded = feature_file.load(self.study.paths.encoded(target))[0]
        prompts = [self._own(source, seed).prompts for source in sources]
        task, drawn = self.at.tasks[target], self.at.draws[target, seed]
        return task_grouping.validation_gains(self.at.model, task, encoded, drawn, prompts).tolist()

    # Prompts

    def _has_own_source(self, group: Group) -> bool:
        """Whether a group starts from a multitask source that saw none of it; of a single task the study has it already."""
        multitask = self.study.multitask
        return bool(multitask.row) and multitask.leaves_one_out and len(group) > 1 and bool(multitask.tasks(*group))

    def _source_path(self, group: Group, which: int | str) -> Path:
        return self.study.paths.joint_prompt(self.method, "without", which, group)

    def _source_paths(self, group: Group) -> dict[int, Path]:
        return {seed: self._source_path(group, seed) for seed in self.study.seeds}

    def _source_to_tune(self, group: Group) -> Batch:
        multitask = self.study.multitask
        return self.prompts("+".join(group), multitask.tasks(*group), self._source_paths(group), multitask.settings(self.method))

    def _starts(self, group: Group) -> dict[int, Path]:
        """Multitask source prompts by seed; where the target is left out, so is its whole group."""
        if not self._has_own_source(group):
            return {seed: self.study.paths.multitask_source(self.method, seed, group[0]) for seed in self.study.seeds}
        if self.study.multitask.options["average_seeds"]:
            return dict.fromkeys(self.study.seeds, self._source_path(group, AVERAGE))
        return self._source_paths(group)

    def _prompts_of(self, group: Group, source: str) -> list[Group]:
        """The tasks of the prompts that a group needs from one source: each task's own, and that of all where there is one."""
        together = len(group) > 1 and (source == "scratch" or bool(self.study.multitask.tasks(*group)))
        return [*((task,) for task in group), *([group] if together else [])]

    def _paths(self, source: str, group: Group) -> dict[int, Path]:
        """Prompts by seed; those of single tasks from scratch are the source prompts of the study."""
        if source == "scratch" and len(group) == 1:
            return {seed: self.study.paths.prompt(self.method, seed, group[0]) for seed in self.study.seeds}
        return {seed: self.study.paths.joint_prompt(self.method, source, seed, group) for seed in self.study.seeds}

    def _to_tune(self, source: str, group: Group) -> list[Batch]:
        if source == "scratch" and len(group) == 1:
            return []
        starts = None if source == "scratch" else self._starts(group)
        return [self.prompts("+".join(group), group, self._paths(source, group), self.study.settings(self.method), starts)]

    # Scores

    def _scores(self, task: str, group: Group) -> list[Batch]:
        wanted = []
        for source in self.study.multitask.sources:
            absent = group not in self._prompts_of(group, source)
            for adaptation, own in (("single", (task,)), ("joint", group)):
                for seed, path in self._paths(source, own).items():
                    wanted.append(Scored(task, source, adaptation, own, seed, path, absent and adaptation == "joint"))
        measured = [self._score(one) for one in wanted if not one.absent]
        absent_ones = [self._score(one) for one in wanted if one.absent]
        return [Batch(task, measured, partial(self.measure, task)), Batch(task, absent_ones, lambda keys: [*map(self._absent, keys)])]

    def _score(self, one: Scored) -> Artifact:
        path = self.study.paths.joint_score(self.method, one.source, one.adaptation, one.seed, one.target)
        inputs = partial(self.absent_inputs if one.absent else self.score_inputs, one)
        return Artifact(
            f"joint scores {self.method}",
            path,
            SCORE,
            inputs,
            one,
            partial(self._about, one),
            sources=() if one.absent or one.prompt is None else (one.prompt,),
        )

    def _about(self, one: Scored) -> dict[str, Any]:
        metric = self.at.metric_of(one.target)
        return {"method": self.method, "target": one.target, "metric": metric, **one.about()}

    @staticmethod
    def absent_inputs(one: Scored) -> dict[str, str]:
        return {"group": "+".join(one.group), ABSENT: NO_OTHERS}

    def _absent(self, one: Scored) -> dict[str, Any]:
        """In place of the joint scores of a group: why there are none."""
        return dict.fromkeys(KEYS) | self._about(one) | {"seconds": 0.0, ABSENT: NO_OTHERS}

    def score_inputs(self, one: Scored) -> dict[str, str]:
        """Everything that determines the score of a prompt on a task, by name."""
        self.trained_on(one.target, one.seed)  # a task that failed has no score
        task, about = self.at.tasks[one.target], one.about()
        return numerics(self.at.model) | {
            "data_test": task.fingerprint("test"),
            "classes": classes(task),
            "metric": metrics.mark(task.task.metric),
            **about,
            "method": self.method,
            "seed": str(one.seed),
            "prompt": self._prompt(one).fingerprint(),
        }

    @staticmethod
    def _prompt(one: Scored) -> TunedPrompt:
        try:
            return TunedPrompt.load(one.prompt)[0]
        except Failed as why:
            raise Failed(f"its prompt failed: {why}") from None

    def measure(self, name: str, wanted: Sequence[Scored]) -> list[dict[str, Any]]:
        started, task = time.perf_counter(), self.at.tasks[name]
        prompts = [self._prompt(one) for one in wanted]
        encoded = feature_file.load(self.study.paths.encoded(name))[0]
        results = evaluate.evaluate(self.at.model, task, encoded, [prompt.prompts for prompt in prompts])
        seconds = (time.perf_counter() - started) / len(wanted)
        return [self._content(*each, seconds) for each in zip(wanted, prompts, results, strict=True)]

    def _content(self, one: Scored, prompt: TunedPrompt, result: evaluate.Evaluation, seconds: float) -> dict[str, Any]:
        seen = tuned_on(one.prompt)
        left = [name for name in one.group if seen and name not in seen]
        return {
            "method": self.method,
            "target": one.target,
            **one.about(),
            "metric": self.at.metric_of(one.target),
            "score": float(result.score),
            "chance": float(result.chance),
            **dict.fromkeys(CHOICES),
            "epoch": prompt.best_epoch,
            "seconds": round(seconds + prompt.seconds, 6),
        } | ({"left_out": left} if left else {})


def _found(path: Path) -> list[Group]:
    """The groups in a file. Raises Failed if it says why there are none: nothing can be scored then."""
    record = GROUPS.read(path)
    if FAILED in record:
        raise Failed(f"groups failed: {record[FAILED]}")
    return [tuple(group) for group in record["groups"]]


GROUPS = JsonRecord(lambda path: json_record.read(path, "the groups"))
