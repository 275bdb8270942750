"""The job that learns multitask source prompts: one prompt on the union of tasks, without the target where one is left out.

Also what other jobs need to have a prompt of several tasks. A task that failed, or whose draw of a seed did, is left out: the
prompt says on which tasks it was tuned, which is part of its fingerprint. Knows nothing of how a prompt is tuned or used.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence, Set as AbstractSet
from functools import partial
from pathlib import Path
from typing import Any

from promptatlas import backbone
from promptatlas.backbone import Backbone
from promptatlas.base.errors import Failed
from promptatlas.base.files import replace
from promptatlas.base.progress import Progress, Say
from promptatlas.base.version import NUMERICS_VERSION
from promptatlas.records import card
from promptatlas.records.cells import digest, fingerprint
from promptatlas.records.prompt_file import LearnedPrompt, holds, is_left, save_failed
from promptatlas.runs import devices, session
from promptatlas.runs.attempts import alone, each
from promptatlas.runs.failures import Holes
from promptatlas.runs.prepare import classes, drawn, opened
from promptatlas.runs.tune import PRECISION
from promptatlas.study.jobs import MultitaskJob
from promptatlas.study.multitask import AVERAGE
from promptatlas.study.study import Study
from promptatlas.training import multitask
from promptatlas.training.multitask import Manner


def learn(study: Study, job: MultitaskJob, threads: int, say: Say) -> None:
    """Learn the source prompts of `job`. Those whose fingerprint holds are kept, except the forced ones."""
    method, outputs = job.method, job.outputs
    forced = session.forced(study, job.name, outputs)
    holes = Holes(study, job, say)
    work = Unions(study, method, backbone.load(study.paths.backbone_folder, devices.chosen(study.config["device"], threads)), holes)
    targets = _targets(study, job)
    progress = Progress(f"multitask {method}", len(targets), "source prompts", say)
    for target, fresh in go(work, job, forced):
        progress.step(f"{target}: {fresh} learned, {len(study.seeds) - fresh} kept" if len(targets) > 1 else "")
    work.clean()
    holes.settle()


def go(work: Unions, job: MultitaskJob, forced: set[Path]) -> Iterator[tuple[str, int]]:
    """See to the source prompts of one target after the other; the target, and how many were tuned."""
    study, method = work.study, job.method
    for target in _targets(study, job):
        paths = {seed: study.paths.multitask_prompt(method, seed, target) for seed in study.seeds}
        fresh = work.have(study.multitask.tasks(target), paths, study.multitask.settings(method), forced=forced)
        if study.multitask.options["average_seeds"]:
            work.average(paths, study.paths.multitask_prompt(method, AVERAGE, target), forced)
        yield target, fresh


def _targets(study: Study, job: MultitaskJob) -> tuple[str, ...]:
    """A source prompt that leaves nothing out is the same for all targets."""
    return job.targets if study.multitask.leaves_one_out else job.targets[:1]


class Unions:
    """The backbone, tasks and draws of one method's shared prompts."""

    def __init__(self, study: Study, method: str, model: Backbone, holes: Holes | None = None):
        self.study, self.method, self.model, self.holes = study, method, model, holes
        self.manner = Manner(study.multitask.options["classes"], study.multitask.options["batches"])
        self.tasks, self.draws = opened(study), drawn(study)
        self.used: set[Path] = set()

    def parts(self, names: Sequence[str], seed: int, settings: Mapping[str, Any], start: LearnedPrompt | Failed | None) -> dict[str, str]:
        """Everything that determines a prompt of several tasks, by name; `tasks` are those of `names` that it sees."""
        names = self.apart(names, seed)[0]
        if isinstance(start, Failed):
            raise Failed(f"source prompt failed: {start}")
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

    def apart(self, names: Sequence[str], seed: int) -> tuple[list[str], dict[str, Failed]]:
        """The tasks from which a prompt of a seed can learn, and why the others are left out. Failed if all are."""
        found = {name: alone(partial(self.learned_from, name, seed)) for name in names}
        left = {name: why for name, why in found.items() if isinstance(why, Failed)}
        if len(left) == len(found):
            raise Failed(f"every task failed: {next(iter(left.values()))}" if len(left) > 1 else str(*left.values()))
        return [name for name in names if name not in left], left

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
        starts: Mapping[int, LearnedPrompt | Failed] | None = None,
        forced: AbstractSet[Path] = frozenset(),
    ) -> int:
        """See to it that the prompt of every seed is at its path, or says there why it is not; returns how many were tuned."""
        begun = dict.fromkeys(paths) if starts is None else starts
        known = {seed: alone(partial(self.parts, names, seed, settings, begun[seed])) for seed in paths}
        failed = {seed: own for seed, own in known.items() if isinstance(own, Failed)}
        parts = {seed: own for seed, own in known.items() if not isinstance(own, Failed)}
        resumes = {seed: self.study.paths.resume(fingerprint(own), "safetensors") for seed, own in parts.items()}
        self.used |= {*resumes.values()}
        wanted = [seed for seed, own in parts.items() if paths[seed] in forced or not holds(paths[seed], fingerprint(own))]
        fresh = [seed for seed in wanted if paths[seed] in forced or not is_left(resumes[seed], fingerprint(parts[seed]))]
        for seed, prompt in self._tuned_together(names, fresh, settings, starts):
            if isinstance(prompt, Failed):
                failed[seed] = prompt
            else:
                save(prompt, resumes[seed], parts[seed], self.card(self.apart(names, seed)[0], settings, prompt, seed))
        for seed in wanted:
            if seed not in failed:
                replace(paths[seed], resumes[seed].read_bytes())
        for seed, why in failed.items():
            self.fail(paths[seed], why)
        return len(fresh)

    def _tuned_together(
        self, names: Sequence[str], seeds: Sequence[int], settings: dict[str, Any], starts: Mapping[int, LearnedPrompt | Failed] | None
    ) -> Iterator[tuple[int, LearnedPrompt | Failed]]:
        """The prompts of all seeds; those that learn from the same tasks are tuned at once."""
        groups: dict[tuple[str, ...], list[int]] = {}
        for seed in seeds:
            sound, left = self.apart(names, seed)
            groups.setdefault(tuple(sound), []).append(seed)
            if left:
                self.failures.say(
                    f"{self.method}: the prompt of {'+'.join(names)}, seed {seed}, learns without {', '.join(left)}, which failed"
                )
        for same, own in groups.items():
            tasks = [self.tasks[name] for name in same]
            learned = each(
                lambda some, same=same, tasks=tasks: multitask.tune_union(
                    self.model, self.method, settings, self.manner, tasks,
                    [[self.draws[name, seed] for name in same] for seed in some], some, self._begun(starts, some),
                ),
                own,
            )  # fmt: skip
            yield from zip(own, learned, strict=True)

    @staticmethod
    def _begun(starts: Mapping[int, Any] | None, seeds: Sequence[int]) -> list[LearnedPrompt] | None:
        """The prompts to start from; one that failed has failed what starts from it before."""
        return None if starts is None else [starts[seed] for seed in seeds]

    @property
    def failures(self) -> Holes:
        assert self.holes is not None, "who only looks writes nothing"
        return self.holes

    def fail(self, path: Path, why: Failed) -> None:
        self.failures.note(path, why)
        save_failed(path, self.method, why)

    def average(self, paths: Mapping[int, Path], path: Path, forced: set[Path]) -> None:
        """The elementwise mean of the prompts of all seeds."""
        try:
            prompts = [LearnedPrompt.load(one)[0] for one in paths.values()]
        except Failed as why:
            self.fail(path, Failed(f"the prompt of a seed failed: {why}"))
            return
        parts = average_parts(prompts)
        if path in forced or not holds(path, fingerprint(parts)):
            seen = json.loads(LearnedPrompt.load(next(iter(paths.values())))[1]["parts"])["tasks"].split(";")
            mean = multitask.average(self.model, self.study.settings(self.method), prompts)
            save(mean, path, parts, self.card(seen, self.study.multitask.settings(self.method), mean))

    def card(self, names: Sequence[str], settings: dict[str, Any], prompt: LearnedPrompt, seed: int | None = None) -> dict[str, str]:
        """What a prompt's file says to those who take it away; without a seed it is the mean of those of all seeds.

        A prompt of several tasks has no class names of its own.
        """
        resizes = {self.study.data.resize_of(name) for name in names}
        known: dict[str, Any] = {}
        if seed is not None:
            score = prompt.history[prompt.best_epoch - 1]["validation_score"]
            known = {
                "draw": card.several_draws([self.draws[name, seed] for name in names], self.study.shots),
                "validation": {"metric": card.MEAN, "score": score, "epoch": prompt.best_epoch},
            }
        return card.write(
            method=self.method,
            settings={**settings, **vars(self.manner)},
            backbone={"name": self.study.backbone.name, "sha256": self.model.fingerprint},
            task="+".join(names),
            resize=resizes.pop() if len(resizes) == 1 else None,
            seed=seed,
            **known,
        )

    def clean(self) -> None:
        """Remove what was kept for the case of an interruption."""
        for path in self.used:
            path.unlink(missing_ok=True)


def average_parts(prompts: Sequence[LearnedPrompt]) -> dict[str, str]:
    """Everything that determines the mean of some prompts, by name."""
    return {"average": digest([one.parameter_fingerprint() for one in prompts]), "numerics": str(NUMERICS_VERSION)}


def save(prompt: LearnedPrompt, path: Path, parts: Mapping[str, str], about: Mapping[str, str]) -> None:
    prompt.save(path, {"fingerprint": fingerprint(parts), "parts": json.dumps(dict(parts), sort_keys=True), **about})
