"""What every path does when memory runs out: on a GPU with a share of the memory that it takes, elsewhere with a made-up error.

Results are compared with those of the whole memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from gpu_parts.ledger import Ledger
from gpu_parts.scene import Noise, Scene, distance
from promptatlas.backbone.encode import encode_images
from promptatlas.evaluation import evaluate
from promptatlas.methods import settings
from promptatlas.runs.attempts import Parted, each
from promptatlas.training import single_task
from promptatlas.training.shared_learner import SharedTask, tune_shared

SHARES = (0.5, 0.1)


def measure(scene: Scene, ledger: Ledger) -> None:
    for name, run in _paths(scene).items():
        ledger.attempt(name, lambda run=run: _compared(scene, run))


def _compared(scene: Scene, run: Callable[[], Parted]) -> dict[str, Any]:
    """`run` with all memory, then with shares of what it takes above the weights; the first share in which it fails is the last."""
    scene.tidy()
    before = torch.cuda.memory_allocated() if scene.cuda else 0
    whole = run()
    if scene.cuda:
        torch.cuda.synchronize()
    above = (torch.cuda.max_memory_allocated() if scene.cuda else 0) - before
    found: dict[str, Any] = {"mib above the weights": above / 2**20}
    for share in SHARES:
        scene.tidy()
        with _short_of_memory(scene, int(before + share * above), share) as refused:
            parts = run()
        why = [str(one) for one in parts.failed.values()]
        found[f"at {share:g}"] = why[0][:160] if why else "whole"
        found[f"refused at {share:g}"] = refused()
        if why:
            break
        found[f"distance at {share:g}"] = max(distance(a, b) for a, b in zip(parts.sound.values(), whole.sound.values(), strict=True))
    return found


@contextmanager
def _short_of_memory(scene: Scene, most: int, share: float) -> Iterator[Callable[[], int]]:
    """Inside, no more than `most` bytes can be had; gives how often more was asked for."""
    if not scene.cuda:
        with _pretended(scene, share) as refused:
            yield refused
        return
    total, count = torch.cuda.get_device_properties(0).total_memory, torch.cuda.memory_stats().get("num_ooms", 0)
    torch.cuda.set_per_process_memory_fraction(min(1.0, most / total))
    try:
        yield lambda: torch.cuda.memory_stats().get("num_ooms", 0) - count
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


@contextmanager
def _pretended(scene: Scene, share: float) -> Iterator[Callable[[], int]]:
    """Passes through the image tower that have more than a share of eight pairs of image and prompt find no memory."""
    vision, refused = scene.large.vision, [0]
    run = vision.forward

    def forward(tokens: torch.Tensor, *prompts: torch.Tensor) -> torch.Tensor:
        pairs = tokens.shape[1] * max(len(tokens), *map(len, prompts), 1)
        if pairs > 8 * share:
            refused[0] += 1
            raise torch.OutOfMemoryError("made up")
        return run(tokens, *prompts)

    object.__setattr__(vision, "forward", forward)
    try:
        yield lambda: refused[0]
    finally:
        object.__delattr__(vision, "forward")


def _paths(scene: Scene) -> dict[str, Callable[[], Parted]]:
    """By name, what gives an array for each result, or why there is none."""
    model, pixels = scene.large, scene.large.architecture.image_size
    small = scene.tiny
    learners, classes, batch = (2, 4, 2) if small else (4, 40, 8)
    task = Noise(classes, learners * 2 * batch, 8 if small else 64, pixels)

    def tuning(method: str, k: int = learners) -> Callable[[], Parted]:
        chosen = settings(method, {"epochs": 1, "batch_size": batch, "warmup_epochs": 0})
        draws = task.draws(k)

        def tuned(some: list[int]) -> list[np.ndarray]:
            prompts = single_task.tune_task(model, method, chosen, task, [draws[i] for i in some], some)
            return [torch.cat([value.flatten() for value in one.prompts.tensors().values()]).numpy() for one in prompts]

        return lambda: each(tuned, list(range(k)))

    def answering(method: str, prompts: int) -> Callable[[], Parted]:
        own = [single_task.scratch(model, method, settings(method), seed).prompts for seed in range(prompts)]
        features = np.random.default_rng(0).normal(size=(len(task.images("test")), model.architecture.embed_dim)).astype(np.float32)
        features /= np.linalg.norm(features, axis=1, keepdims=True)

        def answered(some: list[int]) -> list[np.ndarray]:
            return list(evaluate.answers(model, task.task.class_names, task.images("test"), features, [own[i] for i in some]))

        return lambda: each(answered, list(range(prompts)))

    def shared() -> Parted:
        random = torch.Generator().manual_seed(0)
        features = torch.nn.functional.normalize(torch.randn(64, model.architecture.embed_dim, generator=random), dim=-1).to(model.device)
        labels = (torch.arange(64) % classes).to(model.device)
        tasks = [SharedTask(f"things {i}", task.task.class_names, "accuracy", (features, labels), (features, labels)) for i in range(4)]
        chosen = settings("softcpt", {"epochs": 1})
        return each(lambda some: [tune_shared(model, "softcpt", chosen, tasks, 1).class_weights[0].cpu()], [None])

    return {
        "tuning vpt": tuning("vpt"),
        "tuning upt": tuning("upt"),
        "tuning coop": tuning("coop"),
        "tuning cocoop": tuning("cocoop", 2),
        "evaluation vpt": answering("vpt", 4 if small else 8),
        "evaluation coop": answering("coop", 4 if small else 24),
        "evaluation cocoop": answering("cocoop", 2),
        "encoding": lambda: each(lambda some: [encode_images(model, task.images("train"))], [None]),
        "shared softcpt": shared,
    }  # fmt: skip
