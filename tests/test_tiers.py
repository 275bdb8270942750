"""A test is in the tier of what it starts, whether somebody thought of the marker or not. Files of tests know nothing of each other."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import starts
from tiers import TIERS, tier

SHELL = ("/bin/sh", "-c")
COMMANDS = {
    "study": [[sys.executable, "-m", "snakemake"], ["snakemake", "-n"], [*SHELL, "cd x; snakemake --cores 2"], [starts.BIN / "snakemake"]],
    "cluster": [["sbatch", "job.sh"], [sys.executable, "toy_queue.py", "x"], ["/usr/sbin/slurmd"], [*SHELL, "true && srun x"]],
    "browser": [["/usr/bin/chromium", "--headless"], ["google-chrome"], [b"chromium-browser"]],
    "imports": [[sys.executable, "-c", "pass"], ["python3", "x.py"], [str(starts.REAL.with_name("promptatlas")), "plan"]],
    None: [["git", "init"], ["make", "test", "--dry-run"], "ls", [*SHELL, "make study --dry-run"]],
}  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS, ids=str)
def test_a_command_belongs_to_a_tier(name):
    assert [tier(command) for command in COMMANDS[name]] == [name] * len(COMMANDS[name])


@pytest.mark.skipif(not starts.FORKED, reason="everything is started for real here")
def test_forks_are_started_in_any_test_and_what_they_leave_to_the_real_interpreter_is_not():
    assert tier([starts.PYTHON, "program.py"]) is tier([str(starts.BIN / "promptatlas"), "plan"]) is None
    assert tier([starts.PYTHON, "-c", "pass"]) == "imports" and tier([starts.PYTHON, "-m", "snakemake"]) == "study"


@pytest.mark.parametrize("name", [name for name in COMMANDS if name])
def test_a_test_without_a_marker_starts_none_of_it(name):
    """Stopped before the start: that the program is there is not asked for."""
    for command in COMMANDS[name]:
        with pytest.raises(pytest.fail.Exception, match=f"mark it with pytest.mark.{name}"):
            subprocess.run(command)


@pytest.mark.imports
def test_a_test_with_a_marker_may():
    assert subprocess.run([sys.executable, "-c", "pass"]).returncode == 0


def test_every_tier_is_left_out_by_make_test_fast(pytestconfig):
    makefile = (pytestconfig.rootpath / "Makefile").read_text()
    assert f'-m "not ({" or ".join(TIERS)})"' in makefile
    registered = [line.partition(":")[0] for line in pytestconfig.getini("markers")]
    assert {*TIERS} <= {*registered} and "slow" not in registered


def test_no_file_of_tests_imports_another():
    """What two of them need is a module of its own, beside them or in tests/helpers."""
    for path in Path(__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.split(".")[-1].startswith("test_")], path
