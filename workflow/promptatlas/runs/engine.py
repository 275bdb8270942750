"""The one engine: sees to it that the results of a job are there and hold, and computes only those that are missing or stale.

A job is a sequence of steps, each a list of artifacts and how a batch of them is computed. What an interrupted attempt left is taken
over; a result that cannot be computed is replaced by a file that says why, and the others are computed all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from promptatlas.base import files
from promptatlas.base.errors import Failed, UserError
from promptatlas.base.files import replace
from promptatlas.base.json_record import Newer
from promptatlas.base.progress import Say
from promptatlas.base.stage import Stage
from promptatlas.records.fingerprint import fingerprint
from promptatlas.records.kind import Kind
from promptatlas.runs import session
from promptatlas.runs.attempts import alone, each
from promptatlas.runs.context import Context
from promptatlas.runs.failures import FailedResults
from promptatlas.study.jobs import ComputeJob
from promptatlas.study.study import Study

Inputs = Mapping[str, Any]


@dataclass(frozen=True)
class Artifact:
    """A result of a job.

    what: how `status` calls results like it; inputs: everything that determines it, by name, which may raise Failed; key: what a batch
    needs to know of it; about: what a file says that holds no result; sources: other results that `inputs` reads.
    """

    what: str
    path: Path
    kind: Kind
    inputs: Callable[[], Inputs]
    key: Any = None
    about: Callable[[], Mapping[str, Any]] = dict
    sources: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Batch:
    """Artifacts that are computed together. compute: from their keys the content of each, or why there is none."""

    name: str
    artifacts: Sequence[Artifact]
    compute: Callable[[Sequence[Any]], Sequence[Any]]


@dataclass(frozen=True)
class Step:
    """Batches that need nothing of each other. resumes: whether what is finished is kept for the case of an interruption."""

    name: str
    unit: str
    batches: Sequence[Batch]
    resumes: bool = True


class Work(Protocol):
    """What a job does. A step may read what those before it made."""

    def steps(self) -> Iterator[Step]: ...


def work(job: ComputeJob, context: Context) -> Work:
    """What `job` does, from the module and class that it names."""
    module, _, name = job.work.partition(":")
    return getattr(import_module(module), name)(context, job)


def run(study: Study, job: ComputeJob, threads: int, say: Say) -> None:
    """Compute what is missing or stale of `job`, or was forced."""
    attempt, context = _Attempt(study, job, say), Context(study, threads, say)
    if job.runs_model:
        _ = context.model  # one that cannot be read ends the job: it is not for every result to say so
    for step in work(job, context).steps():
        attempt.take(step)
    attempt.end()


@dataclass(frozen=True, eq=False)
class _Due:
    """An artifact that is to be computed, from what, and where it is kept until the job has ended."""

    artifact: Artifact
    inputs: Inputs
    kept: Path
    forced: bool


class _Attempt:
    """One attempt at a job."""

    def __init__(self, study: Study, job: ComputeJob, say: Say) -> None:
        self.study, self.say = study, say
        self.forced = session.forced(study, job.name, job.outputs)
        self.failures = FailedResults(study, job, say)
        self.kept: list[Path] = []
        self.folders: set[Path] = set()

    def take(self, step: Step) -> None:
        found = [[self._looked_at(artifact) for artifact in batch.artifacts] for batch in step.batches]
        due = [[one for one in batch if one is not None] for batch in found]
        total = sum(map(len, due))
        self.say(f"{step.name}: {total} of {sum(map(len, found))} {step.unit}")
        stage = Stage(step.name, step.unit.partition(" ")[0], self.say, total)
        for batch, wanted in zip(step.batches, due, strict=True):
            if wanted:
                with stage.making(batch.name, len(wanted)):
                    left = [one for one in wanted if one.forced or not self._resumed(one)]
                    stage.taken_over(len(wanted) - len(left))
                    self._compute(batch, left, step.resumes)

    def end(self) -> None:
        """All else that the job was to make is sound, and nothing is kept for another attempt."""
        for path in self.kept:
            path.unlink(missing_ok=True)
        files.sweep(self.folders)
        self.failures.settle()

    def _looked_at(self, artifact: Artifact) -> _Due | None:
        """What there is to compute; nothing if the result holds or cannot be had."""
        try:
            inputs = alone(artifact.inputs)
        except Failed as why:
            self._fail(artifact, why)
            return None
        mark, forced = fingerprint(inputs), artifact.path in self.forced
        kept = self.study.paths.resume(mark, artifact.kind.suffix)
        self.kept.append(kept)
        self.folders |= {kept.parent, artifact.path.parent}
        return _Due(artifact, inputs, kept, forced) if forced or not artifact.kind.holds(artifact.path, mark) else None

    def _resumed(self, due: _Due) -> bool:
        """Take over what an interrupted attempt left; another job may take it away meanwhile."""
        artifact = due.artifact
        try:
            if not artifact.kind.is_left(due.kept, fingerprint(due.inputs)):
                return False
            content = artifact.kind.taken_over(due.kept, artifact.about())
        except Newer:
            raise
        except (UserError, FileNotFoundError):
            return False
        replace(artifact.path, content)
        return True

    def _compute(self, batch: Batch, due: Sequence[_Due], resumes: bool) -> None:
        if not due:
            return
        made = each(lambda some: batch.compute([one.artifact.key for one in some]), due)
        for one, content in made.sound.items():
            packed = one.artifact.kind.packed(content, one.inputs)
            if resumes:
                replace(one.kept, packed)
            replace(one.artifact.path, packed)
        for one, why in made.failed.items():
            self._fail(one.artifact, why)

    def _fail(self, artifact: Artifact, why: Failed) -> None:
        self.failures.note(artifact.path, why)
        replace(artifact.path, artifact.kind.failed(why, artifact.about()))


def artifacts(steps: Iterable[Step]) -> Iterator[Artifact]:
    """Those of all steps in order."""
    return (artifact for step in steps for batch in step.batches for artifact in batch.artifacts)
