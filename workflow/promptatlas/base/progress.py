"""What a job tells: lines to the terminal and to its log, progress with the time that is left, errors in one sentence."""

import platform
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from promptatlas.base import plugins
from promptatlas.base.errors import INTERRUPTED, NOTHING_LOST, UserError, of_the_disk

Say = Callable[[str], None]
RAN_ON = "ran on "


@contextmanager
def reporting(log: str | Path) -> Iterator[Say]:
    """Gives the function that says a line; any error inside is told and ends the process with status 1, an interruption with 130."""
    file = _Log(Path(log))
    say = _sayer(file)
    try:
        yield say
        if device := _device():
            print(f"{RAN_ON}{platform.node()}: {device}", file=file)
    except UserError as error:
        say(f"promptatlas: {error}")
        sys.exit(1)
    except KeyboardInterrupt:
        print(NOTHING_LOST, file=file)  # on screen the run says it, once for all jobs
        sys.exit(INTERRUPTED)
    except Exception as error:
        file.write(traceback.format_exc())
        outside = plugins.blamed(error)
        told = of_the_disk(error) or outside or f"{type(error).__name__}: {error} (an error of the program; the details are in {log})"
        say(f"promptatlas: {told}")
        sys.exit(1)


class _Log:
    """The log of a job. A disk that takes no line does not end the job here: its results have the same fate, and tell of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._put("w", "")

    def write(self, text: str) -> None:
        self._put("a", text)

    def flush(self) -> None:
        """Every line is written at once."""

    def _put(self, mode: str, text: str) -> None:
        with suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open(mode, encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)


def _device() -> str:
    """What this process computed with; nothing if it had no use for torch."""
    torch = sys.modules.get("torch")
    if torch is None:
        return ""
    return torch.cuda.get_device_name() if torch.cuda.is_initialized() else _processor()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # only Linux has it
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _sayer(file: _Log) -> Say:
    def say(line: str) -> None:
        for stream in (sys.stderr, file):
            print(line, file=stream, flush=True)

    return say


class Progress:
    """Counts the steps of a job and says how many are done and how long the others will take."""

    def __init__(self, label: str, total: int, unit: str, say: Say):
        self.label, self.total, self.unit, self.say = label, total, unit, say
        self.done = 0
        self.started = time.monotonic()

    def step(self, note: str = "", count: int = 1) -> None:
        self.done += count
        left = (time.monotonic() - self.started) / self.done * (self.total - self.done)
        minutes, seconds = divmod(round(left), 60)
        self.say(f"{self.label:<22} {self.done:>3}/{self.total} {self.unit}  eta {minutes:02}:{seconds:02}  {note}".rstrip())


class Meter:
    """Says now and then how many of many small things are done and how long the others will take."""

    SECONDS = 10

    def __init__(self, label: str, unit: str, say: Say):
        self.label, self.unit, self.say = label, unit, say
        self.first: tuple[float, int] | None = None
        self.last = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        self.first = self.first or (now, done)
        if now - self.last < self.SECONDS and done < total:
            return
        self.last = now
        speed = (done - self.first[1]) / max(now - self.first[0], 1e-9)
        minutes, seconds = divmod(round((total - done) / speed) if speed else 0, 60)
        self.say(f"{self.label:<22} {done:>6}/{total} {self.unit}  {speed:,.0f} a second  eta {minutes:02}:{seconds:02}")
