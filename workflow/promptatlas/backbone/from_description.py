"""What open_clip's description of a model says, as an `Architecture`. Knows nothing of files or weights."""

import dataclasses
from typing import Any

import timm
import timm.layers
import torch

from promptatlas.backbone import kinds, timm_clip
from promptatlas.backbone.architecture import USUAL_RESIZE, USUAL_TEXT, Architecture
from promptatlas.backbone.parts import CAUSAL, TEXT, VISION, parts
from promptatlas.backbone.preprocessing import Preprocessing
from promptatlas.backbone.resnet import STRIDE
from promptatlas.base.errors import UserError


def architecture(
    model: str,
    pretrained: str,
    config: dict,
    seen: Preprocessing,
    quick_gelu_from: str = "",
) -> Architecture:
    """config: as open_clip has it, with `embed_dim`, `vision_cfg`, `text_cfg`; seen: how the model sees images; quick_gelu_from: what says
    whether `quick_gelu` of the description holds. Raises UserError for a model that is not served.
    """
    own = parts(config)
    if own.refused:
        raise UserError(kinds.refusal(model, own.refused))
    vision, text = VISION | timm_clip.plain(config["vision_cfg"]), TEXT | config["text_cfg"]
    return Architecture(
        name=model,
        pretrained=pretrained,
        embed_dim=config["embed_dim"],
        quick_gelu=bool(config.get("quick_gelu", False)),
        image_size=vision["image_size"],
        text_width=text["width"],
        text_layers=text["layers"],
        text_heads=text["heads"],
        text_hidden=_hidden(text["width"], int(text["width"] * text["mlp_ratio"])),
        text_tanh=bool(text.get("act_kwargs")),
        text_projects=text.get("proj_type") != "none",
        context_length=text["context_length"],
        mean=seen.mean,
        std=seen.std,
        kind=own.image,
        vision_bias=own.image == "vit" and timm_clip.is_one(config["vision_cfg"]),
        quick_gelu_from=quick_gelu_from,
        text="" if own.text == USUAL_TEXT.get(own.image, CAUSAL) else own.text,
        interpolation=seen.interpolation,
        resize="" if seen.resize == USUAL_RESIZE.get(own.image, "crop") else seen.resize,
        **(_opaque(config["vision_cfg"]) if own.image == "opaque" else _INSIDE[own.image](vision)),
    )


def difference(a: Architecture, config: dict) -> str:
    """The first difference that a description makes, such as the number of heads, which no weight shows; else empty."""
    other = architecture(a.name, a.pretrained, config, Preprocessing(a.mean, a.std, a.interpolation, a.fitting), a.quick_gelu_from)
    names = [field.name for field in dataclasses.fields(a) if field.name != "quick_gelu"]
    pairs = ((name, getattr(a, name), getattr(other, name)) for name in names)
    return next((f"{name} is {theirs} and not {ours}" for name, ours, theirs in pairs if ours != theirs), "")


def _vit(vision: dict) -> dict:
    return {
        "vision_width": vision["width"],
        "vision_layers": vision["layers"],
        "vision_heads": vision["width"] // vision["head_width"],
        "vision_hidden": _hidden(vision["width"], int(vision["width"] * vision["mlp_ratio"])),
        "patch_size": vision["patch_size"],
    }


def _resnet(vision: dict) -> dict:
    return {
        "vision_width": vision["width"],
        "vision_layers": len(vision["layers"]),
        # Heads are those of the attention at the end, whose input is 32 times as wide as the stem.
        "vision_heads": vision["width"] * 32 // vision["head_width"],
        "stages": tuple(vision["layers"]),
        "patch_size": STRIDE,
    }


def _siglip(vision: dict) -> dict:
    """From timm's model of that name, built without memory, where no sizes are said."""
    if "timm_model_name" not in vision:
        return _vit(vision) | {"vision_tanh": bool(vision.get("act_kwargs"))}
    with torch.device("meta"):
        trunk: Any = timm.create_model(vision["timm_model_name"], num_classes=0, global_pool="map")
    block = trunk.blocks[0]
    return {
        "vision_width": trunk.embed_dim,
        "vision_layers": len(trunk.blocks),
        "vision_heads": block.attn.num_heads,
        "vision_hidden": _hidden(trunk.embed_dim, block.mlp.fc1.out_features),
        "patch_size": trunk.patch_embed.patch_size[0],
        "vision_tanh": isinstance(block.mlp.act, timm.layers.GELUTanh),
    }


_INSIDE = {"vit": _vit, "clipa": _vit, "resnet": _resnet, "siglip": _siglip}


def _opaque(vision: dict) -> dict:
    """The description itself; what nobody here looks into is 0."""
    inside = ("vision_width", "vision_layers", "vision_heads", "patch_size")
    return dict.fromkeys(inside, 0) | {"image_tower": dict(sorted(vision.items()))}


def _hidden(width: int, hidden: int) -> int | None:
    """None for the usual four times the width."""
    return None if hidden == 4 * width else hidden
