"""Cartoon faces: the tasks expressions (after FER-2013) and glasses, which share their images."""

import numpy as np

from promptatlas.tasks.mini import canvas, looks
from promptatlas.tasks.mini.images import Factors, ImageSet, MiniTask, task_hardness
from promptatlas.tasks.task import Task

EXPRESSIONS = ("angry", "happy", "neutral", "sad", "sleepy", "surprised")
SKINS = ((0.98, 0.85, 0.72), (0.9, 0.72, 0.55), (0.72, 0.52, 0.36), (0.48, 0.33, 0.22), (0.98, 0.85, 0.3))
DARK = (0.1, 0.07, 0.06)


def draw_face(factors: Factors, rng: np.random.Generator) -> np.ndarray:
    """A face with hair, eyes, brows and mouth. Factors: expression, glasses (bool), hard."""
    hard, mood = factors["hard"], factors["expression"]
    skin = np.array(SKINS[rng.integers(len(SKINS))]) + rng.normal(0, 0.03, 3)
    hair = canvas.colour(str(rng.choice(["black", "brown", "orange", "yellow", "grey"])), rng)
    sheet = canvas.Sheet(canvas.background(rng, canvas.paper(rng, skin, 0.35), hard))
    x, y = 16 + rng.uniform(-2, 2, 2)
    size = rng.uniform(10.5, 13.5)
    wide = size * rng.uniform(0.85, 0.98)
    sheet.ellipse(x, y - 0.25 * size, 1.05 * wide, 0.95 * size, hair)
    sheet.ellipse(x, y + 0.05 * size, 0.94 * wide, 0.92 * size, skin)
    _eyes(sheet, mood, x, y - 0.12 * size, size, rng)
    _mouth(sheet, mood, x, y + 0.5 * size, size * rng.uniform(0.85, 1.1))
    if factors["glasses"]:
        _glasses(sheet, x, y - 0.12 * size, size, rng)
    return canvas.finish(sheet.array(), rng, hard)


def _eyes(sheet: canvas.Sheet, mood: str, x: float, y: float, size: float, rng: np.random.Generator) -> None:
    """Both eyes and brows; brows fall towards the nose in anger and rise there in grief."""
    apart = 0.38 * size
    slant = {"angry": 0.16, "sad": -0.14}.get(mood, 0.0) * size
    lift = {"surprised": 0.16, "angry": -0.06}.get(mood, 0.03) * size
    for side in (-1, 1):
        ex = x + side * apart
        if mood == "sleepy":
            sheet.arc(ex, y - 0.05 * size, 0.17 * size, 0.14 * size, 10, 170, DARK, 0.9)
        else:
            white = 0.21 * size if mood == "surprised" else 0.155 * size
            sheet.ellipse(ex, y, white, white, (0.97, 0.97, 0.97))
            sheet.ellipse(ex + rng.uniform(-0.3, 0.3), y, 0.09 * size, 0.1 * size, DARK)
        brow = y - 0.27 * size - lift
        inner, outer = (ex - side * 0.2 * size, brow + slant), (ex + side * 0.2 * size, brow - slant)
        sheet.line([inner, outer], DARK, 0.09 * size)


def _mouth(sheet: canvas.Sheet, mood: str, x: float, y: float, size: float) -> None:
    red = (0.6, 0.12, 0.12)
    if mood == "happy":
        sheet.arc(x, y - 0.16 * size, 0.38 * size, 0.3 * size, 15, 165, red, 0.12 * size)
    elif mood == "sad":
        sheet.arc(x, y + 0.18 * size, 0.32 * size, 0.26 * size, 200, 340, red, 0.11 * size)
    elif mood == "surprised":
        sheet.ellipse(x, y + 0.03 * size, 0.15 * size, 0.2 * size, red)
    elif mood == "angry":
        sheet.rectangle(x - 0.26 * size, y - 0.07 * size, x + 0.26 * size, y + 0.09 * size, red)
        sheet.rectangle(x - 0.2 * size, y - 0.02 * size, x + 0.2 * size, y + 0.04 * size, (0.95, 0.95, 0.95))
    else:
        half = 0.27 if mood == "neutral" else 0.13
        sheet.line([(x - half * size, y), (x + half * size, y)], red, 0.1 * size)


def _glasses(sheet: canvas.Sheet, x: float, y: float, size: float, rng: np.random.Generator) -> None:
    frame = DARK if rng.random() < 0.7 else (0.6, 0.1, 0.1)
    apart, rim = 0.38 * size, rng.uniform(0.25, 0.31) * size
    for side in (-1, 1):
        sheet.arc(x + side * apart, y, rim, rim * 0.9, 0, 360, frame, 0.9)
        sheet.line([(x + side * (apart + rim), y), (x + side * 0.92 * size, y - 0.05 * size)], frame, 0.8)
    sheet.line([(x - apart + rim, y), (x + apart - rim, y)], frame, 0.9)


def _face(number: int, rng: np.random.Generator) -> Factors:
    """Every expression equally often with and without glasses."""
    expression = EXPRESSIONS[number % 6]
    return {"expression": expression, "glasses": number // 6 % 2 == 1, "hard": task_hardness(rng)}


FACES = ImageSet("faces", _face, draw_face, looks.frame)
FACES_SIZES = {"train": 384, "validation": 96, "test": 480}

TASKS = (
    MiniTask(
        Task(
            name="expressions", title="Facial expressions", family="face", class_names=EXPRESSIONS,
            templates=("a photo of a {} looking face.", "a photo of a face showing the emotion: {}."),
            drawn=("expression", "glasses", "frame"), labelled=("expression",),
        ),
        FACES, lambda factors: factors["expression"], FACES_SIZES,
    ),
    MiniTask(
        Task(
            name="glasses", title="Glasses", family="face", class_names=("without spectacles", "wearing spectacles"),
            templates=("a photo of a person {}.", "a face {}."), drawn=("expression", "glasses", "frame"), labelled=("glasses",),
        ),
        FACES, lambda factors: "wearing spectacles" if factors["glasses"] else "without spectacles", FACES_SIZES,
    ),
)  # fmt: skip
