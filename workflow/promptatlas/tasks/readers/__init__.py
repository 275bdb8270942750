"""Readers: each lists the pictures of a task that lie in one kind of place. Knows nothing of class names in prompts.

A source is a plain dictionary, see `source` in workflow/schemas/task.schema.yaml; its `reader` names a module here.
Every module has `present`, `download`, `advice`, `look` and `read`; none imports torch or a data-set library before it must.
"""

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from types import ModuleType

from promptatlas.base.errors import UserError
from promptatlas.base.messages import suggest

READERS = ("folder", "torchvision", "huggingface")


def reader(source: dict) -> ModuleType:
    """The module that reads `source`: present(source, data_root), download(...), advice(...), look(...) and read(...)."""
    name = source.get("reader")
    if name not in READERS:
        raise UserError(f"reader {name!r} is unknown; {suggest(name, READERS)}")
    return import_module(f"promptatlas.tasks.readers.{name}")


def find(sources: Iterable[dict], data_root: Path) -> dict | None:
    """The first of `sources` whose data lie below `data_root`; None if there is none. Nothing is decoded."""
    return next((source for source in sources if reader(source).present(source, data_root)), None)
