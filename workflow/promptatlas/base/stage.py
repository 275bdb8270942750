"""How far a stage of many results is, also inside of one: how many are done, how fast, and how long the others will take.

What runs in a loop far below, such as epochs or images, tells the stage that is going on by `through` and `passing`, as if into a log: none
of it knows the stage, and without one nothing is told. No number depends on it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from promptatlas.base.running import HowFar
from promptatlas.base.telling import Say, Teller

T = TypeVar("T")
R = TypeVar("R")

SOON = 0.2  # seconds between two looks at the screen
SURE = 2.0  # seconds before anything is said of speed
LINE_SECONDS, LINE_SHARE = 30.0, 0.1  # a line of a log comes when so much time has passed, or so much more is done

_now: ContextVar[Stage | None] = ContextVar("stage", default=None)


class Stage:
    """One stage: `label`, and results of which `total` are to be made, in `unit`. clock: seconds, from any beginning."""

    def __init__(self, label: str, unit: str, say: Say, total: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self.label, self.unit, self.total, self.clock = label, unit, total, clock
        self.teller = Teller.of(say)
        self.began = self.line_at = clock()
        self.shown_at = -float("inf")
        self.done = self.found = 0
        self.batch, self.weight, self.inner, self.line_share = "", 0, 0.0, 0.0
        self._loops: list[_Loop] = []

    def __call__(self, done: int, total: int) -> None:
        """So many of so many are done; those of the first call were found, and say nothing of the speed."""
        if not self.total:
            self.found = done
        self.done, self.total = done, total
        self._tell()

    @contextmanager
    def making(self, name: str, count: int) -> Iterator[None]:
        """`count` results that are made together, called `name`. Inside loops tell how far these are."""
        self.batch, self.weight, self.inner, self._loops = name, count, 0.0, []
        before = _now.set(self)
        try:
            self._tell()
            yield
        finally:
            _now.reset(before)
        self.done += self.weight
        self.weight, self.inner = 0, 0.0
        self._tell()

    def taken_over(self, count: int) -> None:
        """`count` of the results that are being made were there, and say nothing of the speed."""
        self.done += count
        self.found += count
        self.weight -= count

    def enter(self, what: str, count: int) -> _Loop:
        """A loop of `count` turns, each a like part of what a turn of the loop around it is."""
        low, width = self._loops[-1].turn if self._loops else (0.0, 1.0)
        loop = _Loop(what, count, low, width)
        self._loops.append(loop)
        return loop

    def reach(self, loop: _Loop, done: int) -> None:
        """So many turns of a loop are done; never back, as where half of the results are made after the other half."""
        loop.done = done
        self.inner = max(self.inner, loop.turn[0])
        self._tell()

    def leave(self, loop: _Loop) -> None:
        if loop in self._loops:
            del self._loops[self._loops.index(loop) :]

    def how_far(self) -> HowFar:
        reached = self.done + self.weight * self.inner
        took, gained = self.clock() - self.began, reached - self.found
        speed = gained / took if took >= SURE and gained > 0 else None
        left = None if speed is None else (self.total - reached) / speed
        inside = ", ".join(f"{loop.what} {min(loop.done + 1, loop.count):,} of {loop.count:,}" for loop in self._loops)
        where = f"{self.batch}: {inside}" if inside and self.batch else self.batch or inside
        share = reached / self.total if self.total else 0.0
        return HowFar(self.label, self.unit, self.done, self.total, share, speed, left, where if self.done < self.total else "")

    def _tell(self) -> None:
        now, ended = self.clock(), self.done >= self.total
        if now - self.shown_at < SOON and not ended:
            return
        self.shown_at = now
        how_far = self.how_far()
        due = ended or now - self.line_at >= LINE_SECONDS or how_far.share - self.line_share >= LINE_SHARE
        if due:
            self.line_at, self.line_share = now, how_far.share
        self.teller.progress(how_far, due)


class _Loop:
    """A loop that a stage is told of: what is counted, and the part of the results being made that it is, from `low` on, `width` of 1."""

    def __init__(self, what: str, count: int, low: float, width: float) -> None:
        self.what, self.count, self.low, self.width, self.done = what, count, low, width, 0

    @property
    def turn(self) -> tuple[float, float]:
        """Where the turn that is next begins, and its width."""
        width = self.width / max(1, self.count)
        return self.low + self.done * width, width


def through(items: Sequence[T], what: str) -> Iterator[T]:
    """The items of a loop, while the stage that is going on is told which it is at. what: one of them in a word."""
    stage = _now.get()
    if stage is None:
        yield from items
        return
    loop = stage.enter(what, len(items))
    try:
        for number, item in enumerate(items):
            stage.reach(loop, number)
            yield item
        stage.reach(loop, len(items))
    finally:
        stage.leave(loop)


@contextmanager
def passing(run: Callable[[slice], R], count: int, what: str) -> Iterator[Callable[[slice], R]]:
    """`run`, which takes slices of `count` things one after the other, while the stage that is going on is told which it is at."""
    stage = _now.get()
    if stage is None:
        yield run
        return
    loop = stage.enter(what, count)

    def told(part: slice) -> R:
        stage.reach(loop, part.start)
        made = run(part)
        stage.reach(loop, min(part.stop, count))
        return made

    try:
        yield told
    finally:
        stage.leave(loop)
