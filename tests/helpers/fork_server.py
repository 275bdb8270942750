"""Starts Python programs for tests in milliseconds: a process that has imported what takes seconds forks a child for each of them.

A client (fork_client.py) hands over what a new process inherits: arguments, folder, environment, umask and the standard descriptors. The
child puts itself into the state of a fresh interpreter and runs the program as `__main__`. It leads a process group of its own, which is
killed with the client, and all groups are killed when the server's standard input ends: nothing survives the tests.

What differs from a real start: heavy libraries are in `sys.modules` from the beginning, children of one server share the seed of `hash`,
and a child ends without tearing its modules down. Started with the number of the listening socket's descriptor and the names of what to
import, which must start no thread and draw no random number. Nothing is imported until the first client comes.
"""

import atexit
import gc
import importlib
import io
import marshal
import os
import runpy
import select
import signal
import site
import socket
import sys
import tempfile
import threading
import types
from contextlib import suppress
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader


@dataclass(frozen=True)
class Request:
    """What a new process inherits, as the client sent it."""

    executable: str
    arguments: list[str]
    folder: str
    environment: dict[bytes, bytes]
    umask: int
    ignored: dict[int, bool]  # by number of the signal
    descriptors: list[int]


def own_path() -> list[str]:
    """`sys.path` without the script's folder and without PYTHONPATH: every child has its own of both."""
    foreign = (
        {os.path.abspath(entry) for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep)} if "PYTHONPATH" in os.environ else set()
    )
    return [entry for entry in sys.path[1:] if entry not in foreign]


def read_request(client: int) -> Request | None:
    """None if the client is gone already."""
    with socket.socket(fileno=os.dup(client)) as connection:
        message, descriptors, _, _ = socket.recv_fds(connection, 1 << 16, 3)
        while len(message) < 8 or len(message) < 8 + int.from_bytes(message[:8], "little"):
            more = connection.recv(1 << 16)
            if not more:
                for descriptor in descriptors:
                    os.close(descriptor)
                return None
            message += more
    return Request(*marshal.loads(message[8:]), descriptors)


class Server:
    """One child for each client. Everything that it waits for is a plain descriptor, so that nothing in a child closes it twice."""

    def __init__(self, listener: socket.socket):
        self.listener = listener
        self.poll = select.poll()
        self.clients: dict[int, int] = {}  # connection to the client -> process id of its child
        self.endings: dict[int, int] = {}  # what becomes readable when the child ends -> process id of the child
        for descriptor in (0, listener.fileno()):
            self.poll.register(descriptor, select.POLLIN)

    def first_client(self) -> None:
        """Waits until somebody wants a child, or ends with the tests."""
        if any(descriptor == 0 for descriptor, _ in self.poll.poll()):
            sys.exit()

    def serve(self) -> Request:
        """Returns only in a child, with what it shall become."""
        while True:
            for descriptor, _ in self.poll.poll():
                if descriptor == 0:
                    self.end()
                elif descriptor == self.listener.fileno():
                    request = self.accept()
                    if request is not None:
                        return request
                elif descriptor in self.endings:
                    self.report(descriptor)
                elif descriptor in self.clients:
                    self.pass_on(descriptor)

    def accept(self) -> Request | None:
        client = self.listener.accept()[0].detach()
        request = read_request(client)
        if request is None:
            os.close(client)
            return None
        child = os.fork()
        if not child:
            self.listener.detach()
            return request
        with suppress(PermissionError, ProcessLookupError):  # it did so itself, or has ended
            os.setpgid(child, child)
        for descriptor in request.descriptors:
            os.close(descriptor)
        ending = os.pidfd_open(child)
        self.clients[client], self.endings[ending] = child, child
        for descriptor in (client, ending):
            self.poll.register(descriptor, select.POLLIN)
        return None

    def report(self, ending: int) -> None:
        child = self.endings.pop(ending)
        self.poll.unregister(ending)
        os.close(ending)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        for client in [client for client, its in self.clients.items() if its == child]:
            self.forget(client, status)

    def pass_on(self, client: int) -> None:
        """The signals that the client got; if it is gone, its child goes with it."""
        child = self.clients[client]
        try:
            signals = os.read(client, 64)
        except ConnectionResetError:
            signals = b""
        for number in signals:
            os.kill(child, number)
        if not signals:
            self.forget(client)
            os.killpg(child, signal.SIGKILL)

    def forget(self, client: int, status: int | None = None) -> None:
        del self.clients[client]
        self.poll.unregister(client)
        if status is not None:
            with suppress(BrokenPipeError, ConnectionResetError):  # killed in the same moment
                os.write(client, status.to_bytes(4, "little", signed=True))
        os.close(client)

    def end(self) -> None:
        for child in self.endings.values():
            os.killpg(child, signal.SIGKILL)
        sys.exit()


def settle(request: Request, path: list[str]) -> None:
    """The state of a fresh interpreter that was started in this folder, with this environment and these descriptors."""
    os.setpgid(0, 0)
    for number, descriptor in enumerate(request.descriptors):
        os.dup2(descriptor, number)
    os.closerange(3, 1 << 16)
    os.umask(request.umask)
    for number, ignored in request.ignored.items():
        usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        signal.signal(number, signal.SIG_IGN if ignored else usual)
    os.chdir(request.folder)
    os.environ.clear()
    os.environb.update(request.environment)
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        opened = stream(descriptor, f"<{name}>", getattr(sys, name))
        setattr(sys, name, opened)
        setattr(sys, f"__{name}__", opened)
    tempfile.tempdir = None
    if "multiprocessing.process" in sys.modules:
        sys.modules["multiprocessing.process"].ORIGINAL_DIR = request.folder
    for name in ("numpy.random", "torch.random"):
        if name in sys.modules:
            sys.modules[name].seed()
    sys.executable, sys.orig_argv = request.executable, [request.executable, *request.arguments]
    own = os.environ.get("PYTHONPATH")
    sys.path[:] = dict.fromkeys([*(os.path.abspath(entry) for entry in (own.split(os.pathsep) if own else ())), *path])
    sys.path_importer_cache.clear()
    site.execsitecustomize()


def stream(descriptor: int, name: str, like: io.TextIOWrapper) -> io.TextIOWrapper:
    """As the interpreter opens its own (`create_stdio` in pylifecycle.c), which it did for the server's stream `like`."""
    mode, unbuffered = "r" if descriptor == 0 else "w", like.write_through
    whole = open(descriptor, f"{mode}b", buffering=0 if unbuffered and mode == "w" else -1, closefd=False)  # noqa: SIM115 - it stays open
    raw = getattr(whole, "raw", whole)
    raw.name = name
    at_once = not unbuffered and (descriptor == 2 or raw.isatty())
    opened = io.TextIOWrapper(whole, like.encoding, like.errors, "\n", line_buffering=at_once, write_through=unbuffered)
    opened.mode = mode
    return opened


def run(arguments: list[str]) -> None:
    """The program as `__main__`, as `python arguments` runs it."""
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    main.__dict__.update(__builtins__=sys.modules["builtins"], __annotations__={})
    if arguments[0] == "-m":
        sys.path.insert(0, os.getcwd())
        sys.argv[:] = arguments[1:]
        runpy._run_module_as_main(arguments[1])
    else:
        script = arguments[0]
        sys.path.insert(0, os.path.dirname(os.path.realpath(script)))
        sys.argv[:] = arguments
        main.__dict__.update(__file__=script, __cached__=None, __loader__=SourceFileLoader("__main__", script))
        with io.open_code(os.path.abspath(script)) as file:
            code = compile(file.read(), script, "exec", dont_inherit=True)
        exec(code, main.__dict__)


def finish(request: Request) -> None:
    """Runs the program and ends as the interpreter ends, without tearing down what the server had imported."""
    status, interrupted = 0, False
    try:
        run(request.arguments)
    except SystemExit as end:
        if isinstance(end.code, int):
            status = end.code & 0xFF
        elif end.code is not None:
            print(end.code, file=sys.stderr)
            status = 1
    except BaseException as error:
        interrupted, status = isinstance(error, KeyboardInterrupt), 1
        error.__traceback__ = of_the_program(error.__traceback__)
        sys.excepthook(type(error), error, error.__traceback__)
    threading._shutdown()
    atexit._run_exitfuncs()
    for output in (sys.stdout, sys.stderr):
        try:
            if not output.closed:
                output.flush()
        except OSError as error:
            status = 120
            if output is sys.stdout:
                print(f"Exception ignored in: {output!r}\n{type(error).__name__}: {error}", file=sys.stderr)
    if interrupted:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit(status)


def of_the_program(traceback):
    """Without the frames of this file."""
    while traceback is not None and traceback.tb_frame.f_code.co_filename == __file__:
        traceback = traceback.tb_next
    return traceback


def main() -> None:
    path = own_path()
    server = Server(socket.socket(fileno=int(sys.argv[1])))
    server.first_client()
    for name in sys.argv[2:]:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    request = server.serve()
    settle(request, path)
    finish(request)


if __name__ == "__main__":
    main()
