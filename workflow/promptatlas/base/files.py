"""Files that are whole or not there, whenever the process is killed. Knows nothing of what is in them."""

import fcntl
import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_TEMPORARY = re.compile(r"\..+\.\d+\.tmp")


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A temporary name in the same folder, whose file becomes that at `path` when the block ends without an error."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with _locked(temporary):
            yield temporary
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """An empty file at `path` that says by its lock that a process writes it: the lock ends with the process, however that ends."""
    while True:
        with path.open("a+b") as file:
            with suppress(OSError):  # no files can be locked here; then `sweep` leaves all
                fcntl.flock(file, fcntl.LOCK_SH)
            if path.exists():  # it was not swept away before it was locked
                yield
                return


def replace(path: Path, content: bytes) -> None:
    """Put `content` at `path`."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as temporary:
        temporary.write_bytes(content)


def held(path: Path, content: bytes) -> BinaryIO:
    """Put `content` at `path`. As long as the file that is given is open, and at the latest until the process ends, `is_held` is true."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    file = temporary.open("w+b")
    try:
        with suppress(OSError):  # no files can be locked here
            fcntl.flock(file, fcntl.LOCK_EX)
        file.write(content)
        file.flush()
        os.replace(temporary, path)
    except BaseException:
        file.close()
        temporary.unlink(missing_ok=True)
        raise
    return file


def is_held(path: Path) -> bool:
    """Whether the process that put the file there by `held` lives and still holds it; where no files can be locked, whether it is there."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return not os.path.samestat(os.fstat(file.fileno()), path.stat())  # one that was replaced meanwhile is held
    except FileNotFoundError:
        return False
    except OSError:
        return True


def sha256(path: str | Path) -> str:
    """Of what is in a file, 64 letters."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sweep(folders: Iterable[Path]) -> None:
    """Remove from `folders`, but not from those below them, what killed processes left of files that were not whole yet."""
    for folder in folders:
        for temporary in folder.glob(".*.tmp"):
            if _TEMPORARY.fullmatch(temporary.name):
                with suppress(OSError), temporary.open("r+b") as file:  # one that is written cannot be locked, one that is done is gone
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    if os.path.samestat(os.fstat(file.fileno()), temporary.stat()):
                        temporary.unlink()
