"""What the frozen model says of a task before any prompt is trained: image features and zero-shot class features, once per
task and backbone.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch

from promptatlas.backbone import Backbone
from promptatlas.backbone.feature_file import ARRAYS, CLASSES
from promptatlas.backbone.passes import fetched_in_passes
from promptatlas.base import memory
from promptatlas.base.errors import UserError
from promptatlas.base.stage import passing, through
from promptatlas.tasks.prepared import ImageRows, PreparedTask


@torch.no_grad()
def encode_task(backbone: Backbone, task: PreparedTask, names: Iterable[str] = ARRAYS) -> dict[str, np.ndarray]:
    """The arrays called `names`: features_<split> (N, D) of the prepared images, class_features (C, D); float32, normalised.

    UserError if some are not numbers.
    """

    def array(name: str) -> np.ndarray:
        if name == CLASSES:
            return backbone.class_features(task.task.class_names, task.task.templates).cpu().numpy()
        return encode_images(backbone, task.images(name.removeprefix("features_")))

    found = {name: array(name) for name in through([*names], "array")}
    for name, values in found.items():
        if wrong := int((~np.isfinite(values).all(axis=1)).sum()):
            what = "class names" if name == CLASSES else f"{name.removeprefix('features_')} images"
            raise UserError(
                f"task {task.task.name!r}: the model's features of {wrong} of {len(values)} {what} are not numbers; look at its weights"
            )
    return found


@torch.no_grad()
def encode_images(backbone: Backbone, images: np.ndarray | ImageRows, size: int = 256) -> np.ndarray:
    """uint8 (N, R, R, 3) -> (N, D), at most `size` images per pass."""
    vision = backbone.vision

    def some(part: slice) -> torch.Tensor:
        return vision.encode(vision.queued(images[part])).float()

    short = "encoding runs out of GPU memory with one image; use a GPU with more memory."
    with passing(some, len(images), "image") as told, memory.told(short):
        parts = fetched_in_passes(told, len(images), size, backbone.room, "images")
    return torch.cat([torch.empty(0, backbone.architecture.embed_dim), *parts]).numpy()
