"""Which results of a study are done, stale, failed or missing, and why. Reads results, changes nothing and computes nothing.

Looks at the artifacts of all jobs, with their own inputs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from promptatlas import backbone
from promptatlas.backbone import Backbone
from promptatlas.base.errors import Failed, UserError
from promptatlas.base.json_record import Newer
from promptatlas.records.cells import Cell
from promptatlas.runs import changes, damage, engine, failures
from promptatlas.runs.coming_task import SAME_LABELS, Changed, ComingTask
from promptatlas.runs.context import Context
from promptatlas.runs.encode import feature_inputs
from promptatlas.runs.engine import Artifact
from promptatlas.study.jobs import ComputeJob, PrepareJob
from promptatlas.study.study import Study
from promptatlas.tasks import base_new
from promptatlas.tasks.draws import Draw
from promptatlas.tasks.prepared import PreparedTask

DONE, STALE, FAILED, MISSING = "done", "stale", "failed", "missing"
TOLD = "promptatlas: "
DAMAGED = "damaged file"


@dataclass(frozen=True)
class State:
    """How one result stands. why: the inputs of a stale fingerprint that differ, or the reason of a failure; open: whether a
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
    """Tables, figures and pages, which are made of all results `found`: made again if one of these is, or if the
    configuration or a plugin says something else now; the damaged are among them."""
    known = {state.path: state.kind for state in found}
    anew = ("inputs stale",) if not {STALE, MISSING}.isdisjoint(known.values()) else tuple(changes.of_configuration(study))
    for path in (*study.tables, *study.conclusions):
        if path not in known:
            why = anew if path.exists() else ()
            yield State("tables and report", path, STALE if why else DONE if path.exists() else MISSING, why)
    yield from (State("tables and report", one.path, FAILED, (one.reason,)) for one in failures.listed(study) if one.path in study.measures)


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
        # One job per method, however the study cuts them: what results share is read once.
        whole = {key: "all" for key in study.config["jobs"] if key.endswith("_per_job")}
        self.study = Study(study.config | {"jobs": whole})
        self.method = method
        self.failed = {
            path: one.reason
            for one in ended(study)
            for job in study.jobs.every
            if job.name == one.job
            for path in job.outputs
            if not path.exists()
        } | {one.path: one.reason for one in failures.listed(study)}
        self.now = _Now(self.study)
        self.stale: set[Path] = set()
        self.damaged = dict.fromkeys(damage.found(self.study))

    def states(self) -> Iterator[State]:
        seen: set[Path] = set()
        for state in self._by_job():
            seen.add(state.path)
            yield state
        if self.method is None:
            yield from (State("other files", path, STALE, (DAMAGED,)) for path in self.damaged if path not in seen)

    def _by_job(self) -> Iterator[State]:
        if self.method is None:
            if self.now.backbone.told and self.study.paths.backbone_record.exists():
                yield State("backbone", self.study.paths.backbone_record, STALE, tuple(self.now.backbone.told))
            yield from map(self._prepared, self.study.jobs.prepare)
        for job in self.study.jobs.compute:
            if self.method in (None, getattr(job, "method", None)):
                yield from self._artifacts(job)

    def _artifacts(self, job: ComputeJob) -> Iterator[State]:
        """How the artifacts of a job stand, and those outputs of which nothing can be said as long as others are missing."""
        seen: set[Path] = set()
        for artifact in self._listed(job):
            seen.add(artifact.path)
            yield self.state(artifact)
        for path in job.outputs:
            if path not in seen:
                found = self._looked_up(job.name, path)
                yield found or State(job.name, path, *((STALE, ("inputs",)) if path.exists() else (MISSING,)))

    def _listed(self, job: ComputeJob) -> Iterator[Artifact]:
        """The artifacts of a job, as far as what it reads to list them is there and whole."""
        try:
            yield from engine.artifacts(engine.work(job, self.now).steps())
        except UserError:
            return

    def _prepared(self, job: PrepareJob) -> State:
        (path,) = job.outputs
        if found := self._looked_up("prepared tasks", path):
            return found
        told = self.now.changes[job.task].told if job.task in self.now.changes else []
        told += ["damaged arrays"] if self.damaged.keys() & {*job.files} - {path} else []
        try:
            PreparedTask.open(path.parent)
        except UserError as error:
            return _unread("prepared tasks", path, error)
        return State("prepared tasks", path, STALE if told else DONE, tuple(sorted(told)))

    def state(self, artifact: Artifact) -> State:
        """How an artifact stands. One that was made from a stale one may turn out to hold."""
        cell = artifact.key if isinstance(artifact.key, Cell) else None
        found = self._state(artifact)
        if found.kind == DONE and not self.stale.isdisjoint(artifact.sources):
            found = replace(found, kind=STALE, why=("inputs stale",), open=True)
        if found.kind == STALE:
            self.stale.add(found.path)
        return replace(found, cell=cell)

    def _looked_up(self, what: str, path: Path) -> State | None:
        """What is known of a file before it is read."""
        if path in self.damaged:
            return State(what, path, STALE, (DAMAGED,))
        if path in self.failed:
            return State(what, path, FAILED, (self.failed[path],))
        return None if path.exists() else State(what, path, MISSING)

    def _state(self, artifact: Artifact) -> State:
        what, path = artifact.what, artifact.path
        if found := self._looked_up(what, path):
            return found
        try:
            artifact.kind.fingerprint(path)
        except UserError as error:
            return _unread(what, path, error)
        try:
            why = tuple(artifact.kind.changed(path, artifact.inputs()))
        except Failed:
            why = ("inputs failed",)
        except Changed as known:
            return State(what, path, STALE, known.inputs, open=True)
        except UserError:
            why = ("inputs missing",)
        return State(what, path, STALE if why else DONE, why)


def _unread(what: str, path: Path, error: UserError) -> State:
    """How a result stands whose file says no inputs."""
    if isinstance(error, Failed):
        return State(what, path, FAILED, (str(error),))
    newer = isinstance(error, Newer)
    return State(what, path, STALE, ("written by a newer promptatlas: update it" if newer else DAMAGED,))


class _Now(Context):
    """What jobs would find if they ran now, as far as it can be known before images and labels are read; Changed for the rest."""

    def __init__(self, study: Study) -> None:
        super().__init__(study)
        self.changes, self.backbone = changes.of_tasks(study), changes.of_backbone(study)

    def _task(self, name: str) -> PreparedTask:
        about = self.changes.get(base_new.whole_of(name), changes.Change())
        unread = tuple(part for part in about.inputs if part not in changes.DESCRIBED)
        task: Any = (ComingTask if unread else PreparedTask).open(self.study.paths.task_folder(name))
        if not SAME_LABELS.issuperset(unread):
            raise Changed(*unread)
        if unread:
            task.unread = unread
        if about.inputs:
            now = self.study.data.entry(base_new.whole_of(name)).task
            task.task = replace(task.task, **{part: getattr(now, part) for part in changes.DESCRIBED})
        return task

    def _draw(self, name: str, seed: int) -> Draw:
        """Changed if the draw is still to come."""
        about = self.changes.get(base_new.whole_of(name), changes.Change())
        if about.inputs and not self.study.paths.draw(name, seed).exists():
            raise Changed(*about.inputs)
        return super()._draw(name, seed)

    @cached_property
    def model(self) -> Backbone:
        if self.backbone.inputs:
            raise Changed(*self.backbone.inputs)
        return backbone.load(self.study.paths.backbone_folder, precision=self.study.config["precision"])

    def feature_inputs(self, name: str) -> dict[str, str]:
        return feature_inputs(self, name)
