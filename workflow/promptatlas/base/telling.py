"""Where lines go: to the terminal and to the log of a job. Progress is drawn on a terminal in one line, again and again, and is a line now
and then elsewhere.

Where several jobs of a study run at once they would draw over each other, so each says lines then.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from typing import Any, Protocol, TextIO

from promptatlas.base.running import EVERY, HowFar, RunningFile

Say = Callable[[str], None]
CLEAR = "\r\x1b[2K"
COMPANY = 5.0  # seconds between two looks whether other jobs run


class Writes(Protocol):
    """What a line can be printed to."""

    def write(self, text: str, /) -> Any: ...

    def flush(self) -> None: ...


class Teller:
    """Says lines on the screen and in a log; what is called as a function is a `Say`.

    say: what to say lines with instead; file: what tells others that this job runs.
    """

    def __init__(
        self, log: Writes | None = None, screen: TextIO | None = None, file: RunningFile | None = None, say: Say | None = None
    ) -> None:
        self.log, self.screen, self.file, self.say = log, screen, file, say
        self.drawn = False
        self.filed_at = self.looked_at = -float("inf")
        self.alone = True

    @classmethod
    def of(cls, say: Say) -> Teller:
        """The one that `say` is, or one that says its lines with it."""
        return say if isinstance(say, Teller) else cls(say=say)

    def __call__(self, line: str) -> None:
        self.wipe()
        if self.say is not None:
            self.say(line)
            return
        for stream in (self.screen, self.log):
            if stream is not None:
                print(line, file=stream, flush=True)

    def progress(self, how_far: HowFar, due: bool) -> None:
        """How far a stage is now. due: whether it is time for a line where nothing can be drawn again."""
        now = time.monotonic()
        if self.file is not None and (due or now - self.filed_at >= EVERY):
            self.filed_at = now
            self.file.tell(how_far)
        if not self._draws(now):
            if due:
                self(str(how_far))
        elif how_far.done < how_far.total:
            self._draw(str(how_far))
            if due and self.log is not None:
                print(how_far, file=self.log, flush=True)
        else:
            self(str(how_far))

    def wipe(self) -> None:
        """Take the line away that was drawn last."""
        if self.drawn and self.screen is not None:
            self.screen.write(CLEAR)
            self.screen.flush()
        self.drawn = False

    def _draws(self, now: float) -> bool:
        if self.screen is None or not self.screen.isatty():
            return False
        if self.file is not None and now - self.looked_at >= COMPANY:
            self.looked_at, self.alone = now, not self.file.has_company()
        return self.alone

    def _draw(self, line: str) -> None:
        assert self.screen is not None, "only what has a screen draws"
        room = shutil.get_terminal_size().columns - 1
        self.screen.write(CLEAR + (line if len(line) <= room else line[: room - 1] + "…"))
        self.screen.flush()
        self.drawn = True


def on_screen() -> Teller:
    """What says lines of a command on the terminal alone."""
    return Teller(screen=sys.stderr)
