"""How fast this device is at what a study has to do: one pass over the microbenchmarks, as far as the time allows, and a price for each
count of `study.costs` that is fitted to the seconds.

On a CPU these are the seconds of the process on one core, which other work on the machine changes less than those of the clock; on a
GPU they are those of the clock.
"""

from __future__ import annotations

import math
import resource
import statistics
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from scipy.optimize import nnls

from promptatlas.plan.made_up import Benchmark, Run
from promptatlas.study.costs import Work

BUDGET, OF_EACH = 20.0, 0.75  # seconds in all, and for each kind where there are many
IMAGES = "encode images"  # the kind of work that tells what an image takes at least
LARGE = ("images", "tokens", "products", "looks", "ranks", "logits", "pairs")  # units of which a study has most
QUICK = 0.15  # seconds; what takes less is run three times, the first to warm up
AT_MOST = 4  # kinds among which what is left of the budget is shared: most need far less than is feared
SURPRISE = 4  # what takes so many times longer than expected has loaded something, and is run again
# What a job is before it does anything: the imports of the light ones and of those that compute.
STARTS = {
    "job: starts": "import promptatlas.study.study, pandas",
    "job: starts with torch": "import promptatlas.runs.transfer, promptatlas.runs.tune",
}


class Point(NamedTuple):
    """What was done, and the seconds that it took, each time."""

    work: Work
    seconds: tuple[float, ...]


@dataclass(frozen=True)
class Speeds:
    """each: seconds for one of each count. spread: how far repeated measurements lay apart, as a factor. unmeasured: kinds for which
    there was no time, which have the prices of their like.
    """

    each: Mapping[str, float]
    spread: float
    unmeasured: tuple[str, ...]

    def seconds(self, work: Mapping[str, float]) -> float:
        return sum(self.price(name) * count for name, count in work.items() if count)

    def price(self, name: str) -> float:
        """One that could not be measured is the mean of the same unit in work of the same kind, else in any work."""
        if name in self.each:
            return self.each[name]
        kind, unit = name.split(" ")[0], _unit(name)
        alike = {other: price for other, price in self.each.items() if _unit(other) == unit}
        same = [price for other, price in alike.items() if other.split(" ")[0] == kind]
        return float(np.mean(same or [*alike.values()] or [0.0]))


def measure(kinds: Mapping[str, Sequence[Benchmark]], device: str, budget: float | None = None) -> Speeds:
    """Prices of all that the microbenchmarks count. Every kind is measured once before any is measured at a larger size; then comes
    what makes the time least that its kind has had, so that what takes little is measured whole and the rest is shared evenly.

    budget: seconds of the device's clock, so that a busy machine makes it longer and not worse; those above if it is not given.
    """
    clock = _clock(device)
    each = {name: _start(code, device) for name, code in STARTS.items()}
    deadline = clock() + (budget or max(BUDGET, OF_EACH * len(kinds))) - sum(each.values())
    points: dict[str, list[Point]] = {kind: [] for kind in kinds}
    had, ahead = dict.fromkeys(kinds, 0.0), {kind: deque(own) for kind, own in kinds.items() if own}
    while ahead:
        expected = {kind: _expected(points[kind], own[0][0], points.get(IMAGES, [])) for kind, own in ahead.items()}
        kind = min(ahead, key=lambda one: (bool(points[one]), had[one] + expected[one]))
        begun = clock()
        share = (deadline - begun) / (min(len(ahead), AT_MOST) if points[kind] else 1)
        work, ready = ahead[kind].popleft()
        if share > 0 and expected[kind] <= share:
            points[kind].append(Point(work, _timed(ready(), clock, expected[kind])))
            had[kind] += clock() - begun
        ahead = {one: own for one, own in ahead.items() if own}
    for own in points.values():
        each |= prices(own)
    apart = [max(one.seconds) / max(min(one.seconds), 1e-9) for own in points.values() for one in own if len(one.seconds) > 1]
    return Speeds(each, statistics.median(apart or [1.0]), tuple(kind for kind, own in points.items() if not own))


def prices(points: Sequence[Point]) -> dict[str, float]:
    """Seconds for one of each count, none below zero, so that the relative errors are least; the larger a point the more it counts, since
    a study is made of large ones. With fewer points than counts, those that grow most with a study get all.
    """
    counted = {name for point in points for name, count in point.work.items() if count}
    names = sorted(counted, key=lambda name: (_rank(name), name))[: len(points)]
    if not names:
        return {}
    seconds = np.array([min(point.seconds) for point in points]) + 1e-9  # of several the least: other work only ever adds
    weights = np.arange(1, len(points) + 1) / seconds
    counts = np.array([[point.work[name] for name in names] for point in points], dtype=float)
    unit = counts.max(0)
    found, _ = nnls(counts / unit * weights[:, None], seconds * weights)
    return dict.fromkeys(counted, 0.0) | dict(zip(names, found / unit, strict=True))


def _unit(name: str) -> str:
    return name.partition(": ")[2]


def _rank(name: str) -> int:
    """How much a study has of it, the most first."""
    return (*LARGE, _unit(name)).index(_unit(name))


def _expected(points: Sequence[Point], work: Work, encoding: Sequence[Point]) -> float:
    """About how long it takes. The last point says too much, as small work is mostly getting started: as much longer as there is more
    of what weighs most in a study. Prices of few points may say too little. So what lies between; the first of its kind takes no less
    than its images need without prompts.
    """
    if not points:
        images = sum(count for name, count in work.items() if _unit(name) == "images")
        return images * prices(encoding).get("encode: images", 0.0)
    last, seconds = points[-1].work, min(points[-1].seconds)
    most = min((name for name, count in work.items() if count and last[name]), key=_rank, default=None)
    longer = seconds * (work[most] / last[most] if most else 1.0)
    return math.sqrt(longer * sum(price * work[name] for name, price in prices(points).items()))


def _timed(run: Run, clock: Callable[[], float], expected: float) -> tuple[float, ...]:
    def once() -> float:
        started = clock()
        run()
        return clock() - started

    first = once()
    if QUICK < first < SURPRISE * expected:
        return (first,)
    again = once()
    return (again,) if again > QUICK else (again, once())


def _clock(device: str) -> Callable[[], float]:
    if device != "cuda":
        return time.process_time

    def synchronised() -> float:
        torch.cuda.synchronize()
        return time.perf_counter()

    return synchronised


def _start(code: str, device: str) -> float:
    """CPU seconds of a process that only gets ready; on a GPU those of the clock, and what it takes to begin with it."""
    if device == "cuda" and "transfer" in code:
        code += "; import torch; torch.zeros(1, device='cuda')"
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if device == "cuda":
        return time.perf_counter() - started
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
