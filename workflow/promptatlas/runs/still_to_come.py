"""How long the rest of a study will take, from what its finished prompts and cells took. Reads, computes nothing.

NOT in it: preparing and encoding, probes, tries, tables and pages, the start of jobs, and waiting in a queue.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from promptatlas.base import running, time_left
from promptatlas.base.errors import UserError
from promptatlas.base.messages import some
from promptatlas.base.running import RunningJob
from promptatlas.records import cells
from promptatlas.records.prompt_file import outline
from promptatlas.runs.one_precision import Present
from promptatlas.study.jobs import TransferJob, TuneJob
from promptatlas.study.study import Study

ENOUGH = 30  # files of a kind that are read
FEW = 3


@dataclass(frozen=True)
class StillToCome:
    """The rest of a study. seconds: of the work whose speed is known; unknown: kinds of work of which nothing is finished yet; at_once:
    jobs that run now, 1 if there is none."""

    seconds: float
    unknown: tuple[str, ...]
    at_once: int

    def __str__(self) -> str:
        told = [f"{time_left.span(self.seconds / self.at_once)} of prompts and cells left"] if self.seconds else []
        if told and self.at_once > 1:
            told[0] += f" while {self.at_once} jobs run at once"
        names = some(self.unknown, FEW)
        if self.unknown:
            told.append(f"without {names}, of which nothing is done yet" if told else f"no speed is known yet of {names}")
        return ", ".join(told)


def still_to_come(study: Study, present: Present | None = None) -> StillToCome:
    """What the prompts and cells will take that are not there in the study's precision. present: what is, if it was looked at before."""
    seconds, unknown = 0.0, []
    for what, done, missing in _kinds(study, present or Present(study)):
        if missing:
            took = _seconds(done)
            seconds += 0.0 if took is None else took * missing
            unknown += [what] if took is None else []
    return StillToCome(seconds, tuple(unknown), max(1, sum(1 for _ in jobs(study))))


def jobs(study: Study) -> Iterator[RunningJob]:
    """The jobs of a study that run now."""
    return running.jobs(study.paths.log("any").parent)


def _kinds(study: Study, there: Present) -> Iterator[tuple[str, list[Path], int]]:
    """Results that take about equally long: how they are called, those that are there, and how many are not."""
    every: dict[str, list[Path]] = {}
    for job in study.jobs.compute:
        if isinstance(job, TuneJob):
            every.setdefault(f"prompts {job.method}", []).extend(job.outputs)
        elif isinstance(job, TransferJob):
            for cell in job.cells():
                tuned = " that are tuned" if study.tunes(cell) else ""
                every.setdefault(f"{cell.protocol} cells {cell.method}{tuned}", []).append(study.paths.cell(cell))
    for what, paths in every.items():
        done = [path for path in paths if there(path)]
        yield what, done, len(paths) - len(done)


def _seconds(done: list[Path]) -> float | None:
    """What one of some results took in the mean; None if none says so."""
    chosen = random.Random(0).sample(done, min(ENOUGH, len(done)))  # the same ones each time, of all tasks
    took = list(_took(chosen))
    return sum(took) / len(took) if took else None


def _took(paths: Iterable[Path]) -> Iterator[float]:
    for path in paths:
        try:
            told = cells.read(path) if path.suffix == ".json" else outline(path).metadata
            if not told.get("failed"):
                yield float(told["seconds"])
        except (UserError, OSError, KeyError, TypeError, ValueError):
            continue  # failed, or it was just taken away
