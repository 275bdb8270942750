"""Files without the folders of the machine that they were written on, pages without images: what is published names data by their last
folder only.

Knows which kinds of files may hold text, and nothing of what the text says.
"""

import html
import io
import json
import os
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from promptatlas.backbone.kinds import LOCAL
from promptatlas.base import place, plugins
from promptatlas.report.page import markup, origin
from promptatlas.study.study import Study

TEXTS, PAGE = (".json", ".csv", ".svg", ".txt", ".py"), ".html"
IMAGES = "images"  # the block of a page that holds them


class Private:
    """The folders of a study, and of the user who ran it, that nobody else should read."""

    def __init__(self, study: Study) -> None:
        names = {folder: Path(folder).name for folder in _folders(study)}
        names |= {str(Path.cwd()): ".", os.path.realpath("."): ".", str(Path.home()): "~"}
        self.names = {folder: name for folder, name in names.items() if len(folder) > 1}
        self.clean = _cleaner(self.names)

    def content(self, path: Path) -> bytes:
        """What is in a file, without those folders and images; the bytes of the file if it names none of them."""
        content = path.read_bytes()
        if path.suffix == PAGE:
            return _text(content, self._page)
        if path.suffix in TEXTS:
            return _text(content, self.clean)
        if path.suffix == ".parquet":
            return _table(content, self.clean)
        return self.tensors(content) if path.suffix == ".safetensors" else content

    def _page(self, text: str) -> str:
        """A page without images, and without the folders that it was made in, which need not be those of the study now."""
        return _cleaner(self.names | origin.places(text))(markup.without(text, IMAGES))

    def tensors(self, content: bytes) -> bytes:
        """The same of what a safetensors file holds."""
        return _tensors(content, self.clean)


def _cleaner(names: Mapping[str, str]) -> Callable[[str], str]:
    """What puts in the place of each folder its other name, as they stand in a text, in JSON, in a page and in JSON within a page."""
    every = (str, lambda text: json.dumps(text)[1:-1], html.escape, lambda text: html.escape(json.dumps(text)[1:-1]))
    forms = {form(folder): form(name) for folder, name in names.items() for form in every}
    longest_first = sorted(forms, key=len, reverse=True)
    pattern = re.compile(rf"(?<![\w.~-])(?:{'|'.join(map(re.escape, longest_first))})(?![\w-])")
    return lambda text: pattern.sub(lambda found: forms[found[0]], text)


def _folders(study: Study) -> set[str]:
    """Folders that are named by their last part: of the study, of its data and weights, of Python and of the program."""
    backbone = study.config["backbone"]
    given = [str(about.get(key, "")) for about in study.config["data"].values() for key in ("folder", "root")]
    given += [str(folder) for folder, _ in plugins.files()]
    given += [
        backbone["pretrained"],
        backbone["model"].removeprefix(LOCAL),
        study.config["results"],
        study.config["data_root"],
        str(study.folder),
    ]
    program = [sys.prefix, sys.base_prefix, str(place.ROOT)]
    places = [os.path.expanduser(one) for one in [*given, *program] if one]
    whole = {os.path.abspath(one) for one in places if os.path.isabs(one) or os.path.exists(one)}
    return whole | {os.path.realpath(one) for one in whole}


def _text(content: bytes, clean: Callable[[str], str]) -> bytes:
    return clean(content.decode(errors="surrogateescape")).encode(errors="surrogateescape")


def _table(content: bytes, clean: Callable[[str], str]) -> bytes:
    """A table in which texts, and lists of them, are columns; what pandas notes of itself is kept."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table, changed = pq.read_table(io.BytesIO(content)), False
    for number, field in enumerate(table.schema):
        if not (pa.types.is_string(field.type) or pa.types.is_large_string(field.type)):
            continue
        old = table.column(number).to_pylist()
        new = [value and clean(value) for value in old]
        if new != old:
            table, changed = table.set_column(number, field, pa.array(new, field.type)), True
    if not changed:
        return content
    file = io.BytesIO()
    pq.write_table(table, file)
    return file.getvalue()


def _tensors(content: bytes, clean: Callable[[str], str]) -> bytes:
    """A safetensors file: eight bytes that count the header, the header, the numbers, whose places count from its end."""
    size = int.from_bytes(content[:8], "little")
    old = content[8 : 8 + size].decode()
    about = json.loads(old)
    said = {key: clean(value) for key, value in about.get("__metadata__", {}).items()}
    if said == about.get("__metadata__", {}):
        return content
    new = json.dumps(about | {"__metadata__": said}, ensure_ascii=False, separators=(",", ":")).encode()
    new += b" " * (-len(new) % 8)
    return len(new).to_bytes(8, "little") + new + content[8 + size :]
