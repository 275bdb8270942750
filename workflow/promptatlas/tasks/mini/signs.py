"""Traffic signs: outline, colour and pictogram together make the class; some classes are rare, as on real roads."""

from dataclasses import dataclass

import numpy as np

from promptatlas.tasks.mini import canvas, looks
from promptatlas.tasks.mini.glyphs import text_coverage
from promptatlas.tasks.mini.images import Factors, ImageSet, MiniTask, task_hardness
from promptatlas.tasks.mini.outlines import placed
from promptatlas.tasks.task import Task


@dataclass(frozen=True)
class Sign:
    """Outer shape and colour, inner colour (or none), pictogram, and how common it is."""

    outline: str
    rim: str
    field: str
    pictogram: str
    weight: int


SIGNS = {
    "stop": Sign("octagon", "red", "red", "bar", 5),
    "yield": Sign("down", "red", "white", "", 8),
    "no entry": Sign("circle", "red", "red", "bar", 5),
    "no vehicles": Sign("circle", "red", "white", "", 3),
    "speed limit 30": Sign("circle", "red", "white", "30", 9),
    "speed limit 80": Sign("circle", "red", "white", "80", 9),
    "priority road": Sign("diamond", "white", "yellow", "", 8),
    "general caution": Sign("triangle", "red", "white", "!", 5),
    "crossroads": Sign("triangle", "red", "white", "cross", 2),
    "ahead only": Sign("circle", "blue", "blue", "up", 5),
    "turn right": Sign("circle", "blue", "blue", "right", 3),
    "turn left": Sign("circle", "blue", "blue", "left", 2),
}
ROUND = tuple(name for name, sign in SIGNS.items() for _ in range(sign.weight))
ARROWS = {"up": -np.pi / 2, "right": 0.0, "left": np.pi}
UNIT_OUTLINE = {"square": "diamond", "down": "triangle"}


def draw_sign(factors: Factors, rng: np.random.Generator) -> np.ndarray:
    """A sign on its pole in front of sky, trees or walls. Factors: sign, hard."""
    hard, sign = factors["hard"], SIGNS[factors["sign"]]
    sky = canvas.colour(str(rng.choice(["blue", "grey", "white", "cyan"])), rng) * 0.5 + 0.35
    land = canvas.colour(str(rng.choice(["green", "brown", "grey"])), rng)
    sheet = canvas.Sheet(canvas.background(rng, sky, hard))
    sheet.rectangle(0, rng.uniform(14, 30), 32, 33, land)
    canvas.clutter(sheet, rng, 1.5 * hard, land)
    radius = rng.uniform(8.5, 12.5)
    x, y = 16 + rng.uniform(-2.5, 2.5), 14.5 + rng.uniform(-2, 2)
    sheet.rectangle(x - 0.8, y, x + 0.8, 33, (0.45, 0.45, 0.47))
    rim, field = canvas.colour(sign.rim, rng), canvas.colour(sign.field, rng)
    turn = rng.uniform(-0.15, 0.15)
    sheet.polygon(_board(sign.outline, x, y, radius, turn), rim)
    sheet.polygon(_board(sign.outline, x, y, 0.68 * radius, turn), field)
    image = _pictogram(sheet, sign, x, y, radius, turn)
    shade = rng.uniform(0.45, 1.0) if rng.random() < hard else 1.0
    return canvas.finish(image * shade, rng, hard)


def _board(outline: str, x: float, y: float, radius: float, turn: float) -> list:
    angle = turn + {"down": np.pi, "octagon": np.pi / 8}.get(outline, 0.0)
    if outline == "diamond":
        points = placed("square", 0, 0, radius, angle + np.pi / 4)
        return (points + np.array((x, y))).tolist()
    return placed(UNIT_OUTLINE.get(outline, outline), x, y, radius, angle).tolist()


def _pictogram(sheet: canvas.Sheet, sign: Sign, x: float, y: float, radius: float, turn: float) -> np.ndarray:
    """Draw what is on the board and average the sheet down."""
    ink = (0.97, 0.97, 0.97) if sign.rim == sign.field else (0.05, 0.05, 0.05)
    if sign.pictogram in ARROWS:
        sheet.polygon(placed("arrow", x, y, 0.62 * radius, turn + ARROWS[sign.pictogram]).tolist(), ink)
    elif sign.pictogram == "bar":
        thick = 0.2 if sign.outline == "circle" else 0.3
        sheet.rectangle(x - 0.62 * radius, y - thick * radius, x + 0.62 * radius, y + thick * radius, ink)
    elif sign.pictogram == "cross":
        sheet.polygon(placed("cross", x, y + 0.08 * radius, 0.33 * radius, turn + np.pi / 4).tolist(), ink)
    elif sign.pictogram:
        cover = text_coverage(sign.pictogram, "DejaVuSans-Bold", radius, x, y, 0)
        return canvas.mix(sheet.array(), cover, np.array(ink))
    return sheet.array()


def _sign(number: int, rng: np.random.Generator) -> Factors:
    """Signs come round in a fixed ring, common ones more often: the split is imbalanced but the same for all seeds."""
    return {"sign": ROUND[number * 7 % len(ROUND)], "hard": task_hardness(rng)}


TASKS = (
    MiniTask(
        Task(
            name="signs", title="Traffic signs", family="sign", class_names=tuple(SIGNS),
            templates=('a zoomed in photo of a "{}" traffic sign.', 'a photo of a "{}" sign.'), metric="mean_per_class",
            drawn=("shape", "colour", "pictogram", "night"), labelled=("shape", "colour", "pictogram"),
        ),
        ImageSet("signs", _sign, draw_sign, looks.night), lambda factors: factors["sign"],
        {"train": 10 * len(ROUND), "validation": 2 * len(ROUND), "test": 8 * len(ROUND)},
    ),
)  # fmt: skip
