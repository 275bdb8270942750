"""Rendered words that mean something good or bad: the task polarity, after ELEVATER's rendered SST-2."""

import numpy as np

from promptatlas.tasks.mini import canvas, looks
from promptatlas.tasks.mini.glyphs import text_coverage
from promptatlas.tasks.mini.images import Factors, ImageSet, MiniTask, sizes, task_hardness
from promptatlas.tasks.task import Task

WORDS = {
    "positive": ("good", "great", "happy", "love", "nice", "super", "best", "win"),
    "negative": ("bad", "awful", "sad", "hate", "poor", "worst", "ugly", "fail"),
}
WORD_FONTS = ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSansMono", "DejaVuSerif-Bold")


def draw_word(factors: Factors, rng: np.random.Generator) -> np.ndarray:
    """One word across the image. Factors: word, font, colour, hard."""
    hard = factors["hard"]
    ink = canvas.colour(factors["colour"], rng)
    ground = canvas.paper(rng, ink, 0.75 - 0.2 * hard)
    sheet = canvas.Sheet(canvas.background(rng, ground, 0.6 * hard))
    height = min(15.0, 46.0 / len(factors["word"])) * rng.uniform(0.88, 1.0)
    x, y = 16 + rng.uniform(-1, 1), 16 + rng.uniform(-7, 7) * hard
    cover = text_coverage(factors["word"], factors["font"], height, x, y, rng.uniform(-5, 5))
    return canvas.finish(canvas.mix(sheet.array(), cover, ink), rng, 0.7 * hard)


def some_word(polarity: str, rng: np.random.Generator, hard: float) -> Factors:
    """Factors of a word of that polarity."""
    word, face = str(rng.choice(WORDS[polarity])), str(rng.choice(WORD_FONTS))
    return {"word": word, "polarity": polarity, "font": face, "colour": _ink(rng), "hard": hard}


def _ink(rng: np.random.Generator) -> str:
    return str(rng.choice(["black", "white", "blue", "red", "yellow"]))


def _word(number: int, rng: np.random.Generator) -> Factors:
    return some_word(tuple(WORDS)[number % 2], rng, task_hardness(rng))


TASKS = (
    MiniTask(
        Task(
            name="polarity", title="Words of praise and blame", family="word", class_names=("positive", "negative"),
            templates=("a {} review.", "a word with a {} meaning."), drawn=("word", "print", "colour", "tag"), labelled=("polarity",),
        ),
        ImageSet("words", _word, draw_word, looks.tag), lambda factors: factors["polarity"],
        sizes(2, train=128, validation=40, test=250),
    ),
)  # fmt: skip
