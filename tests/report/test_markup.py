"""HTML comes from templates, which escape all that they are filled in with."""

import re
from collections import Counter
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from promptatlas import report
from promptatlas.report.page.markup import FOLDER, Section, TableCell, coded, part, render, table
from promptatlas.report.page.scripts import OF_GIVEN_MATRIX, OF_STUDY

HOSTILE = "<script>alert('&\"')</script>"
ESCAPED = "&lt;script&gt;alert(&#39;&amp;&#34;&#39;)&lt;/script&gt;"


def test_whatever_is_filled_in_is_escaped():
    cell = TableCell(HOSTILE, hint=HOSTILE, strong=True, below=HOSTILE)
    shown = table([HOSTILE], [[cell], [HOSTILE]], numeric={0})
    html = Section("here", HOSTILE, "words_and_table.html", {"words": [HOSTILE], "table": shown}).html()
    assert "<script" not in html and html.count(ESCAPED) == 8
    assert f'<td class="n" title="{ESCAPED}">' in html and f"<b>{ESCAPED}</b>" in html


def test_cells_say_what_they_are():
    shown = table(["a", "b"], [[TableCell(failed=True), TableCell("1.0", derived=True)]], numeric={1})
    html = Section("here", "Here", "words_and_table.html", {"words": [], "table": shown}).html()
    assert '<td><a class="missing" href="#holes">failed</a></td><td class="n"><sup>†</sup>1.0</td>' in html


def test_what_is_to_be_typed_is_code():
    assert (
        str(coded("give `classes` or `metric: a`; 5 % of <b>"))
        == "give <code>classes</code> or <code>metric: a</code>; 5\u202f% of &lt;b&gt;"
    )
    assert str(coded(HOSTILE)) == ESCAPED and str(coded(f"`{HOSTILE}`")) == f"<code>{ESCAPED}</code>"
    assert str(coded("one ` alone")) == "one ` alone" and str(coded("")) == ""


def test_numbers_are_not_parted_from_their_percent():
    html = Section("here", "95 % of", "words_and_table.html", {"words": ["5.5 % by chance, a %"], "table": table([], [], set())}).html()
    assert "95\u202f% of" in html and "5.5\u202f% by chance, a %" in html


def test_a_name_that_nobody_gives_is_an_error_and_no_gap():
    with pytest.raises(UndefinedError, match="'table' is undefined"):
        render("section.html", name="here", title="Here", content="words_and_table.html", words=[])


def test_no_html_is_glued_in_python():
    tags = re.compile(r"</[a-z]|<(p|td|tr|th|h[1-6]|a|sup|br)\b")
    assert not [path for path in Path(report.__file__).parent.rglob("*.py") if tags.search(path.read_text())]
    assert [*(FOLDER / "templates").glob("*.html")]


@pytest.mark.parametrize("scripts", [OF_STUDY, OF_GIVEN_MATRIX], ids=["study", "matrix"])
def test_no_name_is_declared_by_two_scripts_of_a_page(scripts):
    """Scripts of a page are one script: of two functions of one name the last would be called for both."""
    names = re.findall(r"^(?:const|let|class|function|async function)\s+(\w+)", part(*scripts), re.M)
    assert len(names) > 100 and sorted(name for name, times in Counter(names).items() if times > 1) == []
