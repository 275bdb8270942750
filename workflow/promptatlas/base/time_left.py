"""Spans of time in words, as exact as they are known. Knows nothing of what takes so long."""

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


def left(seconds: float) -> str:
    """How long it will still take: "about 12 minutes left"."""
    return f"{span(seconds)} left"


def span(seconds: float) -> str:
    """Such as "less than a minute", "about 12 minutes", "about 3 hours", "about 2 days"."""
    if seconds < 0.75 * MINUTE:
        return "less than a minute"
    for unit, name, most in ((MINUTE, "minute", 90 * MINUTE), (HOUR, "hour", 36 * HOUR), (DAY, "day", float("inf"))):
        if seconds < most:
            number = max(1, round(seconds / unit))
            return f"about {number:,} {name}" + ("s" if number > 1 else "")
    raise AssertionError("no span is longer than the last unit allows")


def rate(per_second: float) -> str:
    """How many in a second, a minute or an hour, in the shortest of these that has at least one: "12 a minute"."""
    for unit, name in ((1.0, "a second"), (MINUTE, "a minute"), (HOUR, "an hour")):
        if per_second * unit >= 1 or unit == HOUR:
            number = per_second * unit
            return f"{number:,.0f} {name}" if number >= 10 else f"{number:.1f} {name}"
    raise AssertionError("the last unit takes everything")
