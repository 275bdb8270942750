"""The schema of config.yaml: which keys and values there are, the defaults, and what is wrong with a value in one sentence.

Knows nothing of tasks, methods and what else names stand for.
"""

import copy
import re
from functools import cache
from typing import Any

import jsonschema
import yaml

from promptatlas.base.errors import UserError
from promptatlas.base.messages import plain, shown, suggest
from promptatlas.base.place import SCHEMAS

SCHEMA = SCHEMAS / "config.schema.yaml"
MOST_VALUES = 100_000
WORDS: dict[str, bool | None] = yaml.SafeLoader.bool_values | {"null": None, "~": None}


@cache
def schema() -> dict[str, Any]:
    return yaml.safe_load(SCHEMA.read_text())


def fill(config: dict[str, Any]) -> None:
    """Every key that is not given has its default."""
    _fill(config, schema())


def usual(key: str) -> Any:
    """What a configuration says under a key of which nothing is given."""
    config: dict[str, Any] = {}
    fill(config)
    return config[key]


def asking() -> list[str]:
    """Stages whose jobs ask a cluster for what the configuration says."""
    return schema()["properties"]["resources"]["propertyNames"]["enum"]


# For JSON Schema 2.0 is a whole number.
_Validator = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    ),
)


def require_reasonable(config: dict[str, Any]) -> None:
    """UserError for what YAML's anchors can make of a few lines: values without end, or billions of them."""
    sizes: dict[int, int] = {}

    def size(value: Any) -> int:
        if not isinstance(value, (dict, list)):
            return 1
        if id(value) not in sizes:
            sizes[id(value)] = MOST_VALUES  # until it is known, which for a value inside itself is never
            sizes[id(value)] = 1 + sum(map(size, value.values() if isinstance(value, dict) else value))
        return sizes[id(value)]

    try:
        reasonable = size(config) < MOST_VALUES
    except RecursionError:
        reasonable = False
    if not reasonable:
        raise UserError(f"the configuration holds more than {MOST_VALUES} values, or some inside themselves; mend its anchors")


def check(config: dict[str, Any]) -> None:
    """UserError with one sentence that names the first wrong key."""
    errors = sorted(
        _Validator(schema()).iter_errors(config),
        key=lambda error: (len(error.path), str(error.path)),
    )
    if errors:
        raise UserError(_sentence(errors[0]))


def _sentence(error: jsonschema.ValidationError) -> str:
    key = ".".join(map(plain, error.absolute_path))
    if error.validator == "additionalProperties":
        known = error.schema["properties"]
        wrong = next(name for name in error.instance if name not in known)
        place = f"`{key}` in the configuration" if key else "the configuration"
        return f"unknown key `{plain(wrong)}` in {place}; {suggest(wrong, sorted(known), mark='`')}"
    rules = {
        "type": lambda: f"must be {_words(error.validator_value)}",
        "enum": lambda: f"must be one of {', '.join(map(str, error.validator_value))}",
        "const": lambda: f"must be {error.validator_value}",
        "minimum": lambda: f"must be at least {error.validator_value}",
        "maximum": lambda: f"must be at most {error.validator_value}",
        "contains": lambda: "must list template, the zero-shot score that all gains are measured from",
        "minItems": lambda: f"must list at least {error.validator_value}",
        "minLength": lambda: "must not be empty",
        "maxLength": lambda: f"must have at most {error.validator_value} characters",
        "uniqueItems": lambda: "must not list anything twice",
        "pattern": lambda: error.schema["description"],
        "anyOf": lambda: f"must be {_alternatives(error)}",
    }
    return f"`{key or 'the configuration'}` {rules[error.validator]()}, not {shown(error.instance)}; mend it in the configuration"


def _alternatives(error: jsonschema.ValidationError) -> str:
    names = []
    for one in error.validator_value:
        if "type" not in one:
            names += [f"`{'null' if value is None else value}`" for value in one.get("enum", [one.get("const")])]
        elif one["type"] == "array":
            least = f"at least {one['minItems']} " if "minItems" in one else ""
            names.append(f"a list of {least}different names")
        else:
            names.append("a whole number of at least 1")
    return " or ".join(names)


def _words(types: str | list[str]) -> str:
    words = {
        "object": "keys and values",
        "array": "a list",
        "string": "text",
        "integer": "a whole number",
        "null": "empty",
        "boolean": "true or false",
    }
    return " or ".join(words[name] for name in ([types] if isinstance(types, str) else types))


def meant(config: dict[str, Any]) -> dict[str, Any]:
    """`config` with true, false and null, and YAML's other words for them, where they arrive as text from Snakemake's command line and
    the key takes them and not that text; numbers inside lists and mappings likewise, but for what `data` describes."""
    understood = {key: _meant(value, schema()["properties"].get(key, {})) for key, value in config.items()}
    return {key: numbers(value) if isinstance(value, (list, dict)) and key != "data" else value for key, value in understood.items()}


def word(value: Any) -> Any:
    """True, False or None for one of YAML's words for it; anything else as it is."""
    return WORDS.get(value.lower(), value) if isinstance(value, str) else value


def _meant(value: Any, rule: dict[str, Any]) -> Any:
    rule = schema()["$defs"][rule["$ref"].rpartition("/")[2]] if "$ref" in rule else rule
    if isinstance(value, dict):
        known, others = rule.get("properties", {}), rule.get("additionalProperties")
        return {key: _meant(part, known.get(key, others if isinstance(others, dict) else {})) for key, part in value.items()}
    if isinstance(value, list) or word(value) is value or not rule:
        return value
    text_or_nothing = word(value) is None and "null" in rule.get("type", ())
    return word(value) if _takes(rule, word(value)) and (text_or_nothing or not _takes(rule, value)) else value


def _takes(rule: dict[str, Any], value: Any) -> bool:
    return _Validator(rule).is_valid(value)


def numbers(value: Any) -> Any:
    """Numbers that arrive as text: inside lists on Snakemake's command line, and 1e-3, which YAML takes for text."""
    if isinstance(value, dict):
        return {key: numbers(part) for key, part in value.items()}
    if isinstance(value, list):
        return [numbers(part) for part in value]
    if isinstance(value, str) and re.fullmatch(r"[-+]?\d{1,18}", value, re.ASCII):
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", value, re.IGNORECASE | re.ASCII):
        return float(value)
    return value


def _fill(config: dict[str, Any], schema: dict[str, Any]) -> None:
    for key, part in schema["properties"].items():
        if key not in config:
            config[key] = copy.deepcopy(part.get("default"))
        if "properties" in part and isinstance(config[key], dict):
            _fill(config[key], part)
