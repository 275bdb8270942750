"""Freed memory stays with the process where glibc is, unless the user said otherwise."""

import subprocess
import sys

import pytest

from promptatlas.base import freed_memory

# Faults of pages of an array of 40 MiB that is made and freed ten times, touched by numpy.
TOUCHED = """
import resource, sys
import numpy as np
from promptatlas.base import freed_memory
kept = sys.argv[1] == "keep" and freed_memory.keep()
np.ones(5 * 2**20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    np.ones(5 * 2**20)
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.imports
@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other C libraries")
def test_an_array_that_is_made_again_needs_no_new_pages():
    def run(what: str) -> tuple[str, int]:
        told = subprocess.run([sys.executable, "-c", TOUCHED, what], capture_output=True, text=True, check=True)
        kept, faults = told.stdout.split()
        return kept, int(faults)

    kept, few = run("keep")
    if kept == "False":
        pytest.skip("no glibc")
    assert few < 100 < run("leave")[1]


@pytest.mark.parametrize("name", ["MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_MAX_", "GLIBC_TUNABLES"])
def test_what_the_user_chose_stays(monkeypatch, name):
    monkeypatch.setenv(name, "1")
    assert freed_memory.keep() is False


def test_other_systems_are_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert freed_memory.keep() is False
