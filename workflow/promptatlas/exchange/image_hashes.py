"""Which images the prompts of a study may have been trained on, as hashes. An atlas has them in `image_hashes.safetensors`, so that no
prompt is judged on its own training images by who has the atlas and not the study.

    <number> (N, 16) uint8, a `tasks.prepared.digest` for each image
    metadata: image_hashes, as JSON {"version", "tasks": [name, ...]}, in the order of the numbers

No image can be got back from them; whoever has an image can tell that it is among them. What is read may come from anyone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from promptatlas.base import json_record
from promptatlas.base.errors import UserError
from promptatlas.base.json_record import require_known
from promptatlas.study.paths import Paths
from promptatlas.tasks.prepared import DIGEST_BYTES, PreparedTask

NAME = "image_hashes.safetensors"
KEY = "image_hashes"


def of_task(paths: Paths, task: str) -> np.ndarray | None:
    """(N, 16) uint8, of the training and validation images of a task that lies prepared in a study's folder; None if it does not."""
    try:
        prepared = PreparedTask.open(paths.task_folder(task))
        return np.concatenate([prepared.digests(split).reshape(-1, DIGEST_BYTES) for split in ("train", "validation")])
    except UserError:
        return None


def of_tasks(paths: Paths, names: Iterable[str]) -> dict[str, np.ndarray]:
    """The same of those tasks that lie there."""
    return {name: hashes for name in names if (hashes := of_task(paths, name)) is not None}


def packed(hashes: Mapping[str, np.ndarray]) -> bytes:
    """All of them as one file."""
    arrays = {str(number): np.ascontiguousarray(own, dtype=np.uint8) for number, own in enumerate(hashes.values())}
    return save(arrays, {KEY: json.dumps({json_record.KEY: json_record.KNOWN, "tasks": [*hashes]})})


def read(content: bytes, path: Path) -> dict[str, np.ndarray]:
    """The hashes in the archive at `path`, by task. UserError if they are damaged, or of a newer version."""
    try:
        arrays = load(content)
        head = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        about = json.loads(head["__metadata__"][KEY])
        require_known(about, path)
        found = {str(name): arrays[str(number)] for number, name in enumerate(about["tasks"])}
        if not all(own.dtype == np.uint8 and own.ndim == 2 and own.shape[1] == DIGEST_BYTES for own in found.values()):
            raise ValueError("no hashes")
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        raise UserError(f"{path}: its {NAME} is damaged; fetch the archive again") from None
    return found
