"""What reduced precision does to answers and scores: prompts of a finished study on its own tasks, and the large random model."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from gpu_parts import variants
from gpu_parts.ledger import Ledger
from gpu_parts.scene import Noise, Scene, distance, placed
from gpu_parts.variants import PLAIN
from precision import residual, summary
from promptatlas.backbone.encode import encode_images
from promptatlas.backbone.model import Backbone
from promptatlas.backbone.precision import FLOAT16, TF32
from promptatlas.evaluation import evaluate
from promptatlas.methods import settings
from promptatlas.records.prompt_file import TunedPrompt
from promptatlas.tasks import metrics
from promptatlas.tasks.prepared import PreparedTask
from promptatlas.training import single_task

REDUCED = (TF32, FLOAT16, "tf32 everywhere", "float16 autocast", "bfloat16 autocast")


def measure(scene: Scene, ledger: Ledger) -> None:
    for method in ("coop", "vpt", "upt"):
        if scene.study is not None:
            ledger.attempt(f"mini {method}", partial(_mini, scene, ledger, method))
        ledger.attempt(f"large {method}", partial(_large, scene, ledger, method))


def _mini(scene: Scene, ledger: Ledger, method: str) -> dict[str, Any]:
    """Every prompt of the study's first seed on every task, by the statistics of benchmarks/precision.py."""
    assert scene.study is not None
    model, found = placed(scene.mini, scene.device), {}
    folders = sorted((scene.study / "tasks").iterdir())
    paths = sorted((scene.study / "prompts" / method).glob("seed1/*.safetensors"))
    own = [TunedPrompt.load(path)[0].prompts for path in paths]
    for variant in (PLAIN, TF32, FLOAT16, "bfloat16 autocast"):
        with variants.using(variant, model) as made:
            found[variant] = [_scores(made, PreparedTask.open(folder), own) for folder in folders]
    plain = found.pop(PLAIN)
    score = np.array([scores for _, scores in plain])
    two_classes = [len(PreparedTask.open(folder).task.class_names) == 2 for folder in folders]
    for variant, tasks in found.items():
        other = np.array([scores for _, scores in tasks])
        points = 100 * (other - score)
        changed = np.mean([(a.argmax(2) != b.argmax(2)).mean() for (a, _), (b, _) in zip(plain, tasks, strict=True)])
        ledger.row(
            f"mini {method}, {variant}", changed=float(100 * changed), residual_rms=residual(points[None]),
            **summary(points[None], [folder.name for folder in folders], two_classes),
            by_task={folder.name: round(float(np.abs(own).max()), 3) for folder, own in zip(folders, points, strict=True)},
        )  # fmt: skip
    return {"prompts": len(own), "tasks": len(folders)}


def _scores(model: Backbone, task: PreparedTask, own: list[Any]) -> tuple[np.ndarray, list[float]]:
    images, labels = task.images("test"), np.asarray(task.labels("test"))
    answers = evaluate.answers(model, task.task.class_names, images, encode_images(model, images), own)
    return answers, [metrics.score(task.task.metric, one, labels).value for one in answers]


def _large(scene: Scene, ledger: Ledger, method: str) -> dict[str, Any]:
    """Random weights and untuned prompts: how far answers move, relative to how much they differ between images and classes."""
    task = Noise(5 if scene.tiny else 100, 1, 4 if scene.tiny else 64, scene.large.architecture.image_size)
    images = task.images("test")
    own = [single_task.scratch(scene.large, method, settings(method), seed).prompts for seed in range(2)]
    found = {}
    for variant in (PLAIN, *REDUCED):
        with variants.using(variant, scene.large) as large:
            found[variant] = evaluate.answers(large, task.task.class_names, images, encode_images(large, images), own)
    plain = found.pop(PLAIN)
    centred = plain - plain.mean((1, 2), keepdims=True)
    for variant, answers in found.items():
        ledger.row(
            f"large {method}, {variant}", distance=distance(answers, plain),
            of_differences=distance(centred + (answers - plain), centred),
            changed=float(100 * (answers.argmax(2) != plain.argmax(2)).mean()), largest=float(np.abs(answers - plain).max()),
            finite=bool(np.isfinite(answers).all()),
        )  # fmt: skip
    return {"spread of answers": float(centred.std())}
