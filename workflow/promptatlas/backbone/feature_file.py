"""The feature file of a task: what the frozen model says of its pictures and class names, by array. Knows nothing of models, nor
imports torch: jobs that only read features start faster.
"""

import os
from contextlib import suppress
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from promptatlas.base.errors import FAILED, Failed, UserError
from promptatlas.base.json_record import require_known
from promptatlas.tasks.prepared import SPLITS

CLASSES = "class_features"
ARRAYS = (*(f"features_{split}" for split in SPLITS), CLASSES)


def save(path: str | Path, encoded: dict[str, np.ndarray], metadata: dict[str, str]) -> None:
    """Arrays (features_<split> (N, D), class_features (C, D)) and what they were made from; the file is whole or not there."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    save_file(encoded, temporary, metadata=metadata)
    temporary.replace(path)


def class_features(path: str | Path) -> np.ndarray:
    """Of the class names alone, (C, D); empty for a file that has none."""
    with suppress(OSError, SafetensorError), safe_open(path, framework="np") as file:
        return file.get_tensor(CLASSES)
    return np.empty((0, 0), np.float32)


def load(path: str | Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Arrays and metadata. Raises UserError for a missing or damaged file, Failed for one that says why there are none."""
    try:
        with safe_open(path, framework="np") as file:
            arrays, metadata = {key: file.get_tensor(key) for key in file.keys()}, file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path} is not a whole feature file ({error}); delete it and run again.") from error
    require_known(metadata, path)
    if FAILED in metadata:
        raise Failed(f"features failed: {metadata[FAILED]}")
    return arrays, metadata
