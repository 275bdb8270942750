"""A road and how far away the car on it is: the task distance, after KITTI's closest vehicle."""

import numpy as np

from promptatlas.tasks.mini import canvas, looks
from promptatlas.tasks.mini.images import Factors, ImageSet, MiniTask, sizes, task_hardness
from promptatlas.tasks.task import Task

DISTANCES = {
    "side": "a photo i took of a car on my left or right side.",
    "near": "a photo i took with a car nearby.",
    "far": "a photo i took with a car in the distance.",
    "none": "a photo i took with no car.",
}


def draw_road(factors: Factors, rng: np.random.Generator) -> np.ndarray:
    """A road to the horizon, trees beside it, perhaps a car. Factors: distance, colour, hard."""
    hard = factors["hard"]
    sky = np.array([0.6, 0.75, 0.92]) + rng.normal(0, 0.08) + rng.normal(0, 0.03, 3)
    land = canvas.colour(str(rng.choice(["green", "brown", "grey"])), rng) * 0.6 + 0.15
    horizon, vanishing = rng.uniform(10, 13.5), 16 + rng.uniform(-3, 3)
    sheet = canvas.Sheet(canvas.background(rng, sky, hard))
    sheet.rectangle(0, horizon, 32, 33, land)
    grey = np.array([0.4, 0.4, 0.42]) + rng.normal(0, 0.05)
    left, right = -rng.uniform(0, 8), 32 + rng.uniform(0, 8)
    sheet.polygon([(vanishing - 0.8, horizon), (vanishing + 0.8, horizon), (right, 32), (left, 32)], grey)
    sheet.line([(vanishing, horizon + 1), (16 + rng.uniform(-2, 2), 33)], (0.85, 0.85, 0.8), 0.6)
    for _ in range(rng.poisson(3)):
        side, depth = rng.choice([-1, 1]), rng.uniform(0.1, 0.6)
        tall = 2 + 9 * depth
        tree = vanishing + side * (4 + 26 * depth)
        sheet.rectangle(tree - 0.3, horizon - tall, tree + 0.3, horizon + 3 * depth + 1, (0.3, 0.2, 0.1))
        sheet.ellipse(tree, horizon - tall, 0.4 * tall, 0.5 * tall, (0.1, 0.35, 0.12))
    ink = canvas.colour(factors["colour"], rng)
    if factors["distance"] == "near":
        _car(sheet, 16 + rng.uniform(-3, 3), rng.uniform(22, 26), rng.uniform(6, 8.5), ink)
    elif factors["distance"] == "far":
        _car(sheet, vanishing + rng.uniform(-1.2, 1.2), horizon + rng.uniform(2, 4), rng.uniform(1.4, 2.3), ink)
    elif factors["distance"] == "side":
        side = rng.choice([-1, 1])
        _car(sheet, 16 + side * rng.uniform(11, 15), rng.uniform(20, 25), rng.uniform(6.5, 9), ink)
    return canvas.finish(sheet.array(), rng, hard)


def _car(sheet: canvas.Sheet, x: float, y: float, half: float, ink: np.ndarray) -> None:
    """A car from behind, `half` its width to each side of x, standing at y + 0.6 half."""
    sheet.rectangle(x - 0.85 * half, y + 0.3 * half, x - 0.5 * half, y + 0.75 * half, (0.05, 0.05, 0.05))
    sheet.rectangle(x + 0.5 * half, y + 0.3 * half, x + 0.85 * half, y + 0.75 * half, (0.05, 0.05, 0.05))
    roof = [(x - 0.55 * half, y - 0.85 * half), (x + 0.55 * half, y - 0.85 * half)]
    sheet.polygon([*roof, (x + 0.8 * half, y - 0.2 * half), (x - 0.8 * half, y - 0.2 * half)], ink)
    pane = [(x - 0.45 * half, y - 0.72 * half), (x + 0.45 * half, y - 0.72 * half)]
    sheet.polygon([*pane, (x + 0.62 * half, y - 0.25 * half), (x - 0.62 * half, y - 0.25 * half)], (0.2, 0.25, 0.3))
    sheet.rectangle(x - half, y - 0.22 * half, x + half, y + 0.5 * half, ink)
    for side in (-1, 1):
        sheet.ellipse(x + side * 0.75 * half, y + 0.08 * half, 0.16 * half, 0.14 * half, (0.95, 0.2, 0.1))


def _road(number: int, rng: np.random.Generator) -> Factors:
    colour = str(rng.choice(["red", "blue", "white", "black", "yellow", "green"]))
    return {"distance": tuple(DISTANCES)[number % 4], "colour": colour, "hard": task_hardness(rng)}


TASKS = (
    MiniTask(
        Task(
            name="distance", title="Distance to the next car", family="space", class_names=tuple(DISTANCES.values()), templates=("{}",),
            drawn=("vehicle", "colour", "position", "night"), labelled=("distance",),
        ),
        ImageSet("roads", _road, draw_road, looks.night), lambda factors: DISTANCES[factors["distance"]],
        sizes(4, train=80, validation=20, test=110),
    ),
)  # fmt: skip
