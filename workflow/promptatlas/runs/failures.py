"""What could not be computed: during a run a failed result stands in its place as a whole file that says why, so that its
neighbours stay and the study goes on to its tables, where it is missing. At the end of the run, or of one that was killed at the
start of the next, it is withdrawn, so that it is missed and tried again; a note in `failed/` goes on to say why.

Knows nothing of what was computed, nor of torch.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from safetensors import SafetensorError, safe_open

from promptatlas.base.errors import FAILED, Failed, cause
from promptatlas.base.progress import Say
from promptatlas.records import cells
from promptatlas.study.study import Study

FEW = 3


@dataclass(frozen=True)
class Failure:
    """The file of a failed result, the job that tried last, why it failed, and where in the program if that is to blame."""

    path: Path
    job: str
    reason: str
    details: str


class Makes(Protocol):
    """What is known of a job here."""

    @property
    def name(self) -> str: ...

    @property
    def outputs(self) -> Sequence[Path]: ...


class FailedResults:
    """The results of one job that could not be computed this time."""

    def __init__(self, study: Study, job: Makes, say: Say) -> None:
        self.study, self.job, self.say = study, job, say
        self.whole = {*job.outputs}
        self.left_out = 0

    def note(self, path: Path, failed: Failed) -> None:
        """To be called before the failed result is written: who is killed between the two tries again either way."""
        name = str(path.relative_to(self.study.folder))
        if cause(str(failed)) == str(failed):
            self.say(f"failed: {name}: {failed}")
        else:
            self.left_out += 1  # the job that it comes from has said why
        if path in self.whole:
            self.whole.remove(path)
            record = {"result": name, "job": self.job.name, "reason": str(failed), "details": failed.details}
            cells.write(self.study.paths.failure(path), record)

    def settle(self) -> None:
        """To be called at the end: all other results of the job are sound, whatever was noted of them before."""
        if self.left_out:
            self.say(f"left out: {self.left_out} results that are made of what failed before")
        if self.study.paths.failures.exists():
            for path in self.whole:
                self.study.paths.failure(path).unlink(missing_ok=True)


def listed(study: Study) -> list[Failure]:
    """The failed results of the study as it is configured now, in this run or, if nothing tried them since, an earlier one."""
    found = []
    for file in sorted(study.paths.failures.rglob("*.json")):
        try:
            record = json.loads(file.read_bytes())
            found.append(Failure(study.folder / record["result"], *(str(record[key]) for key in ("job", "reason", "details"))))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            continue  # a job that runs meanwhile takes notes away
    if not found:
        return []
    wanted = {path for job in study.jobs.every for path in job.outputs}.union(study.measures)
    return [one for one in found if one.path in wanted and (not one.path.exists() or is_failed(one.path))]


def incomplete(study: Study) -> list[Path]:
    """Tables in which something failed that is tried again when they are made again."""
    return study.paths.table("similarity") if {one.path for one in listed(study)}.intersection(study.measures) else []


def withdraw(failed: Iterable[Failure]) -> None:
    for one in failed:
        one.path.unlink(missing_ok=True)


def is_failed(path: Path) -> bool:
    """Whether the file says why there is no result; a damaged file says nothing."""
    try:
        if path.suffix == ".json":
            return bool(FAILED in json.loads(path.read_bytes()))
        with safe_open(path, framework="np") as file:
            return FAILED in (file.metadata() or {})
    except (OSError, SafetensorError, ValueError, TypeError):
        return False


def lines(study: Study, failed: Iterable[Failure]) -> list[str]:
    """One line per cause, with the first results that it kept from being computed; those first that others are made of."""
    by_cause: dict[str, list[str]] = {}
    for one in sorted(failed, key=lambda one: len(one.reason) - len(cause(one.reason))):
        by_cause.setdefault(cause(one.reason), []).append(str(one.path.relative_to(study.folder)))
    return [f"  {why}\n    {', '.join(names[:FEW])}{_more(names)}" for why, names in by_cause.items()]


def _more(names: list[str]) -> str:
    return f" and {len(names) - FEW} more" if len(names) > FEW else ""
