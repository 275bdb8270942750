"""What runs now and how far it is: beside the log of each job a small file, whole at any time, which is locked as long as its job lives.

Of a killed job the file stays and is no longer locked, by which it is known to be stale. Knows nothing of what jobs do.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import BinaryIO

from promptatlas.base import files, time_left
from promptatlas.base.messages import counted

SUFFIX = ".running"
EVERY = 2.0  # seconds between two looks at the disk
SILENT = 600.0  # seconds after which it is said how old the news are


@dataclass(frozen=True)
class HowFar:
    """How far a stage of a job is.

    done of total: results, in `unit`; share: the part of the work that is done, 0..1, what is begun included; speed: results a second, and
    seconds_left, None as long as nothing can be said of them; inside: the task at which it is, and where in it.
    """

    stage: str
    unit: str
    done: int
    total: int
    share: float
    speed: float | None = None
    seconds_left: float | None = None
    inside: str = ""

    def __str__(self) -> str:
        one = self.total == 1 and self.unit.endswith("s")
        told = [f"{self.stage}: {self.done:,} of {counted(1, self.unit[:-1]) if one else f'{self.total:,} {self.unit}'}"]
        if self.done < self.total:
            told[0] += f" ({int(100 * self.share)} %)"
        if self.speed is not None:
            told.append(time_left.rate(self.speed))
        if self.seconds_left is not None and self.done < self.total:
            told.append(time_left.left(self.seconds_left))
        return ", ".join(told) + (f"; {self.inside}" if self.inside else "")


@dataclass(frozen=True)
class RunningJob:
    """A job that runs: its name, when it began and when it last said something, in seconds since 1970; how_far: None for one that does
    not count what it does."""

    job: str
    began: float
    said: float
    how_far: HowFar | None = None

    def __str__(self) -> str:
        now = time.time()
        told = f"runs for {time_left.span(now - self.began)}" if self.how_far is None else str(self.how_far)
        if self.how_far and self.job.startswith(self.how_far.stage.replace(" ", "_")):
            told = told.removeprefix(f"{self.how_far.stage}: ")  # the job is called so
        old = now - self.said
        return f"{self.job}: {told}" + (f" (said {time_left.span(old)} ago)" if self.how_far and old > SILENT else "")


class RunningFile:
    """The file of the job of this process. A disk that takes none stops nobody."""

    def __init__(self, log: Path) -> None:
        self.path = log.with_suffix(SUFFIX)
        self.began = time.time()
        self.held: BinaryIO | None = None
        self.tell()

    def tell(self, how_far: HowFar | None = None) -> None:
        own = RunningJob(self.path.stem, self.began, time.time(), how_far)
        with suppress(OSError):
            before, self.held = self.held, files.held(self.path, json.dumps(asdict(own)).encode())
            if before is not None:
                before.close()

    def has_company(self) -> bool:
        """Whether another job of the study runs now."""
        return any(files.is_held(path) for path in self.path.parent.glob(f"*{SUFFIX}") if path != self.path)

    def end(self) -> None:
        with suppress(OSError):
            self.path.unlink(missing_ok=True)
        if self.held is not None:
            self.held.close()


def jobs(folder: Path) -> Iterator[RunningJob]:
    """The jobs that run now, by the files beside their logs in `folder`, in the order of their names."""
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        if files.is_held(path):
            with suppress(OSError, ValueError, TypeError, KeyError):  # it has just ended, or another version runs
                yield _read(json.loads(path.read_bytes()))


def forget_killed(folder: Path) -> None:
    """Remove what killed jobs left in `folder`."""
    for path in folder.glob(f"*{SUFFIX}"):
        if not files.is_held(path):
            with suppress(OSError):
                path.unlink(missing_ok=True)


def _read(record: dict) -> RunningJob:
    known = {one.name for one in fields(HowFar)}
    far = record["how_far"]
    how_far = None if far is None else HowFar(**{name: value for name, value in far.items() if name in known})
    return RunningJob(str(record["job"]), float(record["began"]), float(record["said"]), how_far)
