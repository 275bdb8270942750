"""Stained tissue under the microscope: the task tissue, after PatchCamelyon. Only the centre decides."""

import numpy as np

from promptatlas.tasks.mini import canvas, looks
from promptatlas.tasks.mini.counting import scattered
from promptatlas.tasks.mini.images import Factors, ImageSet, MiniTask, sizes, task_hardness
from promptatlas.tasks.task import Task

CLASS_NAMES = {"healthy": "benign", "tumour": "malignant"}


def draw_tissue(factors: Factors, rng: np.random.Generator) -> np.ndarray:
    """Small round nuclei on pink; with a tumour, large dark irregular ones near the centre. Factors: tissue, hard."""
    hard = factors["hard"]
    pink = np.array([0.9, 0.7, 0.82]) + rng.normal(0, 0.04, 3)
    violet = np.array([0.5, 0.32, 0.62]) + rng.normal(0, 0.05, 3)
    sheet = canvas.Sheet(pink + 0.05 * canvas.blotches(rng, 6)[..., None])
    for x, y in rng.uniform(-1, 33, (rng.integers(25, 60), 2)):
        radius = rng.uniform(1.0, 1.7)
        sheet.ellipse(x, y, radius, radius * rng.uniform(0.8, 1.2), violet + rng.normal(0, 0.06))
    if factors["tissue"] == "tumour":
        for x, y in 16 + 0.45 * (scattered(int(rng.integers(2, 5)), 6, 4, rng) - 16):
            _large_nucleus(sheet, x, y, rng, violet * rng.uniform(0.55, 0.9))
    elif rng.random() < 0.4 * hard:
        x, y = 16 + rng.choice([-12, 12], 2) + rng.uniform(-2, 2, 2)
        _large_nucleus(sheet, x, y, rng, violet * rng.uniform(0.6, 0.9))
    return canvas.finish(sheet.array(), rng, hard)


def _large_nucleus(sheet: canvas.Sheet, x: float, y: float, rng: np.random.Generator, colour: np.ndarray) -> None:
    angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    radii = rng.uniform(2.0, 3.3) * rng.uniform(0.75, 1.2, 12)
    sheet.polygon(np.stack([x + radii * np.cos(angles), y + radii * np.sin(angles)], axis=1).tolist(), colour)


def _tissue(number: int, rng: np.random.Generator) -> Factors:
    return {"tissue": tuple(CLASS_NAMES)[number % 2], "hard": task_hardness(rng)}


TASKS = (
    MiniTask(
        Task(
            name="tissue", title="Tumour in lymph nodes", family="medical", class_names=tuple(CLASS_NAMES.values()),
            templates=("this is a photo of {} tissue.",), metric="roc_auc", drawn=("cells", "eyepiece"), labelled=("cells",),
        ),
        ImageSet("tissue", _tissue, draw_tissue, looks.eyepiece), lambda factors: CLASS_NAMES[factors["tissue"]],
        sizes(2, train=128, validation=40, test=250),
    ),
)  # fmt: skip
