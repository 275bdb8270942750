"""Readers: each lists the images of a task that lie in one kind of place.

A source is a plain dictionary, see `source` in workflow/schemas/task.schema.yaml; its `reader` names a registered module here, or of a
plugin. Every module has `present`, `download`, `advice`, `look` and `read`, as `folder` shows; none imports torch or a data-set library
before it must.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from promptatlas.base import plugins
from promptatlas.base.errors import UserError
from promptatlas.base.messages import plain
from promptatlas.base.registry import Registry, current
from promptatlas.base.signatures import Source

if TYPE_CHECKING:
    from promptatlas.tasks.listing import Listing

FUNCTIONS = ("present", "download", "advice", "look", "read")
READERS: Registry[str] = Registry("reader")


def register(name: str, module: str) -> None:
    """Makes a reader known by name. module: its name; in a plugin that is a file also that of a file beside it, or its own."""
    if origin := current():
        module, path = plugins.placed(origin, module)
        if plugins.is_file(path.name):
            source = Source(path)
            place = f"reader `{plain(name)}` needs the functions {', '.join(FUNCTIONS)}"
            for function in FUNCTIONS:
                source.require(place, function)
                source.require_call(place, function, ("source", "data_root"))
    READERS.add(name, module)


def reader(source: dict) -> ModuleType:
    """The module that reads `source`: present(source, data_root), download(...), advice(...), look(...) and read(...)."""
    name = str(source.get("reader"))
    module = plugins.imported(READERS.lookup(name))
    if missing := [function for function in FUNCTIONS if not hasattr(module, function)]:
        raise UserError(f"reader `{name}`: {plain(READERS[name])} has no function `{missing[0]}`; it needs {', '.join(FUNCTIONS)}")
    return module


def labelled(source: dict, data_root: Path) -> Listing:
    """What the reader of `source` lists besides test images. A reader that can do without these has `read_labelled`."""
    module = reader(source)
    listing = getattr(module, "read_labelled", module.read)(source, data_root)
    return replace(listing, splits={split: part for split, part in listing.splits.items() if split != "test"})


def code(source: dict) -> dict[str, str]:
    """The hash of the code of a reader from a plugin, which is part of what a task is prepared from; empty for the library's own."""
    origin = READERS.origin(source["reader"])
    if origin is None:
        return {}
    return {"plugin": origin.sha256, "code": plugins.sha256(plugins.source_of(READERS[source["reader"]]))}


def find(sources: Iterable[dict], data_root: Path) -> dict | None:
    """The first of `sources` whose data lie below `data_root`; None if there is none. Nothing is decoded."""
    return next((source for source in sources if reader(source).present(source, data_root)), None)


for known in ("torchvision", "huggingface", "folder"):
    register(known, f"{__name__}.{known}")
READERS.seal()
