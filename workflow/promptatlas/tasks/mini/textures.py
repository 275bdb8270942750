"""Regular textures: the tasks textures (an image full of it) and patterned_shapes (a shape filled with it)."""

import math

import numpy as np

from promptatlas.tasks.mini import canvas, looks
from promptatlas.tasks.mini.images import Factors, ImageSet, MiniTask, sizes, task_hardness
from promptatlas.tasks.task import Task

TEXTURES = (
    "horizontal stripes",
    "vertical stripes",
    "diagonal stripes",
    "checkerboard",
    "polka dots",
    "noise",
    "grid",
    "concentric rings",
)


def texture(name: str, rng: np.random.Generator, x: float = 16, y: float = 16) -> np.ndarray:
    """The texture `name` with a random period and phase, (32, 32) in 0..1; rings lie around (x, y)."""
    period = rng.uniform(4.5, 8.5)
    tilt = rng.uniform(-0.12, 0.12)
    u = canvas.XS * math.cos(tilt) + canvas.YS * math.sin(tilt)
    v = canvas.YS * math.cos(tilt) - canvas.XS * math.sin(tilt)
    phase_u, phase_v = rng.uniform(0, 2 * math.pi, 2)
    wave_u = np.sin(2 * math.pi * u / period + phase_u)
    wave_v = np.sin(2 * math.pi * v / period + phase_v)
    if name == "horizontal stripes":
        return _edge(wave_v)
    if name == "vertical stripes":
        return _edge(wave_u)
    if name == "diagonal stripes":
        slope = u + v if rng.random() < 0.5 else u - v
        return _edge(np.sin(2 * math.pi * slope / (1.4 * period) + phase_u))
    if name == "checkerboard":
        return _edge(3 * wave_u * wave_v)
    if name == "polka dots":
        return _edge(1.6 * (wave_u + wave_v - 0.9))
    if name == "grid":
        return np.maximum(_edge(2 * (wave_u - 0.72)), _edge(2 * (wave_v - 0.72)))
    if name == "concentric rings":
        centre_x, centre_y = np.array([x, y]) - 15.5 + rng.uniform(-2, 2, 2)
        distance = np.hypot(canvas.XS - centre_x, canvas.YS - centre_y)
        return _edge(np.sin(2 * math.pi * distance / period + phase_u))
    return (rng.random((canvas.SIZE, canvas.SIZE)) < 0.5).astype(np.float32)


def _edge(wave: np.ndarray) -> np.ndarray:
    """A wave around 0 with its edges sharpened to about a pixel."""
    return (0.5 + 1.4 * wave).clip(0, 1)


def draw_texture(factors: Factors, rng: np.random.Generator) -> np.ndarray:
    """An image full of one texture in two colours. Factors: texture, colour, hard."""
    hard = factors["hard"]
    ink = canvas.colour(factors["colour"], rng)
    ground = canvas.background(rng, canvas.paper(rng, ink, 0.55 - 0.25 * hard), hard)
    return canvas.finish(canvas.mix(ground, texture(factors["texture"], rng), ink), rng, hard)


def _full_image(number: int, rng: np.random.Generator) -> Factors:
    colour = str(rng.choice(list(canvas.COLOURS)))
    return {"texture": TEXTURES[number % len(TEXTURES)], "colour": colour, "hard": task_hardness(rng)}


TASKS = (
    MiniTask(
        Task(
            name="textures", title="Textures", family="texture", class_names=TEXTURES,
            templates=("a photo of {} texture.", "a picture of {}.", "a surface with {}."), drawn=("texture", "colour", "frame"),
            labelled=("texture",),
        ),
        ImageSet("textures", _full_image, draw_texture, looks.frame), lambda factors: factors["texture"], sizes(8),
    ),
)  # fmt: skip
