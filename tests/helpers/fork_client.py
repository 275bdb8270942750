# Stands in for the interpreter in tests: asks the server of fork_server.py for a child that runs this program, and ends as that child
# does. starts.py writes it into an executable file, behind a first line that names the interpreter and one that sets REAL, SOCKET and
# SETTINGS. It imports nothing that takes time. What it cannot be sure of, it leaves to the real interpreter.
import _signal as signal
import _socket as socket
import marshal
import os
import sys

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
READ_WHEN_LOADED = (
    "PYTHON", "OMP_", "KMP_", "GOMP_", "MKL_", "OPENBLAS_", "GOTO_", "NUMEXPR_", "VECLIB_", "ATEN_", "ONEDNN_", "DNNL_", "TORCH",
    "PYTORCH_", "CUDA", "NVIDIA_", "LD_", "MALLOC_", "GLIBC_", "ARROW_", "JE_ARROW_", "MPL", "LANG", "LC_", "TZ",
)  # fmt: skip
# What is read at each start, and by CUDA when a program first looks for a GPU.
READ_LATER = ("PYTHONPATH", "CUDA_VISIBLE_DEVICES")
# Snakemake sets these for a job of one thread; all say what OMP_NUM_THREADS says to the libraries that are loaded.
THREADS = ("GOTO_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS")


def settings(environment):
    """What a library or the interpreter reads once, when it is loaded: the server has read it already."""
    return {
        name: value
        for name, value in environment.items()
        if name.startswith(READ_WHEN_LOADED)
        and name not in READ_LATER
        and not (name in THREADS and value == environment.get("OMP_NUM_THREADS"))
    }


def forkable(arguments):
    """`-m module` or a script, in the server's own surroundings, with the usual three descriptors."""
    if arguments[:1] == ["-m"]:
        known = len(arguments) > 1
    else:
        known = bool(arguments) and not arguments[0].startswith("-") and os.path.isfile(arguments[0])
    if not known or settings(os.environ) != SETTINGS:
        return False
    try:
        for descriptor in range(3):
            os.fstat(descriptor)
    except OSError:
        return False
    return True


def ask(server, arguments, ignored):
    """Sends the server what a new process inherits."""
    umask = os.umask(0)
    os.umask(umask)
    request = marshal.dumps((sys.argv[0], arguments, os.getcwd(), dict(os.environb), umask, ignored))
    message = len(request).to_bytes(8, "little") + request
    descriptors = b"".join(descriptor.to_bytes(4, sys.byteorder) for descriptor in range(3))
    sent = server.sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)])
    server.sendall(message[sent:])


def answer(server):
    """Exit status of the child, or the number of the signal that ended it with a minus; None if the server ended first."""
    got = b""
    while len(got) < 4:
        more = server.recv(4 - len(got))
        if not more:
            return None
        got += more
    return int.from_bytes(got, "little", signed=True)


def main():
    arguments = sys.argv[1:]
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    if not forkable(arguments) or server.connect_ex(SOCKET):
        os.execv(REAL, [REAL, *arguments])
    # A signal that comes before the child is there waits for it in the socket.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    ignored = {int(number): signal.getsignal(number) == signal.SIG_IGN for number in SIGNALS}
    for number in [number for number in SIGNALS if not ignored[number]]:
        signal.signal(number, lambda number, frame: server.send(bytes([number])))
    ask(server, arguments, ignored)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    os.close(0)  # the child has them: who reads its output sees the end when it ends
    os.close(1)
    status = answer(server)
    if status is None:
        os.write(2, b"the fork server of the tests ended before its child\n")
        os._exit(70)
    if status < 0:
        signal.signal(-status, signal.SIG_DFL) if -status not in (signal.SIGKILL, signal.SIGSTOP) else None
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [-status])
        os.kill(os.getpid(), -status)
    os._exit(status)


if __name__ == "__main__":
    main()
