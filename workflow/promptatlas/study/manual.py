"""The configuration in Markdown: what docs/configuration.md holds, and `python -m promptatlas.study.manual` prints. Made from the schema.

Knows nothing of what keys do.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from promptatlas.study.schema import schema

HEAD = """\
# Configuration

Every key of a study's file. Written by `make docs` from the schema that checks it (`workflow/schemas/config.schema.yaml`).

* A key that is left out takes its default. An unknown key is an error, with the nearest known one.
* `snakemake --cores 2` reads [config.yaml](../config.yaml), where the keys stand with more remarks. `--configfile wardrobe.yaml` goes
  on top of it, mapping by mapping, and `--config shots=4` on top of that.
* What a change makes stale: [changes](changes.md). What the methods' own `settings` are: [settings](settings.md). What stands under
  `data`: [the data of a task](data.md).

| key | values | default | meaning |
|---|---|---|---|"""


def page() -> str:
    """The whole page: a row per key, those inside another as `outer.inner`."""
    rows = (f"| `{key}` | {_values(about)} | {_default(about)} | {_cell(about.get('description', ''))} |" for key, about in keys())
    return "\n".join([HEAD, *rows, ""])


def keys() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Dotted name and description of each key, in the order of the schema."""
    for key, about in schema()["properties"].items():
        yield key, _whole(about)
        inner = _whole(about).get("properties") or _whole(_whole(about).get("additionalProperties")).get("properties", {})
        for name, part in inner.items():
            yield f"{key}.{name}" if "properties" in _whole(about) else f"{key}.<stage>.{name}", _whole(part)


def _whole(about: Any) -> dict[str, Any]:
    """What a reference refers to, below what stands beside it; nothing for what describes nothing."""
    if not isinstance(about, dict):
        return {}
    named = schema()["$defs"][about["$ref"].rpartition("/")[2]] if "$ref" in about else {}
    return {**named, **about}


def _values(about: Mapping[str, Any]) -> str:
    """The values that are taken, in words."""
    if "anyOf" in about:
        return ", ".join(map(_values, about["anyOf"]))
    if "const" in about or "enum" in about:
        return ", ".join(f"`{_shown(one)}`" for one in about.get("enum", [about.get("const")]))
    kinds = about["type"] if isinstance(about["type"], list) else [about["type"]]
    return ", ".join(_kind(kind, about) for kind in kinds)


def _kind(kind: str, about: Mapping[str, Any]) -> str:
    if kind == "array":
        items = _whole(about.get("items"))
        return f"list of {_values(items)}" if "enum" in items else "list" + (" of whole numbers" if items.get("type") == "integer" else "")
    words = {"string": "text", "integer": "whole number", "boolean": "`true`, `false`", "object": "keys and values", "null": "`null`"}
    low, high = about.get("minimum"), about.get("maximum")
    limits = [*([f"from {low}"] if low else ["0 or more"] if low == 0 else []), *([f"to {high}"] if high is not None else [])]
    return " ".join([words[kind], *(limits if kind == "integer" else [])])


def _default(about: Mapping[str, Any]) -> str:
    """Empty where inner keys have their own."""
    if "default" not in about or (about["default"] == {} and "properties" in about):
        return ""
    return f"`{_shown(about['default'])}`"


def _shown(value: Any) -> str:
    """As it is written in YAML."""
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    return value if isinstance(value, str) else json.dumps(value)


def _cell(text: str) -> str:
    return re.sub(r"docs/([\w-]+\.md)", r"[\1](\1)", text).replace("<", "&lt;").replace("|", "\\|")


if __name__ == "__main__":
    print(page(), end="")
