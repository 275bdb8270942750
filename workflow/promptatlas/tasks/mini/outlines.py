"""Outlines of named shapes as polygons."""

import math

import numpy as np

from promptatlas.tasks.mini.canvas import coverage, turned

SHAPES = ("circle", "square", "triangle", "star", "heart", "cross", "crescent", "diamond", "ring", "arrow")
SIMPLE_SHAPES = ("circle", "square", "triangle", "star", "heart", "cross", "ring", "arrow")
POLYGONS = {"pentagon": 5, "hexagon": 6, "heptagon": 7, "octagon": 8}
STARS = {"four-pointed star": 4, "five-pointed star": 5, "six-pointed star": 6, "eight-pointed star": 8}
FINE_SHAPES = (*POLYGONS, *STARS)


def regular(corners: int) -> np.ndarray:
    """Regular polygon in the unit circle, one corner up: (corners, 2)."""
    angles = np.arange(corners) * 2 * math.pi / corners - math.pi / 2
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def star(points: int, inner: float) -> np.ndarray:
    """Star with `points` tips on the unit circle and notches at radius `inner`."""
    outline = regular(2 * points)
    outline[1::2] *= inner
    return outline


def _crescent() -> np.ndarray:
    outer = np.linspace(0.18 * math.pi, 1.82 * math.pi, 24)
    inner = np.linspace(1.68 * math.pi, 0.32 * math.pi, 24)
    bow = np.stack([0.3 + 0.72 * np.cos(inner), 0.72 * np.sin(inner)], axis=1)
    return np.concatenate([np.stack([np.cos(outer), np.sin(outer)], axis=1), bow])


def _heart() -> np.ndarray:
    t = np.linspace(0, 2 * math.pi, 32, endpoint=False)
    x = 16 * np.sin(t) ** 3
    y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
    return np.stack([x, y], axis=1) / 17


_ARM = 0.34
_CROSS = np.array([
    (-_ARM, -1), (_ARM, -1), (_ARM, -_ARM), (1, -_ARM), (1, _ARM), (_ARM, _ARM),
    (_ARM, 1), (-_ARM, 1), (-_ARM, _ARM), (-1, _ARM), (-1, -_ARM), (-_ARM, -_ARM),
])  # fmt: skip
UNIT = {
    "circle": regular(40),
    "ring": regular(40),
    "square": np.array([(-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)]),
    "triangle": regular(3),
    "star": star(5, 0.42),
    "heart": _heart(),
    "cross": _CROSS,
    "crescent": _crescent(),
    "diamond": np.array([(0, -1), (0.68, 0), (0, 1), (-0.68, 0)]),
    "arrow": np.array([(1, 0), (0.1, -0.8), (0.1, -0.3), (-1, -0.3), (-1, 0.3), (0.1, 0.3), (0.1, 0.8)]),
    **{name: regular(corners) for name, corners in POLYGONS.items()},
    **{name: star(tips, 0.45 if tips < 8 else 0.62) for name, tips in STARS.items()},
}


def placed(shape: str, x: float, y: float, radius: float, angle: float) -> np.ndarray:
    """Outline of `shape` around (x, y), turned by `angle` radians: (N, 2)."""
    return turned(UNIT[shape], angle) * radius + (x, y)


def shape_coverage(shape: str, x: float, y: float, radius: float, angle: float) -> np.ndarray:
    """Coverage (32, 32) of `shape`; the ring keeps its hole."""
    holes = [placed("circle", x, y, 0.52 * radius, 0).tolist()] if shape == "ring" else []
    return coverage([placed(shape, x, y, radius, angle).tolist()], holes)
