"""A job is a process of its own: what it imports without using it, every job of a study pays for."""

import subprocess
import sys

import pytest

SLOW = {"torch", "torch._dynamo", "scipy.stats", "sklearn", "matplotlib", "pandas", "open_clip"}
ALLOWED = {
    "jobs.prepare": set(),
    "jobs.fetch": set(),
    "collect": {"pandas"},
    "page": {"pandas"},
    "statistics": {"pandas"},
    "jobs.probe": {"sklearn", "scipy.stats", "pandas"},
    "jobs.tune": {"torch"},
    "jobs.transfer": {"torch"},
    "jobs.share": {"torch"},
}


@pytest.mark.parametrize("module", ALLOWED)
def test_a_job_imports_only_what_it_works_with(module):
    code = f"import sys, promptatlas.{module}; print(*{SLOW!r} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=True)
    assert set(done.stdout.split()) <= ALLOWED[module]


def test_choosing_the_device_does_not_import_torchs_compiler():
    code = "import sys; from promptatlas import devices; devices.chosen('cpu', 1); sys.exit('torch._dynamo' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
