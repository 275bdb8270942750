"""How wide text is in a figure, in inches; what does not fit is broken into lines or cut. Knows nothing of what is drawn.

Widths are those of DejaVu Sans, which comes with matplotlib. Signs that it lacks are as wide as fonts that have them make them, so
that an SVG, whose text is text, has room for them, too.
"""

import unicodedata
from functools import cache

from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.ft2font import FT2Font, LoadFlags

FONT = "DejaVu Sans"
POINT = 1 / 72  # inches
LINE = 1.25  # height of a line, in sizes of its text
CUT = "…"


def width(text: str, size: float) -> float:
    """Inches of one line of `text` of `size` points."""
    return sum(map(_advance, text)) * size * POINT


def height(text: str, size: float) -> float:
    """Inches of the lines of `text` of `size` points."""
    return (text.count("\n") + 1) * LINE * size * POINT if text else 0.0


def plain(text: str) -> str:
    """`text` as one line of signs that can be drawn."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def cut(text: str, room: float, size: float) -> str:
    """`text` as one line of at most `room` inches; what does not fit is left out before its last third, as names differ at both ends."""
    text = plain(text)
    if width(text, size) <= room:
        return text
    left = room - width(CUT, size)
    end = _fitting(text[::-1], left / 3, size)[::-1]
    return _fitting(text, left - width(end, size), size).rstrip() + CUT + end.lstrip()


def _fitting(text: str, room: float, size: float) -> str:
    """As much of the beginning of `text` as has room."""
    kept = ""
    for sign in text:
        room -= width(sign, size)
        if room < 0:
            break
        kept += sign
    return kept


def broken(text: str, room: float, size: float, most: int = 2) -> str:
    """`text` in at most so many lines of at most `room` inches, broken between words, with an ellipsis for what does not fit."""
    lines = [""]
    for word in plain(text).split():
        longer = f"{lines[-1]} {word}".strip()
        if not lines[-1] or width(longer, size) <= room or len(lines) == most:
            lines[-1] = longer
        else:
            lines.append(word)
    return "\n".join(cut(line, room, size) for line in lines)


def lacking(text: str) -> set[str]:
    """The signs of `text` that the shipped font has not got."""
    font = _font()
    return {sign for sign in plain(text) if not font.get_char_index(ord(sign)) and unicodedata.category(sign) not in ("Cf", "Mn", "Me")}


@cache
def _advance(sign: str) -> float:
    """Width of a sign, in sizes of its text."""
    font = _font()
    if unicodedata.category(sign) in ("Mn", "Me"):
        return 0.0
    if not font.get_char_index(ord(sign)):
        return 1.3 if unicodedata.east_asian_width(sign) in "WF" else 1.0
    return font.load_char(ord(sign), flags=LoadFlags.NO_SCALE).horiAdvance / font.units_per_EM


@cache
def _font() -> FT2Font:
    return get_font(findfont(FontProperties(family=FONT), fallback_to_default=False))
