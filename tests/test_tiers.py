"""A test is in the tier of what it starts, whether somebody thought of the marker or not; what only takes long is never a whole file.

Files of tests know nothing of each other.
"""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import starts
from tiers import SLOW, TIERS, mostly_slow, tier

SHELL = ("/bin/sh", "-c")
COMMANDS = {
    "study": [[sys.executable, "-m", "snakemake"], ["snakemake", "-n"], [*SHELL, "cd x; snakemake --cores 2"], [starts.BIN / "snakemake"]],
    "cluster": [["sbatch", "job.sh"], [sys.executable, "toy_queue.py", "x"], ["/usr/sbin/slurmd"], [*SHELL, "true && srun x"]],
    "browser": [["/usr/bin/chromium", "--headless"], ["google-chrome"], [b"chromium-browser"], ["playwright/driver/node", "cli.js"]],
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
    assert f'-m "not ({" or ".join([*TIERS, SLOW])})"' in makefile
    assert {*TIERS, SLOW} <= {line.partition(":")[0] for line in pytestconfig.getini("markers")}


@pytest.mark.slow
def test_a_slow_test_starts_nothing_either():
    """It does not belong to `make test-fast` for what it computes, which is no leave to start anything."""
    with pytest.raises(pytest.fail.Exception, match=r"mark it with pytest\.mark\.imports"):
        subprocess.run([sys.executable, "-c", "pass"])


def slow_ones(tree: ast.Module) -> tuple[list[str], list[str]]:
    """Names of a file's tests, and of those that are slow as a whole; a marker on everything in the file makes all of them slow."""
    tests = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    slow = [one.name for one in tests if any(ast.unparse(mark) == f"pytest.mark.{SLOW}" for mark in one.decorator_list)]
    whole = any(isinstance(node, ast.Assign) and SLOW in ast.unparse(node.value) for node in tree.body if "pytestmark" in ast.unparse(node))
    names = [one.name for one in tests]
    return names, names if whole else slow


def test_what_takes_long_is_never_a_whole_file():
    """`make test-fast` would no longer see a line of what it is about."""
    for path in Path(__file__).parent.rglob("test_*.py"):
        if SLOW in (text := path.read_text()):
            tests, slow = slow_ones(ast.parse(text))
            assert len(slow) < len(tests), path


def test_a_file_that_is_slow_as_a_whole_is_found():
    one = "@pytest.mark.slow\ndef test_a(): pass\n"
    assert slow_ones(ast.parse(one)) == (["test_a"], ["test_a"])
    assert slow_ones(ast.parse(one + "def test_b(): pass")) == (["test_a", "test_b"], ["test_a"])
    assert slow_ones(ast.parse("pytestmark = [pytest.mark.slow]\ndef test_b(): pass")) == (["test_b"], ["test_b"])


def test_of_many_values_those_that_are_not_named_are_slow():
    quick, other = mostly_slow(["a", "b"], ["a"])
    assert quick == "a" and other.values == ("b",) and [mark.name for mark in other.marks] == [SLOW]


def test_no_file_of_tests_imports_another():
    """What two of them need is a module of its own, beside them or in tests/helpers."""
    own = re.compile(r"^\s*(from|import)\b.*\btest_", re.M)
    assert not [path for path in Path(__file__).parent.rglob("*.py") if own.search(path.read_text())]
    assert own.search("import this\n    from beside.test_page import study") and not own.search("from tests import study")


def test_every_file_of_tests_has_a_name_of_its_own():
    """Of two with one name, in whatever folders, pytest imports the first and fails at the second."""
    names = [path.name for path in Path(__file__).parent.rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))
