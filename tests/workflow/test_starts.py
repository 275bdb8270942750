"""A program that the tests start as a fork of their server behaves as one that is started for real, and leaves nothing behind.

That a whole study comes out the same either way is shown in test_interruptions.py.
"""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

import starts
from starts import ENVIRONMENT, PYTHON

pytestmark = [pytest.mark.imports, pytest.mark.skipif(not starts.FORKED, reason="everything is started for real here")]

PATIENCE = 300  # seconds: what takes moments may take long where much else is at work; less than what sleeps here sleeps
# All that a program can see of how it was started.
STATE = """
import json, os, signal, sys, threading, warnings
import torch
os.umask(umask := os.umask(0))
main = sys.modules["__main__"]
print("to stderr", file=sys.stderr)
print(json.dumps({
    "executable": sys.executable, "argv": sys.argv, "path": sys.path, "folder": os.getcwd(), "environment": dict(os.environ),
    "umask": umask, "stdin": sys.stdin.read(),
    "name": __name__, "file": __file__, "spec": getattr(__spec__, "name", None), "package": __package__,
    "loader": type(__loader__).__name__,
    "globals": sorted(set(globals())), "main": main.__dict__ is globals(), "original": sys.orig_argv[1:], "prefix": sys.prefix,
    "flags": list(sys.flags),
    "streams": [[s.encoding, s.errors, s.line_buffering, s.write_through, s.newlines, s.isatty(), s.fileno(), s.name]
                for s in (sys.stdin, sys.stdout, sys.stderr)],
    "standard": [sys.__stdin__ is sys.stdin, sys.__stdout__ is sys.stdout, sys.__stderr__ is sys.stderr],
    "signals": [str(signal.getsignal(n)) for n in signal.valid_signals()], "blocked": [*signal.pthread_sigmask(signal.SIG_BLOCK, [])],
    "threads": [t.name for t in threading.enumerate()], "open": len(os.listdir("/proc/self/fd")), "torch threads": torch.get_num_threads(),
    "capability": torch.backends.cpu.get_cpu_capability(), "default": str(torch.get_default_dtype()),
    "limit": sys.getrecursionlimit(), "of promptatlas": [name for name in sys.modules if name.startswith("promptatlas")],
    "custom": os.environ.get("CUSTOM"), "leader": os.getpid() == os.getpgid(0) or os.getpgid(0) == os.getpgid(os.getppid()),
}))
"""


@pytest.fixture
def script(tmp_path):
    """Gives the function that writes a program into a file."""

    def write(code: str, name: str = "program.py") -> str:
        (tmp_path / name).write_text(textwrap.dedent(code))
        return str(tmp_path / name)

    return write


def run(*arguments: str, python: str = PYTHON, **more) -> subprocess.CompletedProcess:
    return subprocess.run([python, *arguments], text=True, capture_output=True, timeout=PATIENCE, **({"env": ENVIRONMENT} | more))


def begun(*arguments: str) -> subprocess.Popen:
    """A program that has said its first line."""
    process = subprocess.Popen([PYTHON, *arguments], env=ENVIRONMENT, text=True, stdout=subprocess.PIPE, preexec_fn=starts.heed)
    process.first = process.stdout.readline()
    return process


def gone(process: int) -> bool:
    """Whether it ends. What nobody waits for is a zombie, which is as good."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("how", ["script", "module", "path", "ignored"])
def test_a_program_sees_what_it_would_see_of_a_real_start(script, tmp_path, how):
    path = script(STATE)
    (tmp_path / "sitecustomize.py").write_text("import os; os.environ['CUSTOM'] = 'yes'")
    environment = ENVIRONMENT | {"PYTHONPATH": f"{tmp_path}::/nowhere", "NAME": "it's ü"} if how == "path" else ENVIRONMENT
    arguments = ["-m", "program"] if how == "module" else [path]
    seen, started = [], []

    def before():
        os.umask(0o27)
        for number in (signal.SIGINT, signal.SIGHUP):  # as of what runs in the background, or under nohup
            signal.signal(number, signal.SIG_IGN if how == "ignored" else signal.SIG_DFL)

    for python in (sys.executable, PYTHON):
        done = run(*arguments, "a b", "--flag", python=python, cwd=tmp_path, env=environment, input="given\n", preexec_fn=before)
        assert done.returncode == 0 and done.stderr == "to stderr\n", done.stderr
        seen.append(json.loads(done.stdout))
        started.append(seen[-1].pop("executable"))
    real, forked = seen
    assert started == [sys.executable, PYTHON]
    assert {name: (real[name], forked[name]) for name in real if real[name] != forked[name]} == {}
    assert real["custom"] == ("yes" if how == "path" else None) and real["stdin"] == "given\n" and real["umask"] == 0o27


def test_the_numbers_of_one_program_are_not_those_of_the_next(script):
    path = script(
        "import random, tempfile, torch, uuid, numpy as np; "
        "print(random.random(), np.random.rand(), torch.rand(1).item(), uuid.uuid4(), tempfile.gettempdir())"
    )
    first, second = (run(path, env=ENVIRONMENT | {"TMPDIR": folder}).stdout.split() for folder in ("/tmp", "/"))
    assert all(one != other for one, other in zip(first, second, strict=True))


ENDINGS = {
    "pass": 0,
    "import sys; sys.exit(7)": 7,
    "import sys; sys.exit('it says why')": 1,
    "raise ValueError('it is wrong')": 1,
    "import os; print('lost'); os._exit(3)": 3,
    "import os, signal; os.kill(os.getpid(), signal.SIGKILL)": -signal.SIGKILL,
    "import os, signal; os.kill(os.getpid(), signal.SIGTERM)": -signal.SIGTERM,
    "import os; os.abort()": -signal.SIGABRT,
    "raise KeyboardInterrupt": -signal.SIGINT,
    "import atexit; atexit.register(print, 'at the end'); print('first')": 0,
    "import threading, time; threading.Thread(target=lambda: (time.sleep(0.2), print('later'))).start()": 0,
    "print('not flushed', end='')": 0,
    "import no_such_module": 1,
    "a syntax error": 1,
    "import sys; sys.stdout.close(); sys.exit(2)": 2,
}


@pytest.mark.parametrize("code", ENDINGS)
def test_it_ends_as_a_real_start_ends(script, code):
    path = script(code)
    real, forked = (run(path, python=python) for python in (sys.executable, PYTHON))
    assert real.returncode == forked.returncode == ENDINGS[code]
    assert forked.stdout == real.stdout and forked.stderr == real.stderr


def test_a_missing_file_and_a_missing_module_are_told_as_usual(tmp_path):
    for arguments in (["missing.py"], ["-m", "no_such_module"], ["-m", "json.no_such_part"], ["-X"], [str(tmp_path)]):
        real, forked = (run(*arguments, python=python) for python in (sys.executable, PYTHON))
        assert forked.returncode == real.returncode != 0
        assert forked.stderr.replace(PYTHON, sys.executable) == real.stderr


def test_output_that_nobody_reads_ends_it_as_usual(script):
    path = script("import sys\nfor k in range(100000): print(k)")
    piped = [f"set -o pipefail; {python} {path} 2>/dev/null | head -1" for python in (sys.executable, PYTHON)]
    ends = [subprocess.run(line, shell=True, executable="bash", env=ENVIRONMENT, text=True, capture_output=True) for line in piped]
    assert ends[0].stdout == ends[1].stdout == "0\n" and ends[0].returncode == ends[1].returncode != 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_reaches_it(script, number):
    path = script(f"""
        import signal, sys, time
        signal.signal({int(number)}, lambda *_: sys.exit(9))
        print("ready", flush=True)
        time.sleep(900)
    """)
    process = begun(path)
    process.send_signal(number)
    assert process.wait(timeout=PATIENCE) == 9


def test_an_interrupt_ends_it_and_is_told(script):
    process = begun(script("import time\nprint('ready', flush=True)\ntime.sleep(900)"))
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=PATIENCE) == -signal.SIGINT


def test_a_killed_client_takes_its_child_and_what_that_started_along(script):
    path = script(f"""
        import os, subprocess, sys, time
        if len(sys.argv) == 1:
            shell = subprocess.Popen([f"{PYTHON} {{__file__}} below & wait"], shell=True, stdout=subprocess.PIPE, text=True)
            print(os.getpid(), shell.pid, shell.stdout.readline().strip(), flush=True)
        else:
            print(os.getpid(), flush=True)
        time.sleep(900)
    """)
    process = begun(path)
    below = [int(one) for one in process.first.split()]
    assert len(below) == 3 and not any(Path(f"/proc/{one}").exists() is False for one in below)
    process.kill()
    assert process.wait() == -signal.SIGKILL and all(gone(one) for one in below)


def test_programs_run_side_by_side(script):
    path = script("""
        import sys, time
        from pathlib import Path
        own, other = Path(sys.argv[1]), Path(sys.argv[2])
        own.touch()
        while not other.exists():
            time.sleep(0.01)
        print(sys.argv[1])
    """)
    folder = Path(path).parent
    pair = [str(folder / "first"), str(folder / "second")]
    started = [subprocess.Popen([PYTHON, path, *order], env=ENVIRONMENT, text=True, stdout=subprocess.PIPE) for order in (pair, pair[::-1])]
    assert [process.communicate(timeout=PATIENCE)[0].strip() for process in started] == pair


def test_a_program_starts_others_the_same_way(script):
    script("import sys, __main__; print(__name__, sys.executable, __main__.__file__)", "below.py")
    path = script("import subprocess, sys; subprocess.run([sys.executable, 'below.py'], check=True)")
    assert run(path, cwd=Path(path).parent).stdout.split() == ["__main__", PYTHON, "below.py"]


def test_processes_of_a_pool_find_what_they_need(script):
    path = script("""
        from multiprocessing import get_context
        import helper

        def work(number):
            return helper.double(number)

        if __name__ == "__main__":
            with get_context("spawn").Pool(1) as pool:
                print(pool.map(work, [1, 2]))
    """)
    script("def double(number):\n    return 2 * number", "helper.py")
    assert run(path, cwd="/").stdout == "[2, 4]\n"


@pytest.mark.parametrize(
    "other", [{"OMP_NUM_THREADS": "2"}, {"ATEN_CPU_CAPABILITY": "default"}, {"MKL_NUM_THREADS": "2"}, {"PYTHONHASHSEED": "0"}]
)
def test_other_settings_of_numerics_or_interpreter_start_it_for_real(script, other):
    path = script("import sys; print(sys.executable)")
    assert run(path, env=ENVIRONMENT | other).stdout.strip() == sys.executable
    assert run(path, env=ENVIRONMENT | {"MKL_NUM_THREADS": "1"}).stdout.strip() == PYTHON


def test_code_on_the_command_line_is_started_for_real():
    assert run("-c", "import sys; print(sys.executable)").stdout.strip() == sys.executable


@pytest.fixture
def other():
    """Commands of another server, which imports nothing."""
    return starts.made()


def test_without_a_server_it_is_started_for_real(other, script):
    assert run(script("import sys; print(sys.executable)"), python=str(other / "python")).stdout.strip() == sys.executable


def test_nothing_survives_the_server(other, script):
    path = script("import os, time; print(os.getpid(), flush=True); time.sleep(900)", "sleeps.py")
    with starts.serving(other, ()) as server:
        process = subprocess.Popen(
            [str(other / "python"), path], env=ENVIRONMENT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        child = int(process.stdout.readline())
    assert gone(server) and gone(child) and process.wait(timeout=PATIENCE) != 0


def test_nothing_survives_tests_that_are_killed(other, script):
    sleeps = script("import os, time; print(os.getpid(), os.getppid(), flush=True); time.sleep(900)", "sleeps.py")
    tests = script(f"""
        import subprocess, sys
        sys.path.insert(0, {str(Path(starts.__file__).parent)!r})
        import starts
        from pathlib import Path
        with starts.serving(Path({str(other)!r}), ()):
            subprocess.run([{str(other / "python")!r}, {sleeps!r}], env=starts.ENVIRONMENT)
    """)
    process = subprocess.Popen([sys.executable, tests], env=ENVIRONMENT | {"TMPDIR": str(other)}, text=True, stdout=subprocess.PIPE)
    child, server = map(int, process.stdout.readline().split())
    process.kill()
    process.wait()
    assert gone(server) and gone(child)


def test_the_commands_are_those_of_the_environment():
    for command in starts.COMMANDS:
        real, forked = (
            subprocess.run([folder / command, "--version"], env=ENVIRONMENT, text=True, capture_output=True)
            for folder in (starts.REAL.parent, starts.BIN)
        )
        assert real.returncode == forked.returncode == 0 and real.stdout == forked.stdout != ""
