"""open_clip's table of published weights, read from its source: importing it takes seconds. Knows nothing of what models are."""

import ast
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from promptatlas.base.packages import folder_of

Entry = Mapping[str, Any]  # url, hf_hub, mean, std, interpolation, resize_mode, quick_gelu where it is set


def tags(model: str) -> tuple[str, ...]:
    """Tags of the weights that open_clip publishes for a model."""
    plain = model.removesuffix("-quickgelu")
    listed = table().get(plain, {})
    return tuple(tag for tag, entry in listed.items() if entry.get("quick_gelu") or plain == model)


def entry(model: str, tag: str) -> Entry:
    """What open_clip says of the weights `tag` of a model: where they are and how they see images."""
    return table()[model.removesuffix("-quickgelu")][tag]


def tag_on_hub(model: str, repository: str, file: str, usual: bool) -> str:
    """The tag of the weights of a model that open_clip says are in a repository on the hub; else empty.

    usual: whether the file has a name as weights have that are a repository's only ones, which open_clip's table leaves out.
    """
    listed = table().get(model.removesuffix("-quickgelu"), {})
    places = {tag: own["hf_hub"].rpartition("/") for tag, own in listed.items()}
    return next((tag for tag, (name, _, given) in places.items() if name == repository and (file == given or usual)), "")


@cache
def table() -> dict[str, dict[str, Entry]]:
    """Model -> tag -> entry, as in open_clip's `pretrained.py`."""
    folder = folder_of("open_clip")
    constants = {name: ast.literal_eval(value) for name, value in _assigned(folder / "constants.py").items()}
    source = folder / "pretrained.py"
    named, usual = _assigned(source), _functions(source, constants)
    models = {}
    whole: Any = named["_PRETRAINED"]
    for key, value in zip(whole.keys, whole.values, strict=True):
        call: Any = named[value.id] if isinstance(value, ast.Name) else value
        models[key.value] = {own.arg: _entry(own.value, usual, constants) for own in call.keywords}
    return models


def _assigned(source: Path) -> dict[str, ast.expr]:
    """Name -> value of everything that a module assigns."""
    body = ast.parse(source.read_text()).body
    return {node.targets[0].id: node.value for node in body if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)}


def _functions(source: Path, constants: Mapping[str, Any]) -> dict[str, tuple[list[str], dict[str, Any]]]:
    """Of every function that returns a dictionary: its arguments' names, and what it returns where nothing is given."""
    found = {}
    for node in ast.parse(source.read_text()).body:
        if isinstance(node, ast.FunctionDef) and isinstance(node.body[-1], ast.Return) and isinstance(node.body[-1].value, ast.Dict):
            arguments, returned = [own.arg for own in node.args.args], node.body[-1].value
            pairs = [(key.value, value) for key, value in zip(returned.keys, returned.values, strict=True) if isinstance(key, ast.Constant)]
            given = dict.fromkeys(arguments, "")
            found[node.name] = arguments, {str(key): _value(value, given | {**constants}) for key, value in pairs}
    return found


def _entry(call: Any, usual: Mapping[str, tuple[list[str], dict[str, Any]]], constants: Mapping[str, Any]) -> Entry:
    arguments, entry = usual[call.func.id]
    given = dict(zip(arguments, call.args, strict=False)) | {own.arg: own.value for own in call.keywords}
    return entry | {key: _value(value, constants) for key, value in given.items()}


def _value(node: Any, names: Mapping[str, Any]) -> Any:
    return names[node.id] if isinstance(node, ast.Name) else ast.literal_eval(node)
