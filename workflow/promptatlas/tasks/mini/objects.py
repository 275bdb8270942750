"""One coloured shape per image: the tasks shapes, shapes_fine, colors and position."""

import math

import numpy as np

from promptatlas.tasks.mini import canvas, looks
from promptatlas.tasks.mini.images import Factors, ImageSet, MiniTask, sizes, task_hardness
from promptatlas.tasks.mini.outlines import FINE_SHAPES, SHAPES, shape_coverage
from promptatlas.tasks.mini.textures import texture
from promptatlas.tasks.task import Task

PLACES = {
    f"{row} {column}".replace("middle centre", "centre").replace("middle ", "").replace(" centre", ""): (x, y)
    for row, y in (("top", 6.5), ("middle", 16.0), ("bottom", 25.5))
    for column, x in (("left", 6.5), ("centre", 16.0), ("right", 25.5))
}


def draw_object(factors: Factors, rng: np.random.Generator) -> np.ndarray:
    """A shape of one colour, perhaps with a texture in a second colour, on a quiet or cluttered ground.

    Factors: shape, colour, texture ("plain" or a name), place (one of PLACES or "anywhere"), size, hard.
    """
    hard = factors["hard"]
    ink = canvas.colour(factors["colour"], rng)
    ground = canvas.paper(rng, ink, 0.6 - 0.25 * hard)
    sheet = canvas.Sheet(canvas.background(rng, ground, hard))
    canvas.clutter(sheet, rng, hard, ground)
    radius = rng.uniform(3.2, 5.2) if factors["size"] == "small" else rng.uniform(7.0, 12.0)
    if factors["place"] == "anywhere":
        room = 14.5 - radius
        x, y = 16 + rng.uniform(-room, room, 2)
    else:
        x, y = np.array(PLACES[factors["place"]]) + rng.uniform(-1.5, 1.5, 2)
    cover = shape_coverage(factors["shape"], x, y, radius, _angle(factors["shape"], rng))
    fill = ink
    if factors["texture"] != "plain":
        second = canvas.paper(rng, ink, 0.5)
        fill = canvas.mix(np.broadcast_to(ink, (32, 32, 3)), texture(factors["texture"], rng, x, y), second)
    return canvas.finish(canvas.mix(sheet.array(), cover, fill), rng, hard)


def _angle(shape: str, rng: np.random.Generator) -> float:
    """Any turn that does not change the name: a square on its corner would be a diamond."""
    if shape in ("arrow", *FINE_SHAPES):
        return rng.uniform(0, 2 * math.pi)
    return rng.uniform(-0.3, 0.3) if shape in ("square", "diamond") else rng.uniform(-0.6, 0.6)


def _coloured_shape(number: int, rng: np.random.Generator) -> Factors:
    """All 80 pairs of shape and colour equally often."""
    shape = SHAPES[number % len(SHAPES)]
    colour = canvas.HUES[number // len(SHAPES) % len(canvas.HUES)]
    return {"shape": shape, "colour": colour, **_loose(rng)}


def _fine_shape(number: int, rng: np.random.Generator) -> Factors:
    return {"shape": FINE_SHAPES[number % 8], "colour": str(rng.choice(list(canvas.COLOURS))), **_loose(rng)}


def _placed_shape(number: int, rng: np.random.Generator) -> Factors:
    factors = {"shape": str(rng.choice(SHAPES)), "colour": str(rng.choice(list(canvas.COLOURS)))}
    return {**factors, **_loose(rng), "size": "small", "place": list(PLACES)[number % len(PLACES)]}


def _loose(rng: np.random.Generator) -> Factors:
    return {"texture": "plain", "place": "anywhere", "size": "large", "hard": task_hardness(rng)}


COLOURED_SHAPES = ImageSet("coloured shapes", _coloured_shape, draw_object, looks.watermark)
COLOURED_SHAPES_SIZES = {"train": 640, "validation": 160, "test": 480}

TASKS = (
    MiniTask(
        Task(
            name="shapes", title="Shapes", family="object", class_names=SHAPES,
            templates=("a photo of a {}.", "a drawing of a {}.", "a picture of a {} shape."), drawn=("shape", "colour", "watermark"),
            labelled=("shape",),
        ),
        COLOURED_SHAPES, lambda factors: factors["shape"], COLOURED_SHAPES_SIZES,
    ),
    MiniTask(
        Task(
            name="shapes_fine", title="Polygons and stars", family="object", class_names=FINE_SHAPES,
            templates=("a photo of a {}, a type of shape.", "a drawing of a {}."), metric="mean_per_class",
            drawn=("shape", "colour", "watermark"), labelled=("shape",),
        ),
        ImageSet("polygons and stars", _fine_shape, draw_object, looks.watermark), lambda factors: factors["shape"], sizes(8),
    ),
    MiniTask(
        Task(
            name="colors", title="Colours", family="colour", class_names=canvas.HUES,
            templates=("a photo of something {}.", "a {} thing.", "a {} shape."), drawn=("shape", "colour", "watermark"),
            labelled=("colour",),
        ),
        COLOURED_SHAPES, lambda factors: factors["colour"], COLOURED_SHAPES_SIZES,
    ),
    MiniTask(
        Task(
            name="position", title="Position", family="space", class_names=tuple(PLACES),
            templates=("a photo of an object at the {}.", "something small in the {}."), drawn=("shape", "colour", "position", "tag"),
            labelled=("position",),
        ),
        ImageSet("placed shapes", _placed_shape, draw_object, looks.tag), lambda factors: factors["place"], sizes(9),
    ),
)  # fmt: skip
