"""The job that learns multitask source prompts: one prompt on the union of tasks, without the target where one is left out.

Also what other jobs need to have a prompt of several tasks. Knows nothing of how a prompt is tuned or used.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from promptatlas import NUMERICS_VERSION, backbone, devices, multitask, planning
from promptatlas.backbone import Backbone
from promptatlas.cells import digest, fingerprint, replace
from promptatlas.jobs.prepare import classes, read_draw
from promptatlas.jobs.tune import PRECISION
from promptatlas.learned import LearnedPrompt
from promptatlas.multitask import Manner
from promptatlas.reporting import Progress, Say
from promptatlas.study import Study
from promptatlas.tasks.prepared import PreparedTask
from promptatlas.unions import AVERAGE
from promptatlas.work import MultitaskJob


def learn(study: Study, job: MultitaskJob, threads: int, say: Say) -> None:
    """Learn the source prompts of `job`. Those whose fingerprint holds are kept, except the forced ones."""
    method, outputs = job.method, study.multitask_outputs(job)
    forced = planning.forced(study, job.name, outputs)
    work = Unions(study, method, backbone.load(study.backbone_folder, devices.chosen(study.config["device"], threads)))
    targets = job.targets if study.config["multitask"] == "leave_one_out" else job.targets[:1]
    progress = Progress(f"multitask {method}", len(targets), "source prompts", say)
    for target in targets:
        paths = {seed: study.multitask_prompt(method, seed, target) for seed in study.seeds}
        fresh = work.have(study.multitask_tasks(target), paths, study.multitask_settings(method), forced=forced)
        if study.union["average_seeds"]:
            work.average(paths, study.multitask_prompt(method, AVERAGE, target), forced)
        progress.step(f"{target}: {fresh} learned, {len(paths) - fresh} kept" if len(targets) > 1 else "")
    work.clean()


class Unions:
    """The backbone, tasks and draws of one method's shared prompts."""

    def __init__(self, study: Study, method: str, model: Backbone):
        self.study, self.method, self.model = study, method, model
        self.manner = Manner(study.union["classes"], study.union["batches"])
        self.tasks = {name: PreparedTask.open(study.task_folder(name)) for name in study.tasks}
        self.draws = {(name, seed): read_draw(study.draw(name, seed)) for name in study.tasks for seed in study.seeds}
        self.used: set[Path] = set()

    def parts(
        self, names: Sequence[str], seed: int, settings: Mapping[str, Any], start: LearnedPrompt | None
    ) -> dict[str, str]:
        """Everything that determines a prompt of several tasks, by name; `tasks` are those that it sees."""
        started = {} if start is None else {"start": start.parameter_fingerprint()}
        return started | {
            "backbone": self.model.fingerprint,
            "method": self.method,
            "settings": digest({**settings, **vars(self.manner)}),
            "tasks": ";".join(names),
            "data": digest([self.learned_from(name, seed) for name in names]),
            "seed": str(seed),
            "precision": PRECISION,
            "numerics": str(NUMERICS_VERSION),
        }

    def learned_from(self, name: str, seed: int) -> list[str]:
        """All of a task that a prompt learns from."""
        task, drawn = self.tasks[name], self.draws[name, seed]
        train, held = task.fingerprint("train", drawn.train), task.fingerprint(drawn.validation_split, drawn.validation)
        return [name, train, held, drawn.sha256, classes(task), task.task.metric]

    def have(
        self,
        names: Sequence[str],
        paths: Mapping[int, Path],
        settings: dict[str, Any],
        starts: Mapping[int, LearnedPrompt] | None = None,
        forced: set[Path] = frozenset(),
    ) -> int:
        """See to it that the prompt of every seed is at its path; returns how many had to be tuned."""
        parts = {seed: self.parts(names, seed, settings, starts and starts[seed]) for seed in paths}
        resumes = {seed: self.study.resume(fingerprint(own), "safetensors") for seed, own in parts.items()}
        self.used |= {*resumes.values()}
        wanted = [seed for seed, path in paths.items() if path in forced or not holds(path, parts[seed])]
        fresh = [seed for seed in wanted if paths[seed] in forced or not resumes[seed].exists()]
        if fresh:
            learned = multitask.tune_union(
                self.model,
                self.method,
                settings,
                self.manner,
                [self.tasks[name] for name in names],
                [[self.draws[name, seed] for name in names] for seed in fresh],
                fresh,
                starts and [starts[seed] for seed in fresh],
            )
            for seed, prompt in zip(fresh, learned, strict=True):
                save(prompt, resumes[seed], parts[seed])
        for seed in wanted:
            replace(paths[seed], resumes[seed].read_bytes())
        return len(fresh)

    def average(self, paths: Mapping[int, Path], path: Path, forced: set[Path]) -> None:
        """The elementwise mean of the prompts of all seeds."""
        prompts = [LearnedPrompt.load(one)[0] for one in paths.values()]
        parts = {"average": digest([one.parameter_fingerprint() for one in prompts]), "numerics": str(NUMERICS_VERSION)}
        if path in forced or not holds(path, parts):
            save(multitask.average(self.model, self.study.settings(self.method), prompts), path, parts)

    def clean(self) -> None:
        """Remove what was kept for the case of an interruption."""
        for path in self.used:
            path.unlink(missing_ok=True)


def holds(path: Path, parts: Mapping[str, str]) -> bool:
    return path.exists() and LearnedPrompt.load(path)[1].get("fingerprint") == fingerprint(parts)


def save(prompt: LearnedPrompt, path: Path, parts: Mapping[str, str]) -> None:
    prompt.save(path, {"fingerprint": fingerprint(parts), "parts": json.dumps(dict(parts), sort_keys=True)})
