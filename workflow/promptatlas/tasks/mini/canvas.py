"""How a small image is drawn: backgrounds, filled outlines, textures, colours, wear and tear.

Coordinates are pixels of the finished 32 x 32 image; outlines are drawn four times as large and averaged down.
"""

import colorsys
import math
from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image, ImageDraw

Colour = Sequence[float] | np.ndarray
Outline = Sequence[Sequence[float]] | np.ndarray
SIZE = 32
SCALE = 4

# name: (hue centre, hue spread, lowest and highest saturation, lowest and highest value)
COLOURS = {
    "red": (0.0, 0.025, 0.75, 1.0, 0.6, 0.95),
    "orange": (0.075, 0.02, 0.8, 1.0, 0.85, 1.0),
    "yellow": (0.155, 0.02, 0.75, 1.0, 0.85, 1.0),
    "green": (0.34, 0.05, 0.6, 1.0, 0.4, 0.8),
    "cyan": (0.5, 0.025, 0.6, 1.0, 0.7, 1.0),
    "blue": (0.63, 0.035, 0.7, 1.0, 0.5, 0.95),
    "purple": (0.77, 0.03, 0.55, 1.0, 0.4, 0.8),
    "pink": (0.91, 0.03, 0.4, 0.7, 0.85, 1.0),
    "brown": (0.07, 0.02, 0.6, 0.85, 0.3, 0.5),
    "white": (0.0, 0.5, 0.0, 0.04, 0.92, 1.0),
    "grey": (0.0, 0.5, 0.0, 0.05, 0.4, 0.62),
    "black": (0.0, 0.5, 0.0, 0.3, 0.0, 0.13),
}
HUES = ("red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink")


class Sheet:
    """An image under construction, drawn four times as large; colours are RGB triples in 0..1."""

    def __init__(self, background: np.ndarray) -> None:
        """`background` is one RGB triple or an array (32, 32, 3)."""
        if background.ndim == 1:
            self.image = Image.new("RGB", (SIZE * SCALE, SIZE * SCALE), _bytes(background))
        else:
            small = Image.fromarray((background.clip(0, 1) * 255).astype(np.uint8))
            self.image = small.resize((SIZE * SCALE, SIZE * SCALE), Image.Resampling.BILINEAR)
        self.pen = ImageDraw.Draw(self.image)

    def polygon(self, points: Outline, colour: Colour) -> None:
        """Fill the outline `points` [(x, y), ...]."""
        self.pen.polygon([(x * SCALE, y * SCALE) for x, y in points], fill=_bytes(colour))

    def ellipse(self, x: float, y: float, rx: float, ry: float, colour: Colour) -> None:
        """Fill the axis-parallel ellipse around (x, y)."""
        box = [(x - rx) * SCALE, (y - ry) * SCALE, (x + rx) * SCALE, (y + ry) * SCALE]
        self.pen.ellipse(box, fill=_bytes(colour))

    def rectangle(self, left: float, top: float, right: float, bottom: float, colour: Colour) -> None:
        """Fill the axis-parallel rectangle."""
        self.pen.rectangle([left * SCALE, top * SCALE, right * SCALE, bottom * SCALE], fill=_bytes(colour))

    def line(self, points: Outline, colour: Colour, width: float) -> None:
        """Draw a polyline `width` pixels thick with rounded joints."""
        scaled = [(x * SCALE, y * SCALE) for x, y in points]
        self.pen.line(scaled, fill=_bytes(colour), width=max(1, round(width * SCALE)), joint="curve")

    def arc(self, x: float, y: float, rx: float, ry: float, start: float, end: float, colour: Colour, width: float) -> None:
        """Draw an elliptic arc from `start` to `end` degrees, clockwise from three o'clock."""
        box = [(x - rx) * SCALE, (y - ry) * SCALE, (x + rx) * SCALE, (y + ry) * SCALE]
        self.pen.arc(box, start, end, fill=_bytes(colour), width=max(1, round(width * SCALE)))

    def array(self) -> np.ndarray:
        """The image averaged down, float (32, 32, 3) in 0..1."""
        return np.asarray(self.image.reduce(SCALE), dtype=np.float32) / 255


def coverage(outlines: Iterable[Outline], holes: Iterable[Outline] = ()) -> np.ndarray:
    """How much of each pixel the polygons `outlines` cover, less the polygons `holes`: (32, 32) in 0..1."""
    image = Image.new("L", (SIZE * SCALE, SIZE * SCALE), 0)
    pen = ImageDraw.Draw(image)
    for polygons, value in ((outlines, 255), (holes, 0)):
        for points in polygons:
            pen.polygon([(x * SCALE, y * SCALE) for x, y in points], fill=value)
    return np.asarray(image.reduce(SCALE), dtype=np.float32) / 255


def colour(name: str, rng: np.random.Generator) -> np.ndarray:
    """An RGB triple that most people would call `name`."""
    hue, spread, low_s, high_s, low_v, high_v = COLOURS[name]
    hue = (hue + rng.uniform(-spread, spread)) % 1.0
    return np.array(colorsys.hsv_to_rgb(hue, rng.uniform(low_s, high_s), rng.uniform(low_v, high_v)))


def paper(rng: np.random.Generator, away_from: np.ndarray, distance: float = 0.45) -> np.ndarray:
    """A pale, dark or dull RGB triple at least `distance` away from the colour that must stay visible on it."""
    while True:
        shade = rng.uniform(0.03, 0.97)
        triple = np.clip(shade + rng.normal(0, 0.05, 3), 0, 1)
        if np.linalg.norm(triple - away_from) > distance:
            return triple


def background(rng: np.random.Generator, base: np.ndarray, hard: float) -> np.ndarray:
    """A (32, 32, 3) ground around the colour `base`: plain, shaded or blotchy, the more so the harder."""
    kind = rng.integers(3)
    if kind == 0:
        return np.broadcast_to(base, (SIZE, SIZE, 3)).astype(np.float32)
    if kind == 1:
        angle = rng.uniform(0, 2 * math.pi)
        slope = (math.cos(angle) * XS + math.sin(angle) * YS) / SIZE
        return (base + (slope * rng.uniform(0.1, 0.3) * (0.3 + hard))[..., None]).astype(np.float32)
    return base + 0.12 * (0.3 + hard) * blotches(rng, int(rng.integers(4, 9)))[..., None]


def blotches(rng: np.random.Generator, cells: int) -> np.ndarray:
    """Smooth noise (32, 32), about -1..1, with `cells` bumps across."""
    small = rng.uniform(-1, 1, (cells, cells)).astype(np.float32)
    return np.asarray(Image.fromarray(small).resize((SIZE, SIZE), Image.Resampling.BICUBIC))


def clutter(sheet: Sheet, rng: np.random.Generator, hard: float, tint: np.ndarray) -> None:
    """Scratch a few thin lines near the colour `tint` across the sheet, more on harder images."""
    for _ in range(rng.poisson(3 * hard)):
        shade = np.clip(tint + rng.normal(0, 0.18), 0, 1)
        sheet.line(rng.uniform(-4, SIZE + 4, (2, 2)).tolist(), shade, rng.uniform(0.4, 1.1))


def finish(image: np.ndarray, rng: np.random.Generator, hard: float) -> np.ndarray:
    """Wear and tear, then bytes: lower contrast, a shift of brightness, sensor noise. (32, 32, 3) uint8."""
    contrast = 1 - 0.5 * hard * rng.random()
    brightness = rng.uniform(-0.12, 0.12) * (0.3 + hard)
    noise = 0.015 + 0.075 * hard * rng.random()
    grain = rng.standard_normal(image.shape, dtype=np.float32) * noise
    image = 0.5 + (image - 0.5) * contrast + brightness + grain
    return (image.clip(0, 1) * 255).round().astype(np.uint8)


def mix(ground: np.ndarray, cover: np.ndarray, ink: np.ndarray) -> np.ndarray:
    """Lay `ink` (RGB or (32, 32, 3)) over `ground` where `cover` (32, 32) says so."""
    return ground + cover[..., None] * (ink - ground)


def turned(points: np.ndarray, angle: float) -> np.ndarray:
    """Rotate points (N, 2) by `angle` radians around the origin."""
    c, s = math.cos(angle), math.sin(angle)
    return points @ np.array([[c, s], [-s, c]])


def _bytes(triple: Colour) -> tuple[int, int, int]:
    r, g, b = (min(255, max(0, round(255 * float(v)))) for v in triple)
    return r, g, b


YS, XS = (grid.astype(np.float32) - (SIZE - 1) / 2 for grid in np.mgrid[0:SIZE, 0:SIZE])
