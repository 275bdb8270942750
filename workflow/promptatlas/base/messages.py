"""What was written, as a sentence shows it, and what was probably meant."""

import difflib
from collections.abc import Iterable
from typing import Any

LONGEST, LONGEST_NAME = 60, 200


def suggest(name: object, known: Iterable[str], otherwise: str = "", mark: str = "'", nearest: float = 0.5) -> str:
    """The words "did you mean 'coop'?", or `otherwise`, or all that is known, if nothing known is close to `name`.

    nearest: from what share of letters in common on, 0 to 1, something is.
    """
    known = list(known)
    near = difflib.get_close_matches(str(name)[:LONGEST_NAME], known, n=1, cutoff=nearest)
    if near:
        return f"did you mean {mark}{near[0]}{mark}?"
    return otherwise or f"known are {', '.join(known)}"


def counted(number: int, what: str) -> str:
    """A count and what is counted: "1 image", "2,000 images"."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def some(names: Iterable[str], most: int) -> str:
    """The names in a row, of more than `most` the first ones: "cat, dog and 3 more"."""
    names = list(names)
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def one_line(error: BaseException, longest: int = LONGEST_NAME) -> str:
    """What an error says, or is where it says nothing, on one line."""
    return " ".join(str(error).split())[:longest] or type(error).__name__


def first_line(error: BaseException) -> str:
    """The same of an error that goes on with details."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def plain(name: object) -> str:
    """A name on one line and not without end, whatever is in it."""
    return _cut(repr(str(name))[1:-1], LONGEST_NAME)


def printable(name: str) -> str:
    """The name of a file, of any bytes, on one line: as it is as far as it can be printed, else with escapes such as \\xe9."""
    return "".join(sign if sign.isprintable() else _escape(sign) for sign in name)


def is_text(name: str) -> bool:
    """Whether the name is text, as against bytes that are no UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _escape(sign: str) -> str:
    if "\udc80" <= sign <= "\udcff":  # stands for a byte that is no UTF-8
        return f"\\x{ord(sign) - 0xDC00:02x}"
    return sign.encode("unicode_escape").decode()


def shown(value: Any) -> str:
    """A value as Python writes it."""
    return "nothing" if value is None else _cut(repr(value), LONGEST)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 3]}..."
