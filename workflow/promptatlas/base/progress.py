"""What a job tells, from its begin to its end: lines to the terminal and to its log, that it runs, and errors in one sentence."""

import platform
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from promptatlas.base import plugins
from promptatlas.base.errors import INTERRUPTED, NOTHING_LOST, UserError, of_the_disk
from promptatlas.base.running import RunningFile
from promptatlas.base.telling import Say as Say, Teller

RAN_ON = "ran on "


@contextmanager
def reporting(log: str | Path) -> Iterator[Say]:
    """Gives the function that says a line; any error inside is told and ends the process with status 1, an interruption with 130."""
    file, running = _Log(Path(log)), RunningFile(Path(log))
    say = Teller(file, sys.stderr, running)
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
    finally:
        say.wipe()
        running.end()


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
