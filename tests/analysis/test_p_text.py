"""p is never written as 0, on the page, in its sentences and in figures."""

import re
from pathlib import Path

import pytest

from promptatlas.analysis.p_text import p_is, p_value

PACKAGE = Path(__file__).parents[2] / "workflow/promptatlas"


@pytest.mark.parametrize(
    ("p", "text"),
    [(1.0, "1.00"), (0.52, "0.52"), (0.0949, "0.095"), (0.0123, "0.012"), (0.00042, "0.0004"), (0.0001, "0.0001"), (0.00009, "< 0.0001"),
     (1e-15, "< 0.0001"), (0.0, "< 0.0001")],
)  # fmt: skip
def test_p_has_decimals_that_tell_it_from_0(p, text):
    assert p_value(p) == text
    assert p_is(p) == (f"p {text}" if text.startswith("<") else f"p = {text}")


def test_no_sentence_writes_p_in_its_own_way():
    """A p is written by `p_text`, on the page by `pText` and `pIs`: nothing else puts a number behind `p =`."""
    own = [
        f"{path.name}: {line.strip()}"
        for folder in ("analysis", "report", "cli")
        for path in (PACKAGE / folder).rglob("*.*")
        if path.suffix in (".py", ".js", ".html") and path.name not in ("p_text.py", "numbers.js")
        for line in path.read_text().splitlines()
        if re.search(r"\bp = \$?\{|\bp \$\{|\{[^{}]*\bp['\"]?\]?:\.\d[fg]\}", line)
    ]
    assert own == []
