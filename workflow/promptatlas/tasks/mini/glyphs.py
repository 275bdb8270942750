"""Characters: the tasks digits_rendered and letters in many type faces, digits_handwritten from real pen strokes.

The handwritten digits are scikit-learn's (UCI Optical Recognition of Handwritten Digits, test part, 8 x 8).
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from promptatlas.base.packages import folder_of
from promptatlas.base.rng import named_rng
from promptatlas.tasks.mini import canvas, looks
from promptatlas.tasks.mini.images import Factors, ImageSet, MiniTask, sizes, task_hardness
from promptatlas.tasks.task import Task

DIGITS = tuple("0123456789")
LETTERS = tuple("ABCDEFGHKLMNPRST")
FONTS = (
    "DejaVuSans",
    "DejaVuSans-Bold",
    "DejaVuSans-Oblique",
    "DejaVuSerif",
    "DejaVuSerif-Bold",
    "DejaVuSerif-Italic",
    "DejaVuSansMono",
    "DejaVuSansMono-Bold",
    "STIXGeneral",
    "STIXGeneralBol",
    "cmr10",
    "cmtt10",
)


@lru_cache(maxsize=512)
def font(name: str, height: int) -> ImageFont.FreeTypeFont:
    """A type face that comes with matplotlib, found without importing it."""
    package = folder_of("matplotlib")
    return ImageFont.truetype(package / "mpl-data" / "fonts" / "ttf" / f"{name}.ttf", height)


def text_coverage(text: str, face: str, height: float, x: float, y: float, angle: float) -> np.ndarray:
    """Coverage (32, 32) of `text` centred on (x, y), `height` pixels to the em, turned by `angle` degrees."""
    image = Image.new("L", (canvas.SIZE * canvas.SCALE, canvas.SIZE * canvas.SCALE), 0)
    centre = (x * canvas.SCALE, y * canvas.SCALE)
    letters = font(face, round(height * canvas.SCALE))
    ImageDraw.Draw(image).text(centre, text, fill=255, font=letters, anchor="mm")
    if angle:
        image = image.rotate(angle, resample=Image.Resampling.BILINEAR, center=centre)
    return np.asarray(image.reduce(canvas.SCALE), dtype=np.float32) / 255


def draw_glyph(factors: Factors, rng: np.random.Generator) -> np.ndarray:
    """One printed character. Factors: glyph, font, colour, hard."""
    hard = factors["hard"]
    ink = canvas.colour(factors["colour"], rng)
    ground = canvas.paper(rng, ink, 0.6 - 0.2 * hard)
    sheet = canvas.Sheet(canvas.background(rng, ground, hard))
    canvas.clutter(sheet, rng, 0.8 * hard, ground)
    x, y = 16 + rng.uniform(-4, 4, 2)
    angle = rng.uniform(-18, 18) * (0.4 + hard)
    cover = text_coverage(factors["glyph"], factors["font"], rng.uniform(20, 32), x, y, angle)
    return canvas.finish(canvas.mix(sheet.array(), cover, ink), rng, hard)


def some_glyph(glyph: str, rng: np.random.Generator, hard: float) -> Factors:
    """Factors of a printed `glyph`."""
    face, colour = str(rng.choice(FONTS)), str(rng.choice(list(canvas.COLOURS)))
    return {"glyph": glyph, "font": face, "colour": colour, "hard": hard}


@lru_cache(maxsize=1)
def handwriting() -> tuple[np.ndarray, np.ndarray]:
    """The real digits, (1797, 8, 8) in 0..1, and which digit each is, (1797,)."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    return (digits.images / 16).astype(np.float32), digits.target


@lru_cache(maxsize=1)
def handwriting_splits() -> dict[str, np.ndarray]:
    """Indices into the real digits: per digit 50 for test, 12 for validation, the rest (105 or more) for training."""
    _, target = handwriting()
    rng = named_rng("mini", "handwritten digits", "splits")
    members = [rng.permutation(np.flatnonzero(target == digit)) for digit in range(10)]
    return {
        "test": np.stack([m[:50] for m in members], axis=1).ravel(),
        "validation": np.stack([m[50:62] for m in members], axis=1).ravel(),
        "train": np.concatenate([m[62:] for m in members]),
    }


def enlarged(digit: np.ndarray, side: int, left: int, top: int) -> np.ndarray:
    """A digit (8, 8) as ink coverage (32, 32), `side` pixels wide and high from (left, top)."""
    ink = np.zeros((canvas.SIZE, canvas.SIZE), np.float32)
    scaled = np.asarray(Image.fromarray(digit).resize((side, side), Image.Resampling.BICUBIC))
    ink[top : top + side, left : left + side] = scaled.clip(0, 1)
    return ink


class HandwrittenDigits:
    """The real digits, white on black, in the shape of an image set."""

    name = "handwritten digits"

    def split(self, split: str, count: int) -> tuple[np.ndarray, list[Factors]]:
        """The first `count` images of `split` and their factors."""
        images, target = handwriting()
        chosen = handwriting_splits()[split][:count]
        ink = np.stack([enlarged(images[index], 28, 2, 2) for index in chosen])
        drawn = np.repeat((ink[..., None] * 255).round().astype(np.uint8), 3, axis=3)
        return drawn, [{"digit": str(target[index]), "source": int(index)} for index in chosen]


def _printed(glyphs: tuple[str, ...]) -> Callable[[int, np.random.Generator], Factors]:
    return lambda number, rng: some_glyph(glyphs[number % len(glyphs)], rng, task_hardness(rng))


TASKS = (
    MiniTask(
        Task(
            name="digits_handwritten", title="Handwritten digits", family="glyph", class_names=DIGITS,
            templates=('a photo of the number: "{}".', "a handwritten digit {}."), drawn=("digit", "handwriting"), labelled=("digit",),
            split_source="scikit-learn load_digits, split by promptatlas",
        ),
        HandwrittenDigits(), lambda factors: factors["digit"], {"train": 1177, "validation": 120, "test": 500},
    ),
    MiniTask(
        Task(
            name="digits_rendered", title="Printed digits", family="glyph", class_names=DIGITS,
            templates=('a photo of the number: "{}".', "a printed digit {}."), drawn=("digit", "print", "colour", "sticker"),
            labelled=("digit",),
        ),
        ImageSet("printed digits", _printed(DIGITS), draw_glyph, looks.sticker), lambda factors: factors["glyph"], sizes(10),
    ),
    MiniTask(
        Task(
            name="letters", title="Printed letters", family="glyph", class_names=LETTERS,
            templates=("a photo of the letter {}.", "a printed {}."), drawn=("letter", "print", "colour", "sticker"),
            labelled=("letter",),
        ),
        ImageSet("printed letters", _printed(LETTERS), draw_glyph, looks.sticker), lambda factors: factors["glyph"], sizes(16, test=30),
    ),
)  # fmt: skip
