"""Files that are whole or not there, whenever the process is killed. Knows nothing of what is in them."""

import os
from pathlib import Path


def replace(path: Path, content: bytes) -> None:
    """Put `content` at `path` by way of a temporary name in the same folder."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
