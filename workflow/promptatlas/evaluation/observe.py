"""What one prompt makes of some images: logits, image features where it changes them, and probabilities of its source's classes.

The image tower runs once for all of them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch

from promptatlas.backbone.classifier import PromptedClassifier
from promptatlas.backbone.passes import in_passes, joined
from promptatlas.backbone.prompts import Prompts
from promptatlas.base import memory
from promptatlas.tasks.prepared import ImageRows

PASS = 64  # images


class Observation(NamedTuple):
    """logits (N, C); features (N, D), None where the prompt leaves images as they are; source_probabilities (N, S), None without source."""

    logits: np.ndarray
    features: np.ndarray | None
    source_probabilities: np.ndarray | None


@torch.no_grad()
@memory.told("answers of a prompt run out of GPU memory with one image or class name; use a GPU with more memory.")
def observe(
    classifier: PromptedClassifier, images: np.ndarray | ImageRows, features: np.ndarray, prompt: Prompts,
    source: PromptedClassifier | None = None,
) -> Observation:  # fmt: skip
    """What `prompt` (K = 1) makes of `images` (N, S, S, 3), whose features without prompts are `features` (N, D), among the classes of
    `classifier` and, where one is given, of `source`, those that it was trained on. Both serve all prompts of one shape."""
    prompt = prompt.to(classifier.backbone.device)
    plain = torch.from_numpy(features).to(classifier.backbone.device)
    seen = image_features(classifier, images, plain, prompt)
    logits = classifier.answer(prompt, seen.unsqueeze(0))[0]
    own = None if source is None else _numbers(source.answer(prompt, seen.unsqueeze(0))[0].softmax(-1))
    changed = _numbers(classifier.adapted(prompt, seen.unsqueeze(0))[0]) if prompt.changes_images else None
    return Observation(_numbers(logits), changed, own)


def image_features(
    classifier: PromptedClassifier, images: np.ndarray | ImageRows, plain: torch.Tensor, prompt: Prompts
) -> torch.Tensor:  # fmt: skip
    """What the image tower gives under a prompt (K = 1), unit features (N, D) of images (N, S, S, 3); `plain` if it is the same without."""
    if prompt.visual is None:
        return plain
    vision: Any = classifier.backbone.vision

    def some(part: slice) -> torch.Tensor:
        return classifier.image_features(prompt, vision.embed(vision.read(images[part])).unsqueeze(0))[0]

    return joined(in_passes(some, len(images), PASS, classifier.backbone.room, "images with a prompt"))


def _numbers(tensor: torch.Tensor) -> np.ndarray:
    return tensor.float().cpu().numpy()
