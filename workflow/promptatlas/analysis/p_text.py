"""p as sentences, tables and figures write it: never as 0, which no p is."""

FINEST = 0.0001


def p_value(p: float) -> str:
    """Two to four decimals; below the finest that they can tell, that it is below."""
    return f"< {FINEST}" if p < FINEST else f"{p:.{4 if p < 0.001 else 3 if p < 0.095 else 2}f}"


def p_is(p: float) -> str:
    """With its name: “p = 0.021”, “p < 0.0001”."""
    return f"p {p_value(p)}" if p < FINEST else f"p = {p_value(p)}"
