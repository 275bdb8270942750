"""Which fonts draw the names of a study: the one that is shipped and, for signs that it lacks, those of the system that have them.

Signs that no font here has are boxes; that is told once and not for each of them. Knows nothing of what is drawn.
"""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache

import matplotlib
from matplotlib.font_manager import FontEntry, findSystemFonts, fontManager, get_font

from promptatlas.report.figures.lettering import lacking
from promptatlas.report.figures.style import STYLE

BOXES = "figures: no font here has some signs of the names, which are boxes there; the page shows them"
LIKED = ("Noto Sans CJK", "Noto Sans", "Noto")  # of the fonts that have a sign, those that have more of its kind


@contextmanager
def lettered(texts: Iterable[str]) -> Iterator[list[str]]:
    """Figures that are drawn and saved inside look as `style` says and have the signs of `texts`; what is to be said of signs that no font
    here has."""
    signs = sorted(lacking("".join(texts)))
    families = others(signs)
    left = [sign for sign, family in zip(signs, families, strict=True) if family is None]
    found = dict.fromkeys(family for family in families if family is not None)
    with matplotlib.rc_context(STYLE | {"font.family": [*STYLE["font.family"], *found]}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".* missing from font")
        yield [BOXES] if left else []


def others(signs: Sequence[str]) -> list[str | None]:
    """For each sign a family of the system's fonts that has it, the same for as many as can be; None if no font has it."""
    chosen: list[FontEntry] = []
    found: list[str | None] = []
    for sign in signs:
        have = next((font for font in [*chosen, *_candidates()] if _has(font.fname, sign)), None)
        if have is not None and have not in chosen:
            chosen.append(have)
        found.append(None if have is None else have.name)
    return found


@cache
def _candidates() -> tuple[FontEntry, ...]:
    """Upright fonts of ordinary weight, those first that have many signs; one of each family, and not the one that draws boxes."""
    known = {font.fname for font in fontManager.ttflist}
    for path in {*findSystemFonts()} - known:  # installed since matplotlib made its list
        with suppress(OSError, RuntimeError):
            fontManager.addfont(path)
    upright = [font for font in fontManager.ttflist if font.style == "normal" and font.weight == 400 and "Last Resort" not in font.name]

    def place(font: FontEntry) -> tuple[int, str, str]:
        return next((n for n, start in enumerate(LIKED) if font.name.startswith(start)), len(LIKED)), font.name, font.fname

    return tuple({font.name: font for font in sorted(upright, key=place, reverse=True)}.values())[::-1]


@cache
def _has(path: str, sign: str) -> bool:
    """Whether a font can draw a sign: fonts of coloured emoji have images of one size, which it cannot."""
    try:
        font = get_font(path)
        return bool(font.scalable and font.get_char_index(ord(sign)))
    except (OSError, RuntimeError):
        return False
