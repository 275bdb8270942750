"""What the frozen model says of a task before any prompt is learned: image features and zero-shot class features, once per
task and backbone. Knows nothing of prompts.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Iterable

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from promptatlas.backbone import Backbone
from promptatlas.errors import FAILED, Failed, UserError
from promptatlas.tasks.prepared import SPLITS, PreparedTask

CLASSES = "class_features"
ARRAYS = (*(f"features_{split}" for split in SPLITS), CLASSES)


@torch.no_grad()
def encode_task(backbone: Backbone, task: PreparedTask, names: Iterable[str] = ARRAYS) -> dict[str, np.ndarray]:
    """The arrays called `names`: features_<split> (N, D) of the prepared pictures, class_features (C, D); float32, normalised."""

    def array(name: str) -> np.ndarray:
        if name == CLASSES:
            return backbone.class_features(task.task.class_names, task.task.templates).cpu().numpy()
        return encode_images(backbone, task.images(name.removeprefix("features_")))

    return {name: array(name) for name in names}


@torch.no_grad()
def encode_images(backbone: Backbone, images: np.ndarray, size: int = 256) -> np.ndarray:
    """uint8 (N, R, R, 3) -> (N, D), `size` images per pass."""
    vision = backbone.vision
    parts = [np.empty((0, backbone.architecture.embed_dim), np.float32)]
    for start in range(0, len(images), size):
        parts.append(vision.encode(vision.read(images[start : start + size])).float().cpu().numpy())
    return np.concatenate(parts)


def save(path: str | Path, encoded: dict[str, np.ndarray], metadata: dict[str, str]) -> None:
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    save_file(encoded, temporary, metadata=metadata)
    temporary.replace(path)


def load(path: str | Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Arrays and metadata. Raises UserError for a missing or damaged file, Failed for one that says why there are none."""
    try:
        with safe_open(path, framework="np") as file:
            arrays, metadata = {key: file.get_tensor(key) for key in file.keys()}, file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path} is not a whole feature file ({error}); delete it and run again.") from error
    if FAILED in metadata:
        raise Failed(f"features failed: {metadata[FAILED]}")
    return arrays, metadata
