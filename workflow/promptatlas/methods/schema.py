"""The methods and their settings as JSON Schema, for editors: workflow/schemas/methods.schema.json. Made from the registry.

It may be held against a whole config.yaml; methods that it does not know, of plugins, pass. What a study checks is the registry itself.
Knows nothing of torch.
"""

from __future__ import annotations

import json
from typing import Any

from promptatlas.methods.registry import KINDS, known, names, setting


def schema() -> dict[str, Any]:
    """What `methods` and `settings` of a configuration may say."""
    every = [name for kind in KINDS for name in names(kind)]
    listed = [{"const": name, "title": known(name).title, "description": known(name).description} for name in every]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The methods of a study and their settings",
        "description": "Written by `make docs`.",
        "type": "object",
        "properties": {
            "methods": {"type": "array", "items": {"anyOf": [*listed, {"type": "string"}]}},
            "settings": {"type": "object", "properties": {name: _settings(name) for name in every}},
        },
    }


def text() -> str:
    """The whole file."""
    return json.dumps(schema(), indent=1) + "\n"


def _settings(method: str) -> dict[str, Any]:
    about = known(method)
    return {
        "title": about.title,
        "description": about.description,
        "type": "object",
        "additionalProperties": False,
        "properties": {key: setting(method, key).schema for key in about.settings},
    }
