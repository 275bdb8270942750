"""What the frozen model does under prompts of one method: with the class names of all tasks, and with a few images of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from promptatlas.backbone import Backbone
from promptatlas.backbone.classifier import PromptedClassifier
from promptatlas.backbone.prompts import Prompts, stack
from promptatlas.backbone.text import TextTower
from promptatlas.backbone.vision import VisionTower
from promptatlas.base import memory
from promptatlas.evaluation import evaluate, observe
from promptatlas.evaluation.similarity.registry import Behaviour


@torch.no_grad()
@memory.told("what prompts do runs out of GPU memory with one image or class name; use a GPU with more memory.")
def behaviours(
    backbone: Backbone, class_names: Mapping[str, tuple[str, ...]], images: Mapping[str, np.ndarray], features: Mapping[str, np.ndarray],
    prompts: list[Prompts],
) -> list[Behaviour]:  # fmt: skip
    """One per prompt (K = 1 each). By task: its class names, some of its images (N, S, S, 3) and their features without prompts (N, D)."""
    vocabulary = tuple(dict.fromkeys(name for own in class_names.values() for name in own))
    classifier = PromptedClassifier(backbone, vocabulary, stack(prompts))
    answers = {task: evaluate.answers(backbone, names, images[task], features[task], prompts) for task, names in class_names.items()}
    shown, plain = (np.concatenate([*own.values()]) for own in (images, features))
    found = []
    for k, own in enumerate(prompts):
        prompt = own.to(backbone.device)
        with _active_units(backbone.text) as in_text:
            classes = _class_features(classifier, prompt)
        with _active_units(backbone.vision) as in_images:
            features_of_images = _image_features(classifier, shown, plain, prompt)
        active = tuple(np.packbits(torch.cat(seen).numpy(), axis=1) for seen in (in_text, in_images) if seen)
        found.append(Behaviour(classes, features_of_images, {task: logits[k] for task, logits in answers.items()}, active))
    return found


@contextmanager
def _active_units(tower: Any) -> Iterator[list[torch.Tensor]]:
    """Which units of the last block are above 0 where the feature comes from, (N, H) of every pass through the tower meanwhile that came to
    its end; memory may run out in others. Empty for towers whose last block does not end with that token alone."""
    found, latest = list[torch.Tensor](), list[torch.Tensor]()
    if type(tower) not in (TextTower, VisionTower):
        yield found
        return
    mlp: Any = tower.transformer.resblocks[-1].mlp
    activation = mlp.activation

    def watched(x: torch.Tensor) -> torch.Tensor:
        latest[:] = [(x > 0).reshape(-1, x.shape[-1]).cpu()]
        return activation(x)

    mlp.activation = watched
    passes = tower.register_forward_hook(lambda *_: found.append(latest.pop()))
    try:
        yield found
    finally:
        mlp.activation = activation
        passes.remove()


def _class_features(classifier: PromptedClassifier, prompt: Prompts) -> np.ndarray | None:
    """(C, D); None where the prompt leaves class names as they are, or they differ from image to image."""
    if prompt.text is None or prompt.meta:
        return None
    return classifier.class_features(prompt)[0].float().cpu().numpy()


def _image_features(classifier: PromptedClassifier, images: np.ndarray, plain: np.ndarray, prompt: Prompts) -> np.ndarray | None:
    """(N, D), of images whose features without prompts are `plain`; None where the prompt leaves images as they are."""
    if not prompt.changes_images:
        return None
    seen = observe.image_features(classifier, images, torch.from_numpy(plain).to(classifier.backbone.device), prompt)
    return classifier.adapted(prompt, seen.unsqueeze(0))[0].float().cpu().numpy()
