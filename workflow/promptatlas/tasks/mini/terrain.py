"""Pieces of land from above, one function per kind, each (32, 32, 3) in about 0..1."""

import math
from collections.abc import Sequence

import numpy as np

from promptatlas.tasks.mini.canvas import Sheet, blotches

GREEN, GRASS, SAND, WATER = (0.13, 0.3, 0.12), (0.4, 0.58, 0.27), (0.85, 0.76, 0.55), (0.1, 0.25, 0.45)
ASPHALT, ROOF = (0.42, 0.42, 0.43), (0.7, 0.4, 0.3)


def forest(rng: np.random.Generator) -> np.ndarray:
    """Dark crowns, close together."""
    return _ground(GREEN, rng, 14, 0.12)


def pasture(rng: np.random.Generator) -> np.ndarray:
    """Even light green, perhaps a hedge."""
    sheet = Sheet(_ground(GRASS, rng, 3, 0.05))
    if rng.random() < 0.5:
        sheet.line(_across(rng), _near(GREEN, rng), 1.0)
    return sheet.array()


def field(rng: np.random.Generator) -> np.ndarray:
    """A patchwork of furrowed strips in green, yellow and brown."""
    sheet = Sheet(np.array(_near((0.6, 0.55, 0.3), rng)))
    turn, x = rng.uniform(-0.5, 0.5), -12.0
    crops = [(0.75, 0.7, 0.35), (0.45, 0.55, 0.25), (0.55, 0.42, 0.28), (0.62, 0.66, 0.4)]
    while x < 44:
        width, crop = rng.uniform(5, 12), _near(crops[rng.integers(4)], rng)
        sheet.polygon(_strip(x, width, turn), crop)
        for furrow in np.arange(x, x + width, 2.2):
            sheet.line(_strip(furrow, 0, turn)[:2], [0.85 * c for c in crop], 0.6)
        x += width
    return sheet.array()


def road(rng: np.random.Generator) -> np.ndarray:
    """A straight grey road with a pale middle line through open land."""
    sheet = Sheet(_ground(GRASS if rng.random() < 0.6 else SAND, rng, 5, 0.08))
    line, width = _across(rng), rng.uniform(2.5, 4.5)
    sheet.line(line, _near(ASPHALT, rng), width)
    sheet.line(line, (0.85, 0.85, 0.8), 0.5)
    return sheet.array()


def houses(rng: np.random.Generator) -> np.ndarray:
    """Rows of small red and grey roofs between gardens and lanes."""
    sheet = Sheet(_ground((0.42, 0.5, 0.33), rng, 8, 0.1))
    step = rng.uniform(5.2, 7.0)
    for x in np.arange(rng.uniform(0, 3), 34, step):
        for y in np.arange(rng.uniform(0, 3), 34, step):
            roof = _near(ROOF if rng.random() < 0.7 else (0.6, 0.58, 0.56), rng)
            w, h = rng.uniform(1.4, 2.2, 2)
            sheet.rectangle(x - w, y - h, x + w, y + h, roof)
    return sheet.array()


def factory(rng: np.random.Generator) -> np.ndarray:
    """A few large pale halls on concrete."""
    sheet = Sheet(_ground((0.5, 0.5, 0.48), rng, 5, 0.07))
    for _ in range(rng.integers(2, 4)):
        x, y = rng.uniform(4, 28, 2)
        w, h = rng.uniform(4, 8), rng.uniform(3, 6)
        sheet.rectangle(x - w + 1, y - h + 1, x + w + 1, y + h + 1, (0.22, 0.22, 0.24))
        sheet.rectangle(x - w, y - h, x + w, y + h, _near((0.8, 0.82, 0.85), rng))
    return sheet.array()


def river(rng: np.random.Generator) -> np.ndarray:
    """A winding band of water through green land."""
    sheet = Sheet(_ground(GRASS if rng.random() < 0.5 else GREEN, rng, 8, 0.08))
    t = np.linspace(-4, 36, 24)
    bend = 16 + rng.uniform(-5, 5) + rng.uniform(3, 6) * np.sin(t / rng.uniform(4, 7) + rng.uniform(0, 6))
    path = np.stack([t, bend] if rng.random() < 0.5 else [bend, t], axis=1)
    sheet.line(path.tolist(), _near(WATER, rng), rng.uniform(3.5, 6.5))
    return sheet.array()


def lake(rng: np.random.Generator) -> np.ndarray:
    """Open water, perhaps with one shore."""
    sheet = Sheet(_ground(WATER, rng, 6, 0.05))
    if rng.random() < 0.35:
        (x, y), (rx, ry) = rng.choice([-4, 36], 2), rng.uniform(8, 15, 2)
        sheet.ellipse(x, y, rx, ry, _near(GRASS, rng))
    return sheet.array()


def beach(rng: np.random.Generator) -> np.ndarray:
    """Sea, a white line of surf, sand."""
    sheet = Sheet(_ground((0.15, 0.45, 0.6), rng, 6, 0.06))
    turn, x = rng.uniform(0, 2 * math.pi), rng.uniform(12, 20)
    sheet.polygon(_strip(x - 1.5, 60, turn), (0.95, 0.97, 0.97))
    sheet.polygon(_strip(x, 60, turn), _near(SAND, rng))
    return sheet.array()


def airport(rng: np.random.Generator) -> np.ndarray:
    """A long runway with marks, and a taxiway at an angle."""
    sheet = Sheet(_ground((0.55, 0.6, 0.38), rng, 5, 0.06))
    turn = rng.uniform(0, math.pi)
    sheet.polygon(_strip(rng.uniform(7, 10), 2.4, turn + rng.uniform(0.3, 0.6)), (0.52, 0.52, 0.53))
    x = rng.uniform(13, 16)
    sheet.polygon(_strip(x, 5.5, turn), (0.3, 0.3, 0.32))
    (x0, y0), (x1, y1) = _strip(x + 2.75, 0, turn)[:2]
    for a in np.arange(0.2, 0.8, 0.05):
        b = a + 0.025
        mark = [(x0 + a * (x1 - x0), y0 + a * (y1 - y0)), (x0 + b * (x1 - x0), y0 + b * (y1 - y0))]
        sheet.line(mark, (0.95, 0.95, 0.95), 0.8)
    return sheet.array()


def stadium(rng: np.random.Generator) -> np.ndarray:
    """A green pitch inside an oval track."""
    sheet = Sheet(_ground((0.55, 0.55, 0.52), rng, 6, 0.08))
    x, y = 16 + rng.uniform(-2, 2, 2)
    rx, ry = rng.uniform(11, 14), rng.uniform(7, 9)
    if rng.random() < 0.5:
        rx, ry = ry, rx
    sheet.ellipse(x, y, rx, ry, (0.85, 0.85, 0.86))
    sheet.ellipse(x, y, 0.82 * rx, 0.82 * ry, _near((0.72, 0.33, 0.25), rng))
    sheet.ellipse(x, y, 0.62 * rx, 0.62 * ry, _near((0.25, 0.6, 0.25), rng))
    return sheet.array()


def parking(rng: np.random.Generator) -> np.ndarray:
    """Rows of small cars on asphalt."""
    sheet = Sheet(_ground((0.36, 0.36, 0.38), rng, 5, 0.05))
    for y in np.arange(rng.uniform(1, 4), 33, rng.uniform(5.5, 7)):
        for x in np.arange(rng.uniform(0, 2), 33, 2.9):
            if rng.random() < 0.8:
                sheet.rectangle(x - 0.9, y - 1.8, x + 0.9, y + 1.8, rng.uniform(0.1, 0.95, 3))
    image = sheet.array()
    return image.transpose(1, 0, 2) if rng.random() < 0.5 else image


def island(rng: np.random.Generator) -> np.ndarray:
    """Green land with a sandy rim, all around it the sea."""
    sheet = Sheet(_ground((0.1, 0.35, 0.55), rng, 6, 0.05))
    x, y = 16 + rng.uniform(-4, 4, 2)
    angles = np.linspace(0, 2 * math.pi, 16, endpoint=False)
    radii = rng.uniform(5, 8) * rng.uniform(0.75, 1.25, 16)
    coast = np.stack([np.cos(angles) * radii, np.sin(angles) * radii], axis=1)
    sheet.polygon((coast * 1.25 + (x, y)).tolist(), SAND)
    sheet.polygon((coast + np.array((x, y))).tolist(), _near(GREEN, rng))
    return sheet.array()


def roundabout(rng: np.random.Generator) -> np.ndarray:
    """Four roads that meet in a ring."""
    sheet = Sheet(_ground(GRASS, rng, 6, 0.08))
    turn, grey = rng.uniform(0, math.pi / 2), _near(ASPHALT, rng)
    for quarter in range(2):
        sheet.polygon(_strip(14, 4, turn + quarter * math.pi / 2), grey)
    radius = rng.uniform(7, 9.5)
    sheet.ellipse(16, 16, radius, radius, grey)
    sheet.ellipse(16, 16, radius - 3.6, radius - 3.6, _near((0.3, 0.5, 0.22), rng))
    return sheet.array()


def desert(rng: np.random.Generator) -> np.ndarray:
    """Pale dunes in soft waves."""
    ground = _ground(SAND, rng, 4, 0.04)
    y, x = np.mgrid[0:32, 0:32]
    turn = rng.uniform(0, math.pi)
    wave = np.sin((x * math.cos(turn) + y * math.sin(turn)) / rng.uniform(1.2, 2.2) + 2 * blotches(rng, 4))
    return ground + 0.07 * wave[..., None]


def _ground(colour: Sequence[float], rng: np.random.Generator, cells: int, depth: float) -> np.ndarray:
    """The colour, a little different each time, with bumps of the given depth."""
    rough = blotches(rng, cells) + 0.4 * rng.standard_normal((32, 32))
    return np.array(_near(colour, rng)) + depth * rough[..., None]


def _near(colour: Sequence[float], rng: np.random.Generator) -> list[float]:
    return [c + d for c, d in zip(colour, rng.normal(0, 0.035, 3) + rng.normal(0, 0.05), strict=True)]


def _across(rng: np.random.Generator) -> list[tuple[float, float]]:
    """A straight line from border to border near the middle."""
    return _strip(16 + rng.uniform(-7, 7), 0, rng.uniform(0, math.pi))[:2]


def _strip(offset: float, width: float, turn: float) -> list[tuple[float, float]]:
    """Corners of the strip from `offset` to `offset + width` across the image, turned around its centre."""
    c, s = math.cos(turn), math.sin(turn)
    corners = [(offset - 16, -30), (offset - 16, 30), (offset + width - 16, 30), (offset + width - 16, -30)]
    return [(16 + c * x - s * y, 16 + s * x + c * y) for x, y in corners]
