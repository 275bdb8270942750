"""A job is a process of its own: what it imports without using it, every job of a study pays for.

One interpreter imports several jobs, those that need less first: what a job would have imported alone is there after it, so
nothing that is not allowed can hide.
"""

import itertools
import json
import subprocess
import sys
from functools import cache

import pytest

SLOW = {"torch", "torch._dynamo", "scipy.stats", "sklearn", "matplotlib", "pandas", "open_clip"}
ALLOWED = {
    "runs.engine": set(),
    "runs.draw": set(),
    "runs.prepare": set(),
    "runs.fetch": set(),
    "runs.tables": {"pandas"},
    "report.page": {"pandas"},
    "analysis.statistics": {"pandas"},
    "runs.probe": {"sklearn", "scipy.stats", "pandas"},
    "runs.tune": {"torch"},
    "runs.transfer": {"torch"},
    "runs.share": {"torch"},
}
TABLES = ("runs.engine", "runs.draw", "runs.prepare", "runs.fetch", "runs.tables", "report.page", "analysis.statistics", "runs.probe")
TENSORS = ("runs.tune", "runs.transfer", "runs.share")
CHOICE = "from promptatlas.runs import devices; devices.chosen('cpu', 1)"


@cache
def imported(modules: tuple[str, ...], then: str = "") -> list[list[str]]:
    """The slow modules that are there after the import of each of the modules, and after `then`."""
    steps = [*(f"import promptatlas.{module}" for module in modules), then]
    loop = f"for step in {steps!r}:\n    exec(step); found.append(sorted({SLOW!r} & {{*sys.modules}}))"
    code = f"import sys, json; found = []\n{loop}\nprint(json.dumps(found))"
    return json.loads(subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=True).stdout)


def test_all_jobs_are_imported_after_those_that_need_less():
    assert {*TABLES, *TENSORS} == {*ALLOWED}
    for modules in (TABLES, TENSORS):
        assert all(ALLOWED[one] <= ALLOWED[other] for one, other in itertools.pairwise(modules))


@pytest.mark.parametrize("module", ALLOWED)
@pytest.mark.imports
def test_a_job_imports_only_what_it_works_with(module):
    modules, then = (TABLES, "") if module in TABLES else (TENSORS, CHOICE)
    assert set(imported(modules, then)[modules.index(module)]) <= ALLOWED[module]


@pytest.mark.imports
def test_choosing_the_device_does_not_import_torchs_compiler():
    assert "torch._dynamo" not in imported(TENSORS, CHOICE)[-1]
