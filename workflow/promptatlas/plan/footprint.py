"""About how much disk a study takes. Knows nothing of time; memory is the matter of `study.memory`."""

from __future__ import annotations

import math
from collections.abc import Mapping

from promptatlas.backbone import Backbone
from promptatlas.study.sizes import Size
from promptatlas.study.study import Study
from promptatlas.training import single_task

FLOAT = 4
BLOCK = 4096  # bytes, the least that a file takes
RECORD, PER_CLASS, EPOCH = 1500, 40, 100  # bytes of a cell, of a class in it, and of an epoch in a prompt's history


def disk_bytes(study: Study, model: Backbone, weights: int, sizes: Mapping[str, Size]) -> dict[str, float]:
    """By what it is kept for. Downloads below `data_root` come on top."""
    architecture = model.architecture
    own = [sizes[task] for task in study.tasks]
    images, classes = sum(size.images for size in own), sum(size.classes for size in own)
    answers = sum(size.test * (1 + math.log2(size.classes)) / 6 for size in own)  # base64 of a bit, and of as many as tell classes apart
    cell = _placed(RECORD + (PER_CLASS * classes + answers) / len(own))
    prompts = sum(_prompt(study, method, model) for method in study.methods)
    return {
        "images": images * 3 * architecture.image_size**2,
        "weights": weights,
        "features": (images + classes) * architecture.embed_dim * FLOAT,
        "cells": len(study.cells) * cell,
        "prompts": prompts * len(study.learners) * len(study.seeds),
    }


def _prompt(study: Study, method: str, model: Backbone) -> float:
    """A trained prompt: its parameters, what they give, and its history."""
    own = single_task.scratch(model, method, study.settings(method), 0)
    numbers = sum(tensor.numel() for tensor in (*own.parameters.values(), *own.prompts.tensors().values()))
    return _placed(FLOAT * numbers + EPOCH * study.settings(method)["epochs"] + RECORD)


def _placed(size: float) -> float:
    """What a file takes on a disk."""
    return BLOCK * math.ceil(size / BLOCK)
