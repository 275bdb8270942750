"""Definitions of tasks checked against workflow/schemas/task.schema.yaml. Knows nothing of what they mean."""

from functools import cache
from typing import Any

import yaml

from promptatlas.base.errors import UserError
from promptatlas.base.messages import plain, shown, suggest
from promptatlas.base.place import SCHEMAS, page
from promptatlas.tasks import metrics
from promptatlas.tasks.readers import READERS

SCHEMA = SCHEMAS / "task.schema.yaml"
MANUAL = f"see {page('data.md')}"  # every key and format of the data of a task


def check(definition: Any, kind: str, where: str) -> None:
    """Raise UserError with one sentence on the first mistake in `definition`.

    kind: "file" (of the catalogue), "own" (a user's task) or "override" (what differs from the catalogue); where: what
    the sentence calls the place.
    """
    errors = list(_validator(kind, tuple(metrics.registered()), tuple(READERS)).iter_errors(definition))
    if errors:
        # a misspelt key before the missing one that it stands for
        urgent = ("additionalProperties", "required")
        first = min(errors, key=lambda error: (len(error.path), error.validator not in urgent, str(error.path)))
        raise UserError(_sentence(first, where) + ("" if kind == "file" else f", {MANUAL}"))


@cache
def _validator(kind: str, known: tuple[str, ...], readers: tuple[str, ...]) -> Any:
    """known, readers: names of the metrics and readers there are, also those that were registered from outside."""
    # jsonschema takes a tenth of a second to import, which only definitions that are to be checked should cost
    import jsonschema

    schema = yaml.safe_load(SCHEMA.read_text())
    schema["$defs"]["metric"]["enum"] = list(known)
    schema["$defs"]["source"]["properties"]["reader"]["enum"] = list(readers)
    return jsonschema.Draft202012Validator({"$ref": f"#/$defs/{kind}", "$defs": schema["$defs"]})


def _sentence(error: Any, where: str) -> str:
    key = ".".join(map(plain, error.absolute_path))
    place = f"`{key}` in {where}" if key else where
    value, rule = error.instance, error.validator_value
    if error.validator == "additionalProperties":
        known = error.schema["properties"]
        wrong = next(str(name) for name in value if name not in known)
        return f"unknown key `{plain(wrong)}` in {place}; {suggest(wrong, known, mark='`')}"
    if error.validator == "required":
        missing = next(name for name in rule if name not in value)
        return f"{place} lacks the key `{missing}`: {error.schema['properties'][missing].get('description', 'give it')}"
    if error.validator in ("oneOf", "anyOf") and isinstance(value, dict):
        return f"{place} {error.schema.get('description', 'needs `path` or `manifest`')}"
    if error.validator == "dependentRequired":
        given = next(name for name in rule if name in value)
        return f"{place} gives `{given}`, which needs `{rule[given][0]}` too"
    wanted = {
        "type": lambda: f"must be {_words(rule)}{' (put it in quotes)' if rule == 'string' and isinstance(value, int | float) else ''}",
        "enum": lambda: f"must be one of {', '.join(map(str, rule))}",
        "pattern": lambda: error.schema.get("description", f"must match {rule}"),
        "minItems": lambda: f"must list at least {rule}",
        "minLength": lambda: "must not be empty",
        "minProperties": lambda: "must not be empty",
        "uniqueItems": lambda: "must not list anything twice",
        "minimum": lambda: f"must be at least {rule}",
    }.get(error.validator, lambda: error.schema.get("description", "is not as it should be"))
    return f"{place} {wanted()}, not {shown(value)}"


def _words(types: str | list[str]) -> str:
    words = {"object": "keys and values", "array": "a list", "string": "text", "integer": "a whole number"}
    return " or ".join(words.get(name, name) for name in ([types] if isinstance(types, str) else types))
