"""About how much memory and disk a study takes. Knows nothing of time or of torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from promptatlas.backbone.architecture import Architecture
from promptatlas.study.costs import StepMemory
from promptatlas.study.sizes import Size
from promptatlas.study.study import Study

FLOAT = 4
KEPT = 16  # numbers per feature and token that a block keeps for the way back: norms, attention, the wide layer before and after
BLOCK = 4096  # bytes, the least that a file takes
RECORD, PER_CLASS, EPOCH = 1500, 40, 100  # bytes of a cell, of a class in it, and of an epoch in a prompt's history


def step_bytes(step: StepMemory, architecture: Architecture) -> float:
    """What the largest step keeps for its way back, on the device that it runs on."""
    a = architecture
    patches = (a.image_size // a.patch_size) ** 2 + 1
    text = step.tokens * a.text_width * a.text_layers
    return KEPT * FLOAT * (text + step.images * patches * a.vision_width * a.vision_layers)


def disk_bytes(study: Study, architecture: Architecture, weights: int, sizes: Mapping[str, Size]) -> dict[str, float]:
    """By what it is kept for. Downloads below `data_root` come on top."""
    own = [sizes[task] for task in study.tasks]
    images, classes = sum(size.images for size in own), sum(size.classes for size in own)
    cell = _placed(RECORD + (PER_CLASS * classes + sum(size.test for size in own) / 6) / len(own))
    prompts = sum(_prompt(study.settings(method), architecture) for method in study.methods)
    return {
        "images": images * 3 * architecture.image_size**2,
        "weights": weights,
        "features": (images + classes) * architecture.embed_dim * FLOAT,
        "cells": len(study.cells) * cell,
        "prompts": prompts * len(study.learners) * len(study.seeds),
    }


def _prompt(settings: Mapping[str, Any], a: Architecture) -> float:
    """A trained prompt: its parameters, what they give, and its history."""
    layers, width = settings.get("layers", 1), settings.get("width", 0)
    text = settings.get("context", 0) * a.text_width * layers
    depth = a.vision_layers if settings.get("depth") == "deep" else layers
    visual = settings.get("prompts", 0) * a.vision_width * depth
    mixer = width * (12 * width + 2 * (a.text_width + a.vision_width))  # UPT
    couplers = layers * a.text_width * a.vision_width if "layers" in settings and not visual else 0  # MaPLe
    return _placed(FLOAT * (2 * (text + visual) + mixer + couplers) + EPOCH * settings["epochs"] + RECORD)


def _placed(size: float) -> float:
    """What a file takes on a disk."""
    return BLOCK * math.ceil(size / BLOCK)
