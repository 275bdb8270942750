"""How tests start Python: PYTHON stands for the interpreter, `promptatlas` and `snakemake` in BIN for the commands beside it.

They do what the real ones do, but what runs is a fork of a process that has everything imported (fork_server.py): a start costs a
fiftieth of a second instead of two. Started for real are code given by `-c` and other options, programs with other settings of the
numerical libraries or of the interpreter than the tests have, and whatever comes while no server serves. Tests of starts, kills,
imports, memory and clusters use `sys.executable`.

PROMPTATLAS_TESTS_REAL_STARTS=1 starts everything for real: it tells whether a failure has to do with the server. So does any system
but a Linux of 2019 or later.
"""

import atexit
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import fork_client

REAL = Path(sys.executable)
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}
COMMANDS = ("promptatlas", "snakemake")
SERVER = Path(__file__).with_name("fork_server.py")
# What takes long to import, in processes of Snakemake and in jobs. promptatlas is imported by each, as what its parts import is tested too.
HEAVY = (
    "torch", "pandas", "pyarrow.parquet", "scipy.stats", "scipy.linalg", "sklearn.linear_model", "sklearn.covariance", "sklearn.metrics",
    "matplotlib.pyplot", "seaborn", "safetensors.torch", "snakemake.cli", "snakemake.script", "jsonschema", "yaml", "PIL.Image",
    "ftfy", "tokenizers",
)  # fmt: skip


def forkable() -> bool:
    """Whether this system has what the server needs: an end of a process that can be waited for, and a short name for its socket."""
    if os.environ.get("PROMPTATLAS_TESTS_REAL_STARTS") or sys.platform != "linux" or len(tempfile.gettempdir()) > 64:
        return False
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError:
        return False
    return True


def written(folder: Path) -> Path:
    """The commands of the clients in `folder`, made executable."""
    given = {"REAL": str(REAL), "SOCKET": str(folder / "socket"), "SETTINGS": fork_client.settings(ENVIRONMENT)}
    constants = "; ".join(f"{name} = {value!r}" for name, value in given.items())
    texts = {"python": f"#!{REAL} -IS\n{constants}\n{Path(fork_client.__file__).read_text()}"}
    for command in COMMANDS:
        rest = REAL.with_name(command).read_text().partition("\n")[2]
        texts[command] = f"#!{folder / 'python'}\n{rest}"
    for name, text in texts.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return folder


def made() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="starts-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return written(folder)


FORKED = forkable()
BIN = made() if FORKED else REAL.parent
PYTHON = str(BIN / "python") if FORKED else str(REAL)


def heed() -> None:
    """For `preexec_fn`: a program that hears of signals also where the tests, as in the background of a script, ignore them."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@contextmanager
def serving(folder: Path = BIN, imported: tuple[str, ...] = HEAVY) -> Iterator[int | None]:
    """While it lasts, the commands in `folder` are forks of one server, which is gone at the end with all that it started.

    Gives its process id. It imports what is named when the first command is run.
    """
    if not FORKED:
        yield None
        return
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "socket"))
        listener.listen(64)
        server = subprocess.Popen(
            [REAL, SERVER, str(listener.fileno()), *imported],
            env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, pass_fds=[listener.fileno()], start_new_session=True,
        )  # fmt: skip
    try:
        yield server.pid
    finally:
        (folder / "socket").unlink()
        server.stdin.close()
        server.wait(timeout=300)  # it may still be importing
