"""Numbers as the verdict writes them: a true minus, none below zero by rounding alone, none parted from its unit at a line's end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from promptatlas.analysis.p_text import p_is

POINTS = "points"


def gained(number: float, unit: str) -> str:
    """With its sign: points with one decimal and their unit, others with three digits that count."""
    return f"{_text(number, unit, '+')}{f' {unit}' if unit else ''}"


def lost(number: float, unit: str) -> str:
    """A gain below zero as a loss: without a sign."""
    return gained(-number, unit).lstrip("+")


def range_of(low: float | None, high: float | None, unit: str) -> str:
    """Two ends in brackets, or nothing where they are not known or the same."""
    if low is None or high is None or low == high:
        return ""
    return f" [{_text(low, unit, '+')}, {_text(high, unit, '+')}]"


def correlation(one: Mapping[str, Any]) -> str:
    """An estimate with its interval."""
    estimate, low, high = ("" if one[name] is None else _minus(f"{one[name]:.2f}") for name in ("estimate", "low", "high"))
    return f"{estimate} [{low}, {high}]" if low and high else estimate


def share(one: Mapping[str, Any]) -> str:
    """The same of a share, in percent."""
    ends = "" if one["low"] is None else f" [{100 * one['low']:.0f} to {100 * one['high']:.0f}\u202f%]"
    return f"{percent(one['estimate'])}{ends}"


def score(number: float, unit: str) -> str:
    """A score as it was given, shares in percent."""
    return f"{_minus(f'{number:.1f}')}\u202f%" if unit == POINTS else _minus(f"{number:.3g}")


def percent(number: float) -> str:
    return f"{100 * number:.{1 if abs(number) < 0.1 else 0}f}\u202f%"


def p_held(p: float) -> str:
    """With its name, in one piece."""
    return p_is(p).replace(" ", "\u00a0")


def _text(number: float, unit: str, sign: str) -> str:
    return _minus(f"{number:{sign}.1f}" if unit == POINTS else f"{number:{sign}.3g}")


def _minus(text: str) -> str:
    return text.lstrip("+-") if float(text) == 0 else text.replace("-", "\u2212")
