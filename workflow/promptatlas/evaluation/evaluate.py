"""Scores of prompts on one target task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from promptatlas.backbone import Backbone
from promptatlas.backbone.classifier import TOKENS_PER_PASS, PromptedClassifier
from promptatlas.backbone.passes import fetched_in_passes, in_passes, joined
from promptatlas.backbone.prompts import Prompts, stack
from promptatlas.base import memory
from promptatlas.base.stage import passing
from promptatlas.tasks import metrics
from promptatlas.tasks.prepared import ImageRows, PreparedTask

LOGITS_AT_ONCE = 2**26  # 256 MiB


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
    """One evaluation per prompt (each with K = 1) on the test split with the target's own class names.

    Of a metric that is a mean of right answers only these are kept, not a number for each class.
    """
    given = backbone, task.task.class_names, task.images("test"), encoded["features_test"], prompts
    if metrics.lookup(task.task.metric).of_right_answers:
        return [_of_answers(task, own) for own in chosen_classes(*given)]
    return [_evaluation(task, own) for own in answers(*given)]


@torch.no_grad()
def answers(
    backbone: Backbone, class_names: tuple[str, ...], images: np.ndarray | ImageRows, features: np.ndarray, prompts: list[Prompts]
) -> np.ndarray:
    """Logits (K, N, C) of K prompts for `images` (N, S, S, 3), whose features without prompts are `features` (N, D)."""
    return _kept(backbone, class_names, images, features, prompts, lambda logits: logits.float()).numpy()


@torch.no_grad()
def chosen_classes(
    backbone: Backbone, class_names: tuple[str, ...], images: np.ndarray | ImageRows, features: np.ndarray, prompts: list[Prompts]
) -> np.ndarray:
    """The class (K, N) with the highest logit, the first of equal ones; -1 where the highest is not a number. No more than
    LOGITS_AT_ONCE logits are there at a time, unless those of one prompt are more.
    """
    return _kept(backbone, class_names, images, features, prompts, _highest).numpy()


def _highest(logits: torch.Tensor) -> torch.Tensor:
    """(K, B) of logits (K, B, C)."""
    value, place = logits.float().max(dim=-1)
    return place.masked_fill(~value.isfinite(), -1)


def _kept(
    backbone: Backbone, class_names: tuple[str, ...], images: np.ndarray | ImageRows, features: np.ndarray, prompts: list[Prompts],
    keep: Callable[[torch.Tensor], torch.Tensor],
) -> torch.Tensor:  # fmt: skip
    """(K, N, ...) on the host: what `keep` makes of logits (K', B, C) of some prompts and images."""
    with memory.told("evaluation runs out of GPU memory with one prompt and one image or class name; use a GPU with more memory."):
        together = stack(prompts).to(backbone.device)
        classifier = PromptedClassifier(backbone, class_names, together)
        if together.visual is not None:
            kept = _of_prompted_images(classifier, images, together, keep)
        else:
            kept = _of_features(classifier, features, together, keep)
    return kept.expand(len(prompts), *kept.shape[1:])


def _of_features(
    classifier: PromptedClassifier, features: np.ndarray, prompts: Prompts, keep: Callable[[torch.Tensor], torch.Tensor]
) -> torch.Tensor:
    """(K, N, ...) of images whose features (N, D) the image tower gives without a prompt."""
    backbone, each = classifier.backbone, max(len(classifier.class_names), features.shape[1] if prompts.adapter else 0)
    weights = None if prompts.meta else classifier.class_features(prompts)
    plain = torch.from_numpy(features).to(backbone.device).unsqueeze(0)

    def some(of_prompts: slice) -> torch.Tensor:
        own, classes = prompts[of_prompts], weights if weights is None or len(weights) == 1 else weights[of_prompts]

        def of_images(part: slice) -> torch.Tensor:
            return keep(classifier.answer(own, plain[:, part], classes))

        count = max(1, len(features))
        return joined(fetched_in_passes(of_images, count, count, backbone.room, "logits", each * len(own)), dim=1)

    size = max(1, LOGITS_AT_ONCE // max(1, len(features) * each))
    return joined(in_passes(some, len(prompts), size, backbone.room, "prompts on features"))


def zero_shot(backbone: Backbone, task: PreparedTask, encoded: dict[str, np.ndarray]) -> Evaluation:
    """The hand-written templates of the target, averaged, without any trained prompt."""
    return _evaluation(task, hand_written(backbone, encoded["features_test"], encoded["class_features"]))


def hand_written(backbone: Backbone, features: np.ndarray, class_features: np.ndarray) -> np.ndarray:
    """Logits (N, C) of the hand-written templates for images with `features` (N, D), from those of the class names (C, D)."""
    return backbone.logit_scale * features @ class_features.T


def _of_prompted_images(
    classifier: PromptedClassifier, images: np.ndarray | ImageRows, prompts: Prompts, keep: Callable[[torch.Tensor], torch.Tensor]
) -> torch.Tensor:
    """(K, N, ...): each image is read and embedded once for all K prompts, or for fewer if not even one image fits with all."""
    vision: Any = classifier.backbone.vision
    room, weights = classifier.backbone.room, classifier.class_features(prompts)

    def some(of_prompts: slice) -> torch.Tensor:
        own, classes = prompts[of_prompts], weights[of_prompts] if len(weights) > 1 else weights
        each = len(vision.positional_embedding) * len(own)

        def of_images(part: slice) -> torch.Tensor:
            tokens = vision.embed(vision.queued(images[part])).unsqueeze(0)
            return keep(classifier.answer(own, classifier.image_features(own, tokens), classes))

        with passing(of_images, len(images), "image") as told:
            size = max(1, TOKENS_PER_PASS[vision.device.type] // each)
            return joined(fetched_in_passes(told, len(images), size, room, "tokens of prompted images", each), dim=1)

    return joined(in_passes(some, len(prompts), len(prompts), room, "prompts on images"))


def _evaluation(task: PreparedTask, logits: np.ndarray) -> Evaluation:
    """logits (N, C) of the test split."""
    labels = np.asarray(task.labels("test"))
    score = metrics.score(task.task.metric, logits, labels)
    given = None if task.task.multilabel else logits.argmax(1)
    return Evaluation(score.value, score.per_class, score.chance, len(labels), given, None if given is None else given == labels)


def _of_answers(task: PreparedTask, given: np.ndarray) -> Evaluation:
    """given (N,): the class of each image of the test split, -1 where the answers are not numbers."""
    labels = np.asarray(task.labels("test"))
    score = metrics.score_of_classes(task.task.metric, given, labels, len(task.task.class_names))
    return Evaluation(score.value, score.per_class, score.chance, len(labels), given, given == labels)
