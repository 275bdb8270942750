"""Scores of prompts on one target task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from promptatlas.backbone import Backbone
from promptatlas.backbone.classifier import TOKENS_PER_PASS, PromptedClassifier
from promptatlas.backbone.passes import in_passes
from promptatlas.backbone.prompts import Prompts, stack
from promptatlas.base.errors import UserError
from promptatlas.base.stage import passing
from promptatlas.tasks import metrics
from promptatlas.tasks.prepared import ImageRows, PreparedTask


@dataclass(frozen=True)
class Evaluation:
    """score and chance in 0..1; per_class (C,); answers (N,) the class given to each test image, correct (N,) which of them are right,
    both None if multi-label."""

    score: float
    per_class: np.ndarray
    chance: float
    n_test: int
    answers: np.ndarray | None
    correct: np.ndarray | None


@torch.no_grad()
def evaluate(backbone: Backbone, task: PreparedTask, encoded: dict[str, np.ndarray], prompts: list[Prompts]) -> list[Evaluation]:
    """One evaluation per prompt (each with K = 1) on the test split with the target's own class names."""
    logits = answers(backbone, task.task.class_names, task.images("test"), encoded["features_test"], prompts)
    return [_evaluation(task, own) for own in logits]


@torch.no_grad()
def answers(
    backbone: Backbone, class_names: tuple[str, ...], images: np.ndarray | ImageRows, features: np.ndarray, prompts: list[Prompts]
) -> np.ndarray:
    """Logits (K, N, C) of K prompts for `images` (N, S, S, 3), whose features without prompts are `features` (N, D)."""
    together = stack(prompts).to(backbone.device)
    classifier = PromptedClassifier(backbone, class_names, together)
    if together.visual is not None:
        logits = _prompted_logits(classifier, images, together, _class_features(classifier, together))
    else:
        plain = torch.from_numpy(features).to(backbone.device).unsqueeze(0)
        logits = classifier.answer(together, plain) if together.meta else classifier.logits(plain, _class_features(classifier, together))
    return logits.expand(len(prompts), -1, -1).float().cpu().numpy()


def zero_shot(backbone: Backbone, task: PreparedTask, encoded: dict[str, np.ndarray]) -> Evaluation:
    """The hand-written templates of the target, averaged, without any trained prompt."""
    return _evaluation(task, hand_written(backbone, encoded["features_test"], encoded["class_features"]))


def hand_written(backbone: Backbone, features: np.ndarray, class_features: np.ndarray) -> np.ndarray:
    """Logits (N, C) of the hand-written templates for images with `features` (N, D), from those of the class names (C, D)."""
    return backbone.logit_scale * features @ class_features.T


def _class_features(classifier: PromptedClassifier, prompts: Prompts) -> torch.Tensor:
    """(K or 1, C, D), a few prompts per pass where each prompt means another run of the text tower."""
    if classifier.layout is None:
        return classifier.class_features(prompts)
    device = classifier.backbone.device
    size = max(1, _budget(device) // classifier.layout.tokens)
    return torch.cat([classifier.class_features(prompts[k : k + size]) for k in range(0, len(prompts), size)])


def _budget(device: torch.device) -> int:
    return TOKENS_PER_PASS["cuda" if device.type == "cuda" else "cpu"]


def _prompted_logits(
    classifier: PromptedClassifier, images: np.ndarray | ImageRows, prompts: Prompts, class_features: torch.Tensor
) -> torch.Tensor:
    """(K, N, C): each image is read and embedded once for all K prompts."""
    vision: Any = classifier.backbone.vision
    tokens_per_image = len(vision.positional_embedding) * len(prompts)
    size = max(1, _budget(vision.device) // tokens_per_image)

    def some(part: slice) -> torch.Tensor:
        tokens = vision.embed(vision.read(images[part])).unsqueeze(0)
        return classifier.logits(classifier.image_features(prompts, tokens), class_features)

    try:
        with passing(some, len(images), "image") as told:
            return torch.cat(in_passes(told, len(images), size), dim=1)
    except torch.OutOfMemoryError as error:
        raise UserError("evaluation runs out of GPU memory with one image; lower sources_per_job.") from error


def _evaluation(task: PreparedTask, logits: np.ndarray) -> Evaluation:
    """logits (N, C) of the test split."""
    labels = np.asarray(task.labels("test"))
    score = metrics.score(task.task.metric, logits, labels)
    given = None if task.task.multilabel else logits.argmax(1)
    return Evaluation(score.value, score.per_class, score.chance, len(labels), given, None if given is None else given == labels)
