"""How a model sees images: their colours, how they are scaled and what becomes of their edges, as its own description has it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from promptatlas.backbone import kinds, published
from promptatlas.backbone.origin import Origin, origin
from promptatlas.backbone.parts import parts
from promptatlas.base.errors import UserError
from promptatlas.base.messages import plain

Three = tuple[float, float, float]
# What holds where neither the weights nor their description say anything.
CLIP = {
    "mean": (0.48145466, 0.4578275, 0.40821073), "std": (0.26862954, 0.26130258, 0.27577711),
    "interpolation": "bicubic", "resize_mode": "shortest",
}  # fmt: skip
SIGLIP = CLIP | {"mean": (0.5,) * 3, "std": (0.5,) * 3, "resize_mode": "squash"}
MODES = {"shortest": "crop", "squash": "squash"}


@dataclass(frozen=True)
class Preprocessing:
    """mean, std: of red, green and blue, in [0, 1]; interpolation: "bicubic" or "bilinear"; resize: "crop" or "squash"."""

    mean: Three
    std: Three
    interpolation: str = "bicubic"
    resize: str = "crop"


def chosen(model: str, pretrained: str) -> Preprocessing:
    """Of a model other than "mini". Raises UserError as `origin` does."""
    source = origin(model, pretrained)
    return of(model, source, published.entry(model, source.tag) if source.tag else {})


def of(model: str, source: Origin, listed: Mapping[str, Any]) -> Preprocessing:
    """listed: open_clip's entry for the weights, if it has one.

    The first that says something: the description beside the weights, their entry, what all weights of the model that open_clip
    lists have in common, and the usual of its kind. Raises UserError for a way to scale images that is none of ours.
    """
    beside = kinds.described(source.description).get("preprocess_cfg", {}) if source.description else {}
    said = (SIGLIP if kinds.kind(model) == "siglip" else CLIP) | _common(model) | {**listed} | beside
    if said["resize_mode"] not in MODES:
        raise UserError(
            f"backbone: {source.beside} asks for images scaled by `resize_mode: {plain(str(said['resize_mode']))}`; only "
            f"{' and '.join(MODES)} are known here, choose other weights."
        )
    interpolation = "bilinear" if said["interpolation"] == "bilinear" else "bicubic"  # as open_clip reads it, "random" too
    return Preprocessing(_three(said["mean"]), _three(said["std"]), interpolation, MODES[said["resize_mode"]])


def usual(config: Mapping[str, Any]) -> Preprocessing:
    """Of a description whose weights nobody has seen yet."""
    said: Mapping[str, Any] = SIGLIP if parts(config).image == "siglip" else CLIP
    return Preprocessing(said["mean"], said["std"], said["interpolation"], MODES[said["resize_mode"]])


def _common(model: str) -> dict[str, Any]:
    """What the entries of all published weights of a model agree on."""
    entries = [published.entry(model, tag) for tag in published.tags(model)]
    return {key: entries[0][key] for key in CLIP if entries and all(own[key] == entries[0][key] for own in entries)}


def _three(values: Any) -> Three:
    red, green, blue = values
    return red, green, blue
