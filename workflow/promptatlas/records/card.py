"""The card of a trained prompt: what it was trained with, kept as JSON in its file's metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from promptatlas.records.fingerprint import digest
from promptatlas.tasks.draws import Draw

KEY = "card"
MEAN = "mean of the tasks' metrics"  # by which a prompt of several tasks is chosen

# What a card may say; what nobody knows is null.
#   backbone: name, sha256 (of weights and architecture; the prompt works with no other)
#   precision: in which the backbone multiplied; settings: every hyper-parameter; class_names: those it was trained on, in their order
#   learned_with: the other tasks whose images one shared learner saw, in `draw` and `validation` too
#   resize: how images were fitted to the model ("crop" or "squash"); seed: of the draw and of the start
#   draw: sha256 (of indices and labels), shots (asked for per class), train, validation (numbers of images)
#   validation: metric, score (0..1), epoch (the chosen one)
#   origin: where the prompt comes from if promptatlas did not tune it
FIELDS = (
    "method", "settings", "backbone", "precision", "task", "learned_with", "class_names", "resize", "seed", "draw", "validation", "origin",
    "promptatlas",
)  # fmt: skip


def write(**known: Any) -> dict[str, str]:
    """The card as metadata of a prompt file."""
    return {KEY: json.dumps(complete(known | {"promptatlas": version("promptatlas")}))}


def several_draws(draws: Sequence[Draw], shots: int) -> dict[str, Any]:
    """The field `draw` of what was trained on the draws of several tasks."""
    counts = {"train": sum(len(one.train) for one in draws), "validation": sum(len(one.validation) for one in draws)}
    return {"sha256": digest([one.sha256 for one in draws]), "shots": shots} | counts


def complete(known: Mapping[str, Any]) -> dict[str, Any]:
    """All fields in their order."""
    return {field: known.get(field) for field in FIELDS}


def read(metadata: Mapping[str, str]) -> dict[str, Any]:
    """The card in a file's metadata; for a file from before there were cards, what else its metadata say.

    Raises ValueError or TypeError if what is there is no card.
    """
    inputs = json.loads(metadata.get("parts", "{}"))
    if not isinstance(inputs, dict):
        raise ValueError("its metadata are no table")
    precision = {"precision": inputs.get("precision")}  # cards did not say it at first
    if KEY in metadata:
        known = json.loads(metadata[KEY])
        if not isinstance(known, dict):
            raise ValueError("its card is no table")
        return _checked(complete(precision | known))
    known = precision | {name: inputs.get(name, metadata.get(name)) for name in ("method", "task")}
    seed = inputs.get("seed", metadata.get("seed"))
    known |= {"seed": None if seed is None else int(seed)}
    known |= {name: {"sha256": inputs[name]} for name in ("backbone", "draw") if name in inputs}
    return _checked(complete(known))


def _checked(card: dict[str, Any]) -> dict[str, Any]:
    """The card if the fields that are used, and not only shown, are what they should be."""
    names, backbone = card["class_names"], card["backbone"]
    if names is not None and not (isinstance(names, list) and names and all(isinstance(name, str) for name in names)):
        raise ValueError("its class names are no list of texts")
    if backbone is not None and not (isinstance(backbone, dict) and isinstance(backbone.get("sha256"), str)):
        raise ValueError("its backbone has no SHA-256")
    if card["resize"] not in (None, "crop", "squash"):
        raise ValueError("its resize is neither crop nor squash")
    if not isinstance(card["precision"], str | None):
        raise ValueError("its precision is no text")
    return card


def lines(card: Mapping[str, Any]) -> list[str]:
    """The card for people: one line per field that is known."""
    known = {field: value for field, value in card.items() if value is not None}
    width = max(map(len, known), default=0)
    return [f"{field:<{width}}  {_words(value)}" for field, value in known.items()]


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_words(own)}" for key, own in value.items() if own is not None)
    if isinstance(value, list):
        return ", ".join(map(_words, value))
    return f"{value:.4f}" if isinstance(value, float) and 0.001 <= abs(value) <= 1 else str(value)
