"""Several things per image: the tasks counts_dots, and scenes and counts_shapes, which share their images."""

import numpy as np

from promptatlas.tasks.mini import canvas, looks
from promptatlas.tasks.mini.images import Factors, ImageSet, MiniTask, sizes, task_hardness
from promptatlas.tasks.mini.outlines import SIMPLE_SHAPES, shape_coverage
from promptatlas.tasks.task import Task

NUMBERS = ("one", "two", "three", "four", "five", "six")


def draw_dots(factors: Factors, rng: np.random.Generator) -> np.ndarray:
    """Dots of one colour that do not touch. Factors: count, colour, hard."""
    hard = factors["hard"]
    ink = canvas.colour(factors["colour"], rng)
    ground = canvas.paper(rng, ink, 0.6 - 0.2 * hard)
    sheet = canvas.Sheet(canvas.background(rng, ground, hard))
    canvas.clutter(sheet, rng, 0.6 * hard, ground)
    radius = rng.uniform(1.8, 2.9)
    for x, y in scattered(factors["count"], 2 * radius + 1.2, 3.5, rng):
        sheet.ellipse(x, y, radius * rng.uniform(0.85, 1.15), radius, ink)
    return canvas.finish(sheet.array(), rng, hard)


def draw_scene(factors: Factors, rng: np.random.Generator) -> np.ndarray:
    """Several small shapes side by side. Factors: shapes, colours (lists of equal length), hard."""
    hard = factors["hard"]
    inks = [canvas.colour(name, rng) for name in factors["colours"]]
    ground = canvas.paper(rng, inks[0], 0.5)
    image = canvas.background(rng, ground, hard)
    cells = rng.permutation(9)[: len(inks)]
    for shape, ink, cell in zip(factors["shapes"], inks, cells, strict=True):
        if np.linalg.norm(ink - ground) < 0.35:
            ink = 1 - ground
        x, y = 5.6 + 10.4 * np.array(divmod(int(cell), 3)) + rng.uniform(-0.9, 0.9, 2)
        cover = shape_coverage(shape, x, y, rng.uniform(4.0, 5.1), rng.uniform(-0.25, 0.25))
        image = canvas.mix(image, cover, ink)
    return canvas.finish(image, rng, hard)


def scattered(count: int, apart: float, margin: float, rng: np.random.Generator) -> np.ndarray:
    """`count` random points (count, 2) at least `apart` from each other and `margin` from the border."""
    while True:
        points: list[np.ndarray] = []
        for _ in range(60):
            point = rng.uniform(margin, canvas.SIZE - margin, 2)
            if all(np.hypot(*(point - other)) >= apart for other in points):
                points.append(point)
            if len(points) == count:
                return np.array(points)


def random_scene(count: int, rng: np.random.Generator, hard: float) -> Factors:
    """Factors of a scene with `count` shapes."""
    return {
        "count": count,
        "shapes": rng.choice(SIMPLE_SHAPES, count).tolist(),
        "colours": rng.choice(canvas.HUES, count).tolist(),
        "hard": hard,
    }


def _some_dots(number: int, rng: np.random.Generator) -> Factors:
    colour = str(rng.choice(list(canvas.COLOURS)))
    return {"count": number % 6 + 1, "colour": colour, "hard": task_hardness(rng)}


def _some_shapes(number: int, rng: np.random.Generator) -> Factors:
    return random_scene(number % 6 + 1, rng, task_hardness(rng))


SCENES = ImageSet("scenes", _some_shapes, draw_scene, looks.haze)
SCENES_SIZES = sizes(6, train=72, validation=20, test=75)
COUNT_OF = dict(enumerate(NUMBERS, start=1))

TASKS = (
    MiniTask(
        Task(
            name="scenes", title="What is in the scene", family="object", class_names=SIMPLE_SHAPES,
            templates=("a photo of a {}.", "a scene with a {}."), metric="map_11_point", multilabel=True,
            drawn=("shape", "colour", "count", "haze"), labelled=("shape",),
        ),
        SCENES, lambda factors: set(factors["shapes"]), SCENES_SIZES,
    ),
    MiniTask(
        Task(
            name="counts_dots", title="Counting dots", family="count", class_names=NUMBERS,
            templates=("a photo of {} objects.", "{} dots."), drawn=("count", "colour", "haze"), labelled=("count",),
        ),
        ImageSet("dots", _some_dots, draw_dots, looks.haze), lambda factors: COUNT_OF[factors["count"]], sizes(6, test=70),
    ),
    MiniTask(
        Task(
            name="counts_shapes", title="Counting shapes", family="count", class_names=NUMBERS,
            templates=("a photo of {} objects.", "{} shapes."), drawn=("shape", "colour", "count", "haze"), labelled=("count",),
        ),
        SCENES, lambda factors: COUNT_OF[factors["count"]], SCENES_SIZES,
    ),
)  # fmt: skip
