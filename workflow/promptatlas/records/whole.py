"""Whether a result file is whole: for each kind the least that is read to tell. Knows nothing of torch.

A reader raises UserError, or SafetensorError, for a damaged file, Newer for one of a newer promptatlas, OSError if the disk does not
give it; it raises nothing, or Failed, for a file that says why there is no result.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors import safe_open

from promptatlas.base import json_record
from promptatlas.base.errors import FAILED
from promptatlas.base.json_record import require_known
from promptatlas.records import score

Reader = Callable[[Path], object]
MAGIC = b"PAR1"


def by_suffix(path: Path) -> Reader:
    """What reads a file whose name tells of which kind it is; of JSON only that it is some, of tensors that they are a prompt."""
    readers: dict[str, Reader] = {
        ".json": record, ".safetensors": prompt, ".npy": array, ".parquet": table, ".csv": lines, ".html": page,
    }  # fmt: skip
    return readers[path.suffix]


def score_or_prompt(path: Path) -> None:
    if path.suffix == ".json":
        score.read(path)
    else:
        prompt(path)


def record(path: Path) -> None:
    json_record.read(path, "the record")


def array(path: Path) -> None:
    try:
        np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError:
        raise
    except Exception:  # the head of such a file is Python, whose parser raises many kinds
        raise json_record.corrupt(path, "the array") from None


def table(path: Path) -> None:
    content = path.read_bytes()
    if len(content) < 12 or content[:4] != MAGIC or content[-4:] != MAGIC:
        raise json_record.corrupt(path, "the table")


def lines(path: Path) -> None:
    """A twin of a table has a head, and its last line is whole."""
    if not path.read_bytes().endswith(b"\n"):
        raise json_record.corrupt(path, "the table")


def page(path: Path) -> None:
    if not path.read_bytes().rstrip().endswith(b"</html>"):
        raise json_record.corrupt(path, "the page")


def header(path: Path) -> dict[str, str]:
    """What a file of tensors says of itself; a file that is cut off has no such header. Raises SafetensorError, too."""
    with safe_open(path, framework="np") as file:
        about = file.metadata() or {}
    require_known(about, path)
    return about


def prompt(path: Path) -> None:
    about = header(path)
    if FAILED in about:
        return
    with safe_open(path, framework="np") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    sound = {"method", "position", "template"} <= about.keys() and any(name.startswith("prompts.") for name in tensors)
    if not sound or not all(one.dtype == np.float32 and np.isfinite(one).all() for one in tensors.values()):
        raise json_record.corrupt(path, "the prompt")
