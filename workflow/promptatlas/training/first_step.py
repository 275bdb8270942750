"""The gradient of a target's loss at the start that the prompts of a method and seed share, and what tuning changed from there."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from promptatlas.backbone import Backbone
from promptatlas.backbone.classifier import PromptedClassifier
from promptatlas.methods.losses import cross_entropy
from promptatlas.records.prompt_file import TunedPrompt
from promptatlas.tasks.prepared import ImageRows
from promptatlas.training.learners import BatchedLearners
from promptatlas.training.micro_batches import in_micro_batches

PASS = 32  # images


def gradient(
    backbone: Backbone, settings: dict, class_names: tuple[str, ...], images: np.ndarray | ImageRows, features: np.ndarray,
    labels: np.ndarray, start: TunedPrompt,
) -> np.ndarray:  # fmt: skip
    """(V,) of the mean cross-entropy over the images (N, S, S, 3) with `features` (N, D) and `labels` (N,) or marks (N, C), at the
    learnables of `start`, all of them one after another by name."""
    learners = BatchedLearners(start.method, settings, backbone.architecture, [0], backbone)
    learners.load([start.parameters])
    learners.to(backbone.device)
    with torch.no_grad():
        classifier = PromptedClassifier(backbone, class_names, learners.prompts())
    vision: Any = backbone.vision
    found = learners.parameters

    def begin() -> None:
        for value in found.values():
            value.grad = None

    def step(part: slice) -> Tensor:
        prompts = learners.prompts()
        if prompts.visual is None:
            seen = torch.from_numpy(features[part]).to(backbone.device).unsqueeze(0)
        else:
            with torch.no_grad():
                tokens = vision.embed(vision.read(images[part])).unsqueeze(0)
            seen = classifier.image_features(prompts, tokens)
        own = torch.from_numpy(np.array(labels[part])).to(backbone.device).unsqueeze(0)
        value = cross_entropy(classifier.answer(prompts, seen), own).sum() / len(labels)
        value.backward()
        return value.detach()

    in_micro_batches(step, begin, len(labels), PASS, backbone.room, "images of a gradient")
    return np.concatenate(
        [_flat(torch.zeros_like(found[name]) if found[name].grad is None else found[name].grad) for name in sorted(found)]
    )


def delta(prompt: TunedPrompt, start: TunedPrompt) -> np.ndarray | None:
    """(V,) what tuning changed in the learnables, in the order of `gradient`; None if they are not of the same shapes."""
    own, before = prompt.parameters, start.parameters
    if {name: value.shape for name, value in own.items()} != {name: value.shape for name, value in before.items()}:
        return None
    return np.concatenate([_flat(own[name] - before[name]) for name in sorted(own)])


def _flat(tensor: Any) -> np.ndarray:
    return tensor.detach().cpu().numpy().astype(np.float64).ravel()
