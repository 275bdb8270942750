"""A number as people write it: with a decimal comma, a percent sign, a true minus, or nothing where none was measured."""

import math
import re
from numbers import Real
from typing import Any

MISSING = frozenset(("", "-", "–", "—", "na", "n/a", "nan", "null", "none", "<na>", "missing", "nat"))
DECIMAL = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)(e[+-]?\d+)?", re.ASCII)


def read(value: Any) -> tuple[float, bool, bool]:
    """The number, NaN for a missing one; whether it had a percent sign; whether it had a decimal comma.

    ValueError, with what is wrong as its text, for anything else.
    """
    if value is None or isinstance(value, (Real, bool)) or hasattr(value, "dtype"):
        return _of_a_number(value), False, False
    text = str(value).strip().replace("\u2212", "-")
    if text.lower() in MISSING:
        return math.nan, False, False
    percent = text.endswith("%")
    text = text.removesuffix("%").strip().lower()
    if not DECIMAL.fullmatch(text):
        raise ValueError("is no number")
    return _finite(float(text.replace(",", "."))), percent, "," in text


def _of_a_number(value: Any) -> float:
    if value is None:
        return math.nan
    if isinstance(value, bool):
        raise ValueError("is no number")
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError("is no number") from None
    return number if math.isnan(number) else _finite(number)


def _finite(number: float) -> float:
    if math.isinf(number):
        raise ValueError("is not finite")
    return number
