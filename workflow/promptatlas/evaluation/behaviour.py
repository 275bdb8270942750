"""What the frozen model does under prompts of one method: with the class names of all tasks, and with a few images of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from promptatlas.backbone import Backbone
from promptatlas.backbone.classifier import PromptedClassifier
from promptatlas.backbone.passes import in_passes
from promptatlas.backbone.prompts import Prompts, stack
from promptatlas.evaluation import evaluate
from promptatlas.evaluation.similarity.registry import Behaviour

PASS = 64  # images


@torch.no_grad()
def behaviours(
    backbone: Backbone, class_names: Mapping[str, tuple[str, ...]], images: Mapping[str, np.ndarray], features: Mapping[str, np.ndarray],
    prompts: list[Prompts],
) -> list[Behaviour]:  # fmt: skip
    """One per prompt (K = 1 each). By task: its class names, some of its images (N, S, S, 3) and their features without prompts (N, D)."""
    vocabulary = tuple(dict.fromkeys(name for own in class_names.values() for name in own))
    classifier = PromptedClassifier(backbone, vocabulary, stack(prompts))
    answers = {task: evaluate.answers(backbone, names, images[task], features[task], prompts) for task, names in class_names.items()}
    shown = np.concatenate([*images.values()])
    return [
        Behaviour(
            _class_features(classifier, own.to(backbone.device)),
            _image_features(classifier, shown, own.to(backbone.device)),
            {task: logits[k] for task, logits in answers.items()},
        )
        for k, own in enumerate(prompts)
    ]


def _class_features(classifier: PromptedClassifier, prompt: Prompts) -> np.ndarray | None:
    """(C, D); None where the prompt leaves class names as they are, or they differ from image to image."""
    if prompt.text is None or prompt.meta:
        return None
    return classifier.class_features(prompt)[0].float().cpu().numpy()


def _image_features(classifier: PromptedClassifier, images: np.ndarray, prompt: Prompts) -> np.ndarray | None:
    """(N, D); None where the prompt leaves images as they are."""
    if prompt.visual is None:
        return None
    vision: Any = classifier.backbone.vision

    def some(part: slice) -> torch.Tensor:
        return classifier.image_features(prompt, vision.embed(vision.read(images[part])).unsqueeze(0))[0]

    return torch.cat(in_passes(some, len(images), PASS)).float().cpu().numpy()
