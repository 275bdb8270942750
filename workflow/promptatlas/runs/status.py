"""Which results of a study are done, stale, failed or missing, and why. Reads results, changes nothing and computes nothing.

Goes the way of the jobs, with their own fingerprints. Knows nothing of how it is shown, nor of Snakemake.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set as AbstractSet
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch

from promptatlas import backbone
from promptatlas.backbone import Backbone
from promptatlas.base.errors import Failed, UserError
from promptatlas.base.json_record import Newer
from promptatlas.records import cells
from promptatlas.records.cells import Cell, changed, fingerprint
from promptatlas.records.prompt_file import LearnedPrompt
from promptatlas.runs import adapt, changes, damage, failures, learner_file, multitask, probe, score_record, share
from promptatlas.runs.attempts import alone
from promptatlas.runs.coming_task import SAME_LABELS, Changed, ComingTask
from promptatlas.runs.joint import Group, Joint
from promptatlas.runs.known import Described
from promptatlas.runs.prepare import OnDemand, draw_content, encoding_marks, read_draw
from promptatlas.runs.transfer import Transfer, prompt_file
from promptatlas.runs.tune import order
from promptatlas.study.jobs import AdaptJob, JointJob, MultitaskJob, ProbeJob, ShareJob, TransferJob, TuneJob
from promptatlas.study.study import Study
from promptatlas.tasks import halves
from promptatlas.tasks.prepared import PreparedTask

DONE, STALE, FAILED, MISSING = "done", "stale", "failed", "missing"
TOLD = "promptatlas: "
DAMAGED = "damaged file"
Parts = Mapping[str, str]


@dataclass(frozen=True)
class State:
    """How one result stands. why: the parts of a stale fingerprint that differ, or the reason of a failure; open: whether a
    stale one may turn out to hold when what it is made from is made again.
    """

    what: str
    path: Path
    kind: str
    why: tuple[str, ...] = ()
    cell: Cell | None = None
    open: bool = False


@dataclass(frozen=True)
class Ended:
    """A job that stopped with an error, and the last lines of its log."""

    job: str
    log: Path
    lines: tuple[str, ...]

    @property
    def reason(self) -> str:
        return self.lines[-1].removeprefix(TOLD)


def states(study: Study, method: str | None = None) -> Iterator[State]:
    """Every result of the study, or only of one method, in the order in which they are computed."""
    yield from _Survey(study, method).states()


def of_tables(study: Study, found: Iterable[State]) -> Iterator[State]:
    """Tables, figures and pages, which are made of all results `found`: made again if one of these is; the damaged are among them."""
    known = {state.path: state.kind for state in found}
    anew = not {STALE, MISSING}.isdisjoint(known.values())
    for path in (*study.tables, *study.conclusions):
        if path not in known:
            why = ("inputs stale",) if anew and path.exists() else ()
            yield State("tables and report", path, STALE if why else DONE if path.exists() else MISSING, why)


def ended(study: Study, last: int = 5) -> list[Ended]:
    """The jobs whose last attempt stopped with an error."""
    jobs = {job.name: job for job in study.jobs.every}
    kinds = {name.partition("_")[0] for name in jobs}
    found = []
    for log in sorted(study.paths.log("*").parent.glob("*.log")):
        name = log.stem
        if name in jobs:
            if all(path.exists() for path in jobs[name].outputs):
                continue
        elif name.partition("_")[0] in kinds:
            continue  # of jobs that are cut otherwise now
        lines = tuple(line for line in log.read_text(errors="replace").splitlines() if line.strip())[-last:]
        if lines and lines[-1].startswith(TOLD):
            found.append(Ended(name, log, lines))
    return found


class _Survey:
    """What all results are compared with, read once."""

    def __init__(self, study: Study, method: str | None) -> None:
        torch.set_num_threads(1)  # there is nothing to compute
        # One job per method, however the study cuts them: what cells share is read once.
        self.study = Study(study.config | {"jobs": dict.fromkeys(study.config["jobs"], "all")})
        self.method = method
        self.failed = {
            path: one.reason
            for one in ended(study)
            for job in study.jobs.every
            if job.name == one.job
            for path in job.outputs
            if not path.exists()
        } | {one.path: one.reason for one in failures.listed(study)}
        self.changes, self.backbone = changes.of_tasks(self.study), changes.of_backbone(self.study)
        self.tasks = OnDemand(self._task)
        self.stale: set[Path] = set()
        self.damaged = dict.fromkeys(damage.found(self.study))

    def _task(self, name: str) -> PreparedTask:
        """A task as it would be prepared now; Changed if that cannot be known before its images or labels are read."""
        about = self.changes.get(halves.whole_of(name), changes.Change())
        unread = tuple(part for part in about.parts if part not in changes.DESCRIBED)
        task: Any = (ComingTask if unread else PreparedTask).open(self.study.paths.task_folder(name))
        if not SAME_LABELS.issuperset(unread):
            raise Changed(*unread)
        if unread:
            task.unread = unread
        if about.parts:
            now = self.study.data.entry(halves.whole_of(name)).task
            task.task = replace(task.task, **{part: getattr(now, part) for part in changes.DESCRIBED})
        return task

    def _described(self, name: str) -> Described:
        return Described(self.tasks[name], OnDemand(lambda seed: read_draw(self.study.paths.draw(name, seed))))

    @cached_property
    def model(self) -> Backbone:
        if self.backbone.parts:
            raise Changed(*self.backbone.parts)
        return backbone.load(self.study.paths.backbone_folder)

    def states(self) -> Iterator[State]:
        seen: set[Path] = set()
        for state in self._by_job():
            seen.add(state.path)
            yield state
        if self.method is None:
            yield from (State("other files", path, STALE, (DAMAGED,)) for path in self.damaged if path not in seen)

    def _by_job(self) -> Iterator[State]:
        ways: dict[type, Callable[[Any], Iterable[State]]] = {
            TuneJob: self._prompts, ShareJob: self._shared, MultitaskJob: self._multitask, ProbeJob: self._probes,
            AdaptJob: self._adapted, TransferJob: self._cells, JointJob: self._joint,
        }  # fmt: skip
        if self.method is None:
            yield from (*self._backbone(), *self._prepared(), *self._draws(), *self._encoded())
        for job in (job for kind in ways for job in self.study.jobs.every if isinstance(job, kind)):
            if self.method in (None, getattr(job, "method", None)):
                yield from ways[type(job)](job)

    def state(
        self,
        what: str,
        path: Path,
        stored: Callable[[Path], Parts],
        current: Callable[..., Parts],
        cell: Cell | None = None,
        of: Path | None = None,
    ) -> State:
        """stored: the parts of the fingerprint in the file; current: what they would be now; of: a result that `current` reads."""
        found = self._state(what, path, stored, current, cell)
        if found.kind == DONE and of in self.stale:
            found = replace(found, kind=STALE, why=("inputs stale",), open=True)
        if found.kind == STALE:
            self.stale.add(path)
        return found

    def _state(self, what: str, path: Path, stored: Callable[[Path], Parts], current: Callable[[], Parts], cell: Cell | None) -> State:
        if path in self.damaged:
            return State(what, path, STALE, (DAMAGED,), cell)
        if path in self.failed:
            return State(what, path, FAILED, (self.failed[path],), cell)
        if not path.exists():
            return State(what, path, MISSING, (), cell)
        try:
            old = stored(path)
        except Failed as failed:
            return State(what, path, FAILED, (str(failed),), cell)
        except Newer:
            return State(what, path, STALE, ("written by a newer promptatlas: update it",), cell)
        except UserError:
            return State(what, path, STALE, (DAMAGED,), cell)
        try:
            why = tuple(changed(old, current()))
        except Failed:
            why = ("inputs failed",)
        except Changed as known:
            return State(what, path, STALE, known.parts, cell, open=True)
        except UserError:
            why = ("inputs missing",)
        return State(what, path, STALE if why else DONE, why, cell)

    def _backbone(self) -> Iterator[State]:
        """The frozen model, if it is to be made again."""
        if self.backbone.told and self.study.paths.backbone_record.exists():
            yield State("backbone", self.study.paths.backbone_record, STALE, tuple(self.backbone.told))

    def _prepared(self) -> Iterator[State]:
        for job in self.study.jobs.prepare:
            (path,) = self.study.paths.task_records([job.task])
            told = self.changes[job.task].told if job.task in self.changes else []
            told += ["damaged arrays"] if self.damaged.keys() & {*self.study.paths.prepared_files(job.task)} - {path} else []
            yield self.state("prepared tasks", path, _in_task, lambda told=told: dict.fromkeys(told, ""))

    def _draws(self) -> Iterator[State]:
        for name in self.study.learners:
            for seed in self.study.seeds:
                yield self.state("draws", self.study.paths.draw(name, seed), _in_draw, lambda name=name, seed=seed: self._draw(name, seed))

    def _draw(self, name: str, seed: int) -> Parts:
        return json.loads(draw_content(self.study, self.tasks[name], seed))

    def _need_draws(self, name: str, seeds: Sequence[int]) -> None:
        """Changed if the draws of other shots or seeds are still to come."""
        about = self.changes.get(halves.whole_of(name), changes.Change())
        if about.parts and not all(self.study.paths.draw(name, seed).exists() for seed in seeds):
            raise Changed(*about.parts)

    def _encoded(self) -> Iterator[State]:
        for name in self.study.tasks:
            yield self.state("encoded tasks", self.study.paths.encoded(name), learner_file.metadata, lambda name=name: self._marks(name))

    def _marks(self, name: str) -> Parts:
        task = copy(self.tasks[name])
        task.task = self.study.hand_written(task.task)
        return encoding_marks(self.model.fingerprint, task)

    def _prompts(self, job: TuneJob) -> Iterator[State]:
        def ordered(task: str, seed: int) -> Parts:
            self._need_draws(task, [seed])
            return order(self.study, job.method, self.model, self.tasks[task], seed).parts

        for task in job.tasks:
            for seed in job.seeds:
                path = self.study.paths.prompt(job.method, seed, task)
                yield self.state(f"prompts {job.method}", path, _in_prompt, partial(ordered, task, seed))

    def _shared(self, job: ShareJob) -> Iterator[State]:
        study, method = self.study, job.method

        def learned_from(seed: int) -> dict[str, Described]:
            return share.apart({name: alone(partial(self._described, name)) for name in study.tasks}, seed)[0]

        for seed in job.seeds:
            path = study.paths.shared(method, seed)
            yield self.state(
                f"shared {method}", path, _in_metadata,
                lambda seed=seed: share.learner_parts(study, method, self.model, learned_from(seed), seed),
            )  # fmt: skip
            for place in [study.paths.prompt(method, seed, task) for task in job.prompted]:
                yield self.state(
                    f"prompts {method}", place, _in_prompt,
                    lambda path=path, name=place.stem: share.given_parts(*learner_file.prompt(path, name), name), of=path,
                )  # fmt: skip
            for name in study.tasks:
                yield self.state(
                    f"scores {method}", study.paths.score(method, seed, name), _in_score,
                    lambda path=path, name=name: share.score_parts(
                        learner_file.metadata(path).get("fingerprint", ""), name, self.model, self._described(name)
                    ), of=path,
                )  # fmt: skip

    def _multitask(self, job: MultitaskJob) -> Iterator[State]:
        what = f"multitask {job.method}"
        try:
            looking = _Looking(self, job.method, what)
        except UserError:
            yield from self._unreadable(what, job)
            return
        list(multitask.go(looking, job, set()))
        yield from looking.found

    def _probes(self, job: ProbeJob) -> Iterator[State]:
        for name in job.tasks:
            yield self.state("linear probes", self.study.paths.probe(name), _in_probe, lambda name=name: self._probe_mark(name))

    def _probe_mark(self, name: str) -> Parts:
        self._need_draws(name, self.study.seeds)
        draws = {seed: read_draw(self.study.paths.draw(name, seed)) for seed in self.study.seeds}
        settings = self.study.settings("linear_probe")
        return {"inputs": fingerprint(probe.parts(self._marks(name), self.tasks[name], draws, settings))}

    def _adapted(self, job: AdaptJob) -> Iterator[State]:
        def adapted(name: str, seed: int) -> Parts:
            self._need_draws(name, [seed])
            return adapt.score_parts(self.study, job.method, self.model, self._described(name), seed)[0]

        for name in job.tasks:
            for seed in self.study.seeds:
                path = self.study.paths.score(job.method, seed, name)
                of = adapt.weights_file(self.study, self.study.settings(job.method), seed, name)
                yield self.state(f"scores {job.method}", path, _in_score, partial(adapted, name, seed), of=of)

    def _cells(self, job: TransferJob) -> Iterator[State]:
        def transfer() -> Transfer:
            if not known:
                known.append(Transfer(self.study, job, self.model))
                known[0].tasks = self.tasks
            return known[0]

        known: list[Transfer] = []
        for cell in job.cells():
            yield self.state(
                f"{job.protocol} cells {job.method}", self.study.paths.cell(cell), _in_cell,
                lambda cell=cell: transfer().parts(cell), cell, of=prompt_file(self.study, cell),
            )  # fmt: skip

    def _joint(self, job: JointJob) -> Iterator[State]:
        try:
            looking = _Looking(self, job.method, f"joint prompts {job.method}")
        except UserError:
            yield from self._unreadable(f"joint scores {job.method}", job)
            return
        groups = looking.noted_groups() if self.study.multitask.joint == "auto" else looking.groups()
        for group in groups:
            looking.measure(group, set())
        yield from looking.found
        if not groups:
            yield from self._unreadable(f"joint scores {job.method}", job)

    def _unreadable(self, what: str, job: MultitaskJob | JointJob) -> Iterator[State]:
        """Of results whose fingerprints cannot be known yet, those that are there are stale."""
        for path in job.outputs:
            yield self.state(what, path, lambda _: {}, lambda: {"inputs": ""})


class _Looking(Joint):
    """Goes the way of the jobs that learn prompts of several tasks, but only notes how their results stand."""

    def __init__(self, survey: _Survey, method: str, what: str) -> None:
        super().__init__(survey.study, method, survey.model)
        self.survey, self.what = survey, what
        self.found: list[State] = []
        self.tasks = survey.tasks

    def have(
        self,
        names: Sequence[str],
        paths: Mapping[int, Path],
        settings: dict[str, Any],
        starts: Mapping[int, LearnedPrompt | Failed] | None = None,
        forced: AbstractSet[Path] = frozenset(),
    ) -> int:
        for seed, path in paths.items():
            start = None if starts is None else starts[seed]
            parts = lambda seed=seed, start=start: self.parts(names, seed, settings, start)  # noqa: E731
            self.found.append(self.survey.state(self.what, path, _in_prompt, parts))
        return 0

    def average(self, paths: Mapping[int, Path], path: Path, forced: AbstractSet[Path]) -> None:
        parts = lambda: multitask.average_parts([LearnedPrompt.load(one)[0] for one in paths.values()])  # noqa: E731
        self.found.append(self.survey.state(self.what, path, _in_prompt, parts))

    def _leave_out(self, source: str, name: str, group: Group) -> None:
        for seed in self.study.seeds:
            place = self.study.paths.joint_score(self.method, source, "joint", seed, name)
            self.found.append(self.survey.state(f"joint scores {self.method}", place, _in_score, lambda: self.left_out_parts(group)))

    def _score(self, name: str, group: Group, prompts: Any, forced: AbstractSet[Path]) -> None:
        for place, about, path in self._places(name, group, prompts):
            parts = lambda about=about, path=path: self.score_parts(name, about, LearnedPrompt.load(path)[0])  # noqa: E731
            self.found.append(self.survey.state(f"joint scores {self.method}", place, _in_score, parts, of=path))


def _in_task(path: Path) -> Parts:
    """Only what differs has a part."""
    PreparedTask.open(path.parent)
    return {}


def _in_draw(path: Path) -> Parts:
    read_draw(path)
    return json.loads(path.read_bytes())


def _in_prompt(path: Path) -> Parts:
    return json.loads(LearnedPrompt.load(path)[1].get("parts", "{}"))


def _in_probe(path: Path) -> Parts:
    """Probes do not tell the parts of their fingerprint."""
    return {"inputs": score_record.read_probes(path)["fingerprint"]}


def _in_metadata(path: Path) -> Parts:
    return json.loads(learner_file.metadata(path).get("parts", "{}"))


def _in_score(path: Path) -> Parts:
    return score_record.read(path)["parts"]


def _in_cell(path: Path) -> Parts:
    return cells.read(path)["parts"]
