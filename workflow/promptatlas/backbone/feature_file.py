"""The feature file of a task: what the frozen model says of its images and class names, by array. Knows nothing of models, nor
imports torch: jobs that only read features start faster.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from promptatlas.base.errors import FAILED, Failed, UserError
from promptatlas.base.json_record import require_known
from promptatlas.tasks.prepared import SPLITS

CLASSES = "class_features"
ARRAYS = (*(f"features_{split}" for split in SPLITS), CLASSES)


def packed(encoded: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> bytes:
    """Arrays (features_<split> (N, D), class_features (C, D)) and what they were made from as one file."""
    return save(dict(encoded), dict(metadata))


def class_features(path: str | Path) -> np.ndarray:
    """Of the class names alone, (C, D); empty for a file that has none."""
    with suppress(OSError, SafetensorError), safe_open(path, framework="np") as file:
        return file.get_tensor(CLASSES)
    return np.empty((0, 0), np.float32)


def load(path: str | Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Arrays and metadata. Raises UserError for a missing or damaged file, Failed for one that says why there are none."""
    with _opened(path) as file:
        return {key: file.get_tensor(key) for key in file.keys()}, _metadata(file, path)


def marks(path: str | Path) -> dict[str, str]:
    """The metadata alone; raises as `load` does."""
    with _opened(path) as file:
        return _metadata(file, path)


@contextmanager
def _opened(path: str | Path) -> Iterator[Any]:
    try:
        with safe_open(path, framework="np") as file:
            yield file
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path} is not a whole feature file ({error}); delete it and run again.") from error


def _metadata(file: Any, path: str | Path) -> dict[str, str]:
    metadata = file.metadata() or {}
    require_known(metadata, path)
    if FAILED in metadata:
        raise Failed(f"features failed: {metadata[FAILED]}")
    return metadata
