"""Results of a benchmark as lines of JSON, written as they come, and sections that end in time. Knows nothing of what is measured."""

from __future__ import annotations

import json
import signal
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any


class TooLate(BaseException):
    """A section's time is over. No Exception: nothing between here and there may take it for a failed result."""


class Ledger:
    """What was found so far, in memory and in a file that is whole after every row."""

    def __init__(self, path: Path | None) -> None:
        self.rows: list[dict[str, Any]] = []
        self.path, self.section = path, ""
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("")

    def row(self, name: str, **values: Any) -> None:
        record = {"section": self.section, "name": name} | {key: _short(value) for key, value in values.items()}
        self.rows.append(record)
        line = json.dumps(record)
        if self.path is not None:
            with self.path.open("a") as file:
                file.write(line + "\n")
        print(line, flush=True)

    def attempt(self, name: str, measure: Callable[[], dict[str, Any]]) -> None:
        """A row with what `measure` gives, or with the error that it ends in; the section goes on."""
        started = time.perf_counter()
        try:
            values = measure()
        except Exception as error:
            values = {"error": _told(error), "where": traceback.format_exc().splitlines()[-12:]}
        self.row(name, **values, took=time.perf_counter() - started)

    def run(self, section: str, work: Callable[[], None], seconds: float) -> None:
        """`work` until it ends or its time is over; what it has written stays."""
        self.section, started = section, time.perf_counter()
        if seconds <= 0:
            self.row("section", ended="not begun: no time was left", took=0.0)
            return
        signal.signal(signal.SIGALRM, _late)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            work()
            ended: dict[str, Any] = {"ended": "whole"}
        except TooLate:
            ended = {"ended": f"after {seconds:.0f} s"}
        except Exception as error:
            ended = {"ended": "in an error", "error": _told(error), "where": traceback.format_exc().splitlines()[-12:]}
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        self.row("section", **ended, took=time.perf_counter() - started)

    def found(self, section: str, name: str) -> dict[str, Any] | None:
        """The last row of that name without an error."""
        rows = [one for one in self.rows if (one["section"], one["name"]) == (section, name) and "error" not in one]
        return rows[-1] if rows else None


def _late(_number: int, _frame: FrameType | None) -> None:
    raise TooLate


def _told(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:400]


def _short(value: Any) -> Any:
    return float(f"{value:.5g}") if isinstance(value, float) else value
