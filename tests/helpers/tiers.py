"""What a test starts decides on its tier. A test without the marker of a tier starts none of it: it is stopped before the start.

`slow` is for what only computes, but for long: the marker allows no start, and a file that has slow tests has quick ones too.
The markers are registered in pyproject.toml; `make test-fast` leaves all of them out.
"""

import os
import re
import sys
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import pytest

import starts

TIERS = ("study", "cluster", "browser", "imports")
SLOW = "slow"
QUEUES = {"sbatch", "srun", "slurmctld", "slurmd", "munged", "toy_queue.py"}


def tier(command: str | bytes | Sequence[str | bytes | os.PathLike]) -> str | None:
    """The tier to which a test belongs that starts this command; None if it may do so in any test."""
    words = [command] if isinstance(command, str | bytes | os.PathLike) else command
    words = [os.fsdecode(word) for word in words]
    if str(starts.SERVER) in words:
        return None
    program = os.path.basename(words[0])
    typed = {os.path.basename(word) for text in words for word in re.split(r"[\s;&|]+", text)} if program in ("sh", "bash") else set()
    called = {program, *typed, *(os.path.basename(word) for word in words[1:3])}
    if called & QUEUES:
        return "cluster"
    if program.startswith(("chrom", "google-chrome")) or (program == "node" and "playwright" in words[0]):
        return "browser"
    if "snakemake" in called:
        return "study"
    real = os.path.dirname(words[0]) != str(starts.BIN) or "-c" in words[1:2]
    return "imports" if real and (program.startswith("python") or program == "promptatlas") else None


def mostly_slow(values: Iterable, quick: Collection) -> list[Any]:
    """For parametrize: a test is slow for all values but these few."""
    return [value if value in quick else pytest.param(value, marks=pytest.mark.slow) for value in values]


class Guard:
    """Knows which test is at work, its fixtures included, and stops what that may not start."""

    def __init__(self) -> None:
        self.item: pytest.Item | None = None
        sys.addaudithook(self.hear)

    def hear(self, event: str, given: tuple) -> None:
        if event != "subprocess.Popen" or self.item is None:
            return
        needed = tier(given[1])
        if needed is not None and not any(self.item.get_closest_marker(name) for name in TIERS):
            words = given[1] if isinstance(given[1], str) else " ".join(map(os.fsdecode, given[1]))
            pytest.fail(f"{self.item.nodeid} starts `{words[:200]}`: mark it with pytest.mark.{needed}", pytrace=False)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item):
        self.item = item
        try:
            return (yield)
        finally:
            self.item = None
