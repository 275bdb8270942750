"""Files that are whole or not there, whenever the process is killed. Knows nothing of what is in them."""

import hashlib
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

AGE = 2  # seconds after which a temporary file of no process is one that a killed process left


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A temporary name in the same folder, whose file becomes that at `path` when the block ends without an error."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def replace(path: Path, content: bytes) -> None:
    """Put `content` at `path`."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as temporary:
        temporary.write_bytes(content)


def sha256(path: str | Path) -> str:
    """Of what is in a file, 64 letters."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sweep(paths: Iterable[Path]) -> None:
    """Remove what killed processes of this machine left of files that were to become those at `paths`, which lie in one folder."""
    names = {path.name: path.parent for path in paths}
    for folder in {*names.values()}:
        for temporary in folder.glob(".*.tmp"):
            name, _, process = temporary.name[1:].removesuffix(".tmp").rpartition(".")
            if name in names and process.isdigit() and not _is_running(int(process)) and _age(temporary) > AGE:
                temporary.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # of somebody else
        return True
    return True


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0
