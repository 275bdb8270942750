"""The job that lets groups of targets share one prompt (MVLPT's joint adaptation), beside each target's own prompt, both from
scratch and from the multitask source; every prompt is scored on every target of its group.

A task of a group that failed is left out of its prompts, which its scores say, and has no score itself. Knows nothing of how a
prompt is tuned or groups are found.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from promptatlas import backbone
from promptatlas.backbone import feature_file
from promptatlas.base import json_record
from promptatlas.base.errors import Failed
from promptatlas.base.progress import Progress, Say
from promptatlas.base.version import NUMERICS_VERSION
from promptatlas.evaluation import evaluate, task_grouping
from promptatlas.records import cells
from promptatlas.records.cells import digest, fingerprint
from promptatlas.records.prompt_file import LearnedPrompt
from promptatlas.runs import devices, score_record, session
from promptatlas.runs.attempts import alone, each
from promptatlas.runs.failures import Holes
from promptatlas.runs.multitask import Unions
from promptatlas.runs.prepare import classes, metric_of
from promptatlas.runs.tune import PRECISION
from promptatlas.study.jobs import JointJob
from promptatlas.study.multitask import AVERAGE
from promptatlas.study.study import Study

Group = tuple[str, ...]
NO_OTHERS = "the group holds every task of the study, so there is no prompt of other tasks to start from"


def adapt(study: Study, job: JointJob, threads: int, say: Say) -> None:
    """Tune what is missing of `job` and score it; what still holds is kept, except what is forced."""
    forced = session.forced(study, job.name, job.outputs)
    model = backbone.load(study.paths.backbone_folder, devices.chosen(study.config["device"], threads))
    holes = Holes(study, job, say)
    work = Joint(study, job.method, model, holes)
    groups = work.groups()
    shared = [group for group in groups if len(group) > 1]
    say(f"joint {job.method}: {len(shared)} groups, {len(groups) - len(shared)} tasks alone")
    progress = Progress(f"joint {job.method}", len(groups), "groups", say)
    for group in groups:
        if study.multitask.row and not study.multitask.tasks(*group):
            say(f"joint {job.method}: no scores from {study.multitask.row} for {', '.join(group)}: {NO_OTHERS}")
        work.measure(group, forced)
        progress.step(", ".join(group))
    work.clean()
    holes.settle()


class Joint(Unions):
    """The shared prompts of one method, and their scores."""

    def groups(self) -> list[Group]:
        """Every target of the study once, as configured or as found without test pictures, which is noted in a file."""
        given = self.study.multitask.joint
        if given != "auto":
            listed = [tuple(sorted(group)) for group in given]
            return listed + [(task,) for task in self.study.multitask.targets if not any(task in group for group in listed)]
        names = tuple(sorted(self.study.multitask.targets))
        path = self.study.paths.joint_groups(self.method)
        parts = {
            "prompts": digest([self._own_mark(name, seed) for name in names for seed in self.study.seeds]),
            "data": digest([self._data_mark(name, seed) for name in names for seed in self.study.seeds]),
            "backbone": self.model.fingerprint,
            "numerics": str(NUMERICS_VERSION),
        } | ({} if self.study.ensemble else {"zero_shot": self.study.sentences})
        if not (path.exists() and json_record.read(path, "the groups").get("fingerprint") == fingerprint(parts)):
            gains = self.gains(names)
            found = task_grouping.groups(names, gains)
            noted = np.round(np.nan_to_num(gains), 3).tolist()
            content = {"method": self.method, "tasks": names, "gains": noted, "groups": found}
            cells.write(path, content | {"fingerprint": fingerprint(parts), "parts": parts})
        return self.noted_groups()

    def noted_groups(self) -> list[Group]:
        """Those that were found; none as long as nothing was looked for."""
        path = self.study.paths.joint_groups(self.method)
        return [tuple(group) for group in json_record.read(path, "the groups")["groups"]] if path.exists() else []

    def gains(self, names: Sequence[str]) -> np.ndarray:
        """What each task's prompt gains on each other's validation pictures, (n, n), mean over the seeds of which it can be said; NaN if
        it cannot be said of any.
        """
        found = [[each(partial(self._gains_on, target, seed), names) for target in names] for seed in self.study.seeds]
        by_seed = np.array([[[np.nan if isinstance(one, Failed) else one for one in column] for column in own] for own in found])
        said = ~np.isnan(by_seed)
        with np.errstate(invalid="ignore"):
            return (np.where(said, by_seed, 0).sum(axis=0) / said.sum(axis=0)).T

    def _gains_on(self, target: str, seed: int, sources: Sequence[str]) -> list[float]:
        encoded = feature_file.load(self.study.paths.encoded(target))[0]
        prompts = [self.own(source, seed).prompts for source in sources]
        return task_grouping.validation_gains(self.model, self.tasks[target], encoded, self.draws[target, seed], prompts).tolist()

    def own(self, task: str, seed: int) -> LearnedPrompt:
        return LearnedPrompt.load(self.study.paths.prompt(self.method, seed, task))[0]

    def _own_mark(self, task: str, seed: int) -> str:
        try:
            return self.own(task, seed).fingerprint()
        except Failed:
            return "failed"

    def _data_mark(self, task: str, seed: int) -> list[str]:
        try:
            return self.learned_from(task, seed)
        except Failed:
            return [task, "failed"]

    def measure(self, group: Group, forced: set[Path]) -> None:
        """The scores of every target of a group, single and joint, from scratch and from the multitask source."""
        prompts: dict[tuple[str, str, str], dict[int, Path]] = {}
        for source in self.study.multitask.sources:
            startless = source != "scratch" and not self.study.multitask.tasks(*group)
            together = self._tuned(source, group) if len(group) > 1 and not startless else None
            for task in group:
                prompts[source, "single", task] = alone = self._tuned(source, (task,))
                if startless:
                    self._leave_out(source, task, group)
                else:
                    prompts[source, "joint", task] = together or alone
        for task in group:
            self._score(task, group, {key: paths for key, paths in prompts.items() if key[2] == task}, forced)

    def _leave_out(self, source: str, name: str, group: Group) -> None:
        """Say in place of the joint scores of a group why there are none."""
        for seed in self.study.seeds:
            place = self.study.paths.joint_score(self.method, source, "joint", seed, name)
            about = {"source": source, "adaptation": "joint", "group": "+".join(group), "seed": seed, "method": self.method}
            parts = self.left_out_parts(group)
            known = {
                "target": name,
                "metric": metric_of(self.tasks, name),
                "seconds": 0.0,
                "fingerprint": fingerprint(parts),
                "parts": parts,
            }
            cells.write(place, dict.fromkeys(score_record.KEYS) | about | known | {score_record.ABSENT: NO_OTHERS})

    @staticmethod
    def left_out_parts(group: Group) -> dict[str, str]:
        return {"group": "+".join(group), score_record.ABSENT: NO_OTHERS}

    def _tuned(self, source: str, group: Group) -> dict[int, Path]:
        """The prompts of a group by seed; those of single tasks from scratch are the source prompts of the study."""
        study = self.study
        if source == "scratch" and len(group) == 1:
            return {seed: study.paths.prompt(self.method, seed, group[0]) for seed in study.seeds}
        starts = None
        if source != "scratch":
            starts = {seed: alone(lambda path=path: LearnedPrompt.load(path)[0]) for seed, path in self._sources(group).items()}
        paths = {seed: study.paths.joint_prompt(self.method, source, seed, group) for seed in study.seeds}
        self.have(group, paths, study.settings(self.method), starts)
        return paths

    def _sources(self, group: Group) -> dict[int, Path]:
        """Multitask source prompts by seed; where the target is left out, so is its whole group."""
        study, method = self.study, self.method
        if len(group) == 1 or not study.multitask.leaves_one_out:
            return {seed: study.paths.multitask_source(method, seed, group[0]) for seed in study.seeds}
        paths = {seed: study.paths.joint_prompt(method, "without", seed, group) for seed in study.seeds}
        self.have(study.multitask.tasks(*group), paths, study.multitask.settings(method))
        if not study.multitask.options["average_seeds"]:
            return paths
        average = study.paths.joint_prompt(method, "without", AVERAGE, group)
        self.average(paths, average, set())
        return dict.fromkeys(paths, average)

    def _score(self, name: str, group: Group, prompts: dict[tuple[str, str, str], dict[int, Path]], forced: set[Path]) -> None:
        study = self.study
        wanted: dict[Path, tuple[dict[str, Any], dict[str, str], LearnedPrompt, list[str]]] = {}
        for place, about, path in self._places(name, group, prompts):
            try:
                self.learned_from(name, about["seed"])
                prompt, left = self._prompt_of(path, group if about["adaptation"] == "joint" else (name,))
                parts = self.score_parts(name, about, prompt)
            except Failed as why:
                self._no_score(place, why, name, about)
                continue
            self.used.add(study.paths.resume(fingerprint(parts), "json"))
            if place in forced or not (score_record.holds(place, parts) or score_record.resumed(study, place, parts)):
                wanted[place] = about, parts, prompt, left
        if not wanted:
            return
        started = time.perf_counter()
        results = each(partial(self._evaluated, name), [prompt for _, _, prompt, _ in wanted.values()])
        seconds = (time.perf_counter() - started) / len(wanted)
        for (place, (about, parts, prompt, left)), result in zip(wanted.items(), results, strict=True):
            if isinstance(result, Failed):
                self._no_score(place, result, name, about)
                continue
            content = {
                "method": self.method,
                "target": name,
                **about,
                "metric": self.tasks[name].task.metric,
                "score": float(result.score),
                "chance": float(result.chance),
                **dict.fromkeys(score_record.CHOICES),
                "epoch": prompt.best_epoch,
                "seconds": round(seconds + prompt.seconds, 6),
                "fingerprint": fingerprint(parts),
                "parts": parts,
            } | ({"left_out": left} if left else {})
            score_record.keep(study, place, content)

    def _prompt_of(self, path: Path, group: Group) -> tuple[LearnedPrompt, list[str]]:
        """The prompt of a group, and which of its tasks were left out."""
        try:
            prompt, about = LearnedPrompt.load(path)
            seen = json.loads(about.get("parts", "{}")).get("tasks")
            return prompt, [name for name in group if seen and name not in seen.split(";")]
        except Failed as why:
            raise Failed(f"its prompt failed: {why}") from None

    def _places(self, name: str, group: Group, prompts: dict[tuple[str, str, str], dict[int, Path]]) -> Iterator[tuple[Path, dict, Path]]:
        """For every score on a task: its file, what tells it from the others, and the file of its prompt."""
        for (source, adaptation, _), paths in prompts.items():
            used = group if adaptation == "joint" else (name,)
            for seed, path in paths.items():
                about = {"source": source, "adaptation": adaptation, "group": "+".join(used), "seed": seed}
                yield self.study.paths.joint_score(self.method, source, adaptation, seed, name), about, path

    def score_parts(self, name: str, about: dict[str, Any], prompt: LearnedPrompt) -> dict[str, str]:
        """Everything that determines the score of a prompt on a task, by name."""
        task = self.tasks[name]
        return {
            "backbone": self.model.fingerprint,
            "data_test": task.fingerprint("test"),
            "classes": classes(task),
            "metric": task.task.metric,
            "precision": PRECISION,
            "numerics": str(NUMERICS_VERSION),
            **about,
            "method": self.method,
            "seed": str(about["seed"]),
            "prompt": prompt.fingerprint(),
        }

    def _evaluated(self, name: str, prompts: Sequence[LearnedPrompt]) -> list[evaluate.Evaluation]:
        encoded = feature_file.load(self.study.paths.encoded(name))[0]
        return evaluate.evaluate(self.model, self.tasks[name], encoded, [prompt.prompts for prompt in prompts])

    def _no_score(self, place: Path, why: Failed, name: str, about: dict[str, Any]) -> None:
        score_record.fail(self.failures, place, why, self.method, target=name, metric=metric_of(self.tasks, name), **about)
