"""Every kind of model whose image tower is not CLIP's, small: open_clip's own description and timm's own code with fewer layers and
narrower text, at random weights, in files as they are published."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import open_clip
import timm
import torch
from safetensors.torch import save_file

from promptatlas.backbone import kinds, published
from twins import fill, unfilled

NARROW = {"embed_dim": 48, "depth": 2, "num_heads": 3}
# By the name of a model what its image tower has less of.
SMALL: dict[str, dict[str, Any]] = {
    "convnext_base": {"depths": [1, 1, 1, 1], "dims": [16, 32, 48, 64]},
    "EVA01-g-14": NARROW,
    "EVA02-B-16": NARROW,
    "ViTamin-S": {"depth": 1},
    "PE-Core-T-16-384": {"depth": 1},
    "MobileCLIP-B": {"depth": 1},
    "MobileCLIP2-S0": {"layers": (1, 1, 1, 1)},
    "MobileCLIP2-S3": {"layers": (1, 1, 1, 1, 1), "embed_dims": (32, 64, 128, 256, 256)},
    "MobileCLIP2-L-14": NARROW,
    "coca_ViT-B-32": {"layers": 2, "width": 64},
}
WORDS = 49408


def described(name: str) -> dict[str, Any]:
    """open_clip's description of a model, with its small image tower, and a text tower of two narrow layers."""
    config = deepcopy(kinds.config(name))
    vision, text = config["vision_cfg"], config["text_cfg"]
    if "timm_model_name" in vision:
        vision["timm_model_name"] = _registered(name, vision["timm_model_name"])
    else:
        vision |= SMALL[name]
    text |= {"width": 32, "heads": 2, "layers": 2}
    return config | {"embed_dim": 24}


def _registered(name: str, original: str) -> str:
    """timm's model `original` with less of everything, under a name of its own."""
    build, called = timm.models.model_entrypoint(original), f"small_{name}".replace("-", "_").lower()

    def small(pretrained: bool = False, **given: Any) -> torch.nn.Module:
        given = {key: value for key, value in given.items() if key not in ("pretrained_cfg", "pretrained_cfg_overlay", "cache_dir")}
        return build(pretrained=pretrained, **SMALL[name], **given)

    small.__name__, small.__module__ = called, __name__
    if not timm.is_model(called):
        timm.models.register_model(small)
    return called


def random(name: str) -> Any:
    """An open_clip model, with features that differ from sentence to sentence and from image to image."""
    config = described(name)
    plain = open_clip.CustomTextCLIP if config.pop("custom_text", False) else open_clip.CLIP
    family = open_clip.CoCa if "multimodal_cfg" in config else plain
    model = unfilled(family, **config)
    fill(model)
    with torch.no_grad():
        for part in model.modules():
            if isinstance(part, torch.nn.BatchNorm2d):
                part.running_mean.normal_(std=0.05)
                part.running_var.uniform_(0.5, 1.5)
    return model.eval().requires_grad_(False)


def publish(name: str, model: Any, folder: Path, beside: bool = True) -> None:
    """Its weights and, with `beside`, its description, as open_clip and the hub keep them."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({key: value.contiguous() for key, value in model.state_dict().items()}, folder / "open_clip_model.safetensors")
    if beside:
        about = published.entry(name, published.tags(name)[0])
        seen = {key: about[key] for key in ("mean", "std", "interpolation", "resize_mode")}
        (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": described(name), "preprocess_cfg": seen}))
