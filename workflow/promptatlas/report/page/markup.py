"""HTML made in Python: templates beside this file, filled in with what is escaped."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

FOLDER = Path(__file__).parent
BLOCK = 'type="application/json" id="{}">'  # what is before the data of that name, in which `embedded` leaves no <


def unparted(value: Any) -> Any:
    """Text whose numbers are not parted from their % at the end of a line; anything else as it is."""
    return re.sub(r"(\d) %", "\\1\u202f%", value) if type(value) is str else value


def coded(sentence: str) -> Markup:
    """A sentence in which what is to be typed stands between `, as HTML."""
    return render("coded.html", parts=re.split(r"`([^`]+)`", sentence))


ENVIRONMENT = Environment(
    loader=FileSystemLoader(FOLDER / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    finalize=unparted,
)  # fmt: skip
ENVIRONMENT.filters["coded"] = coded


@dataclass(frozen=True)
class TableCell:
    """One cell of a table. hint: what shows under the pointer; strong: bold; below: what always answering the largest class scores, in
    percent, where this score is no better; derived: made of published numbers; failed: it should be there and is not.
    """

    text: str = ""
    hint: str = ""
    strong: bool = False
    below: str = ""
    derived: bool = False
    failed: bool = False


@dataclass(frozen=True)
class Table:
    """head: of as many columns as each row has cells; columns `numeric` stand to the right."""

    head: Sequence[str]
    rows: Sequence[Sequence[TableCell]]
    numeric: Collection[int]


def table(head: Sequence[str], rows: Iterable[Sequence[TableCell | str]], numeric: Collection[int]) -> Table:
    return Table(head, [[one if isinstance(one, TableCell) else TableCell(one) for one in row] for row in rows], numeric)


@dataclass(frozen=True)
class Section:
    """name: the address within the page; template: of what stands below the title; data: what it is filled in with."""

    name: str
    title: str
    template: str
    data: Mapping[str, Any]  # not called name, title or content, which are the section's

    def html(self) -> Markup:
        return render("section.html", name=self.name, title=self.title, content=self.template, **self.data)


def render(template: str, **data: Any) -> Markup:
    """A template filled in; all but what is `Markup` is escaped. A name that the template knows and the data do not is an error."""
    return Markup(ENVIRONMENT.get_template(template).render(**data))


def part(*names: str) -> Markup:
    """Files beside this one, such as scripts, as they stand."""
    return Markup("\n".join((FOLDER / name).read_text(encoding="utf-8") for name in names))


def embedded(data: Any) -> Markup:
    """Data as JSON within a page. ``<`` is written as an escape, so that no name can end the script."""
    return Markup(json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c"))


def data_of(page: str) -> Any:
    """The data of a page; None where it has none."""
    found = re.search(rf"{BLOCK.format('data')}([^<]*)", page)
    return found and json.loads(found[1])


def without(page: str, name: str) -> str:
    """A page whose block of data of that name is empty."""
    return re.sub(rf"({BLOCK.format(name)})[^<]*", r"\1{}", page, count=1)
