"""CLIP's vision transformer as the timm library describes it and names its weights (MobileCLIP2-L-14's): the same computation, with a
bias behind the last projection. Knows nothing of files or torch.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

_NAME = re.compile(r"vit_(base|large|huge)_patch(\d+)_clip_(\d+)")
_SIZES = {"base": (768, 12, 12), "large": (1024, 24, 16), "huge": (1280, 32, 16)}  # width, layers, heads
# The class token is read, and timm's own head projects it. What is dropped in training enters no feature.
_HEAD, _DROPPED = {"timm_pool": "token", "timm_proj": None}, {"timm_drop", "timm_drop_path"}
_OTHER = {"timm_model_name", "timm_model_pretrained", "image_size"}
_NAMES = (
    ("visual.trunk.cls_token", "visual.class_embedding"), ("visual.trunk.pos_embed", "visual.positional_embedding"),
    ("visual.trunk.patch_embed.proj.", "visual.conv1."), ("visual.trunk.norm_pre.", "visual.ln_pre."),
    ("visual.trunk.norm.", "visual.ln_post."), ("visual.trunk.head.weight", "visual.proj"), ("visual.trunk.head.bias", "visual.proj_bias"),
    ("visual.trunk.blocks.", "visual.transformer.resblocks."), (".norm1.", ".ln_1."), (".norm2.", ".ln_2."),
    (".attn.qkv.", ".attn.in_proj_"), (".attn.proj.", ".attn.out_proj."), (".mlp.fc1.", ".mlp.c_fc."), (".mlp.fc2.", ".mlp.c_proj."),
)  # fmt: skip


def plain(vision: Mapping[str, Any]) -> dict[str, Any]:
    """A description of an image tower (`vision_cfg`) in open_clip's own words, if it is one of these; else as it is."""
    name = _NAME.fullmatch(str(vision.get("timm_model_name")))
    known = vision.keys() <= {*_HEAD, *_DROPPED, *_OTHER} and all(key in vision and vision[key] == value for key, value in _HEAD.items())
    if not name or not known or vision.get("image_size", 224) != int(name[3]):
        return dict(vision)
    width, layers, heads = _SIZES[name[1]]
    return {"image_size": int(name[3]), "patch_size": int(name[2]), "width": width, "layers": layers, "head_width": width // heads}


def is_one(vision: Mapping[str, Any]) -> bool:
    """Whether a description is of such a tower."""
    return plain(vision) != dict(vision)


def renamed(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict with the image tower under the names that open_clip gives its own, and in their shapes."""
    found = {}
    for name, value in weights.items():
        ours = name
        if name.startswith("visual.trunk."):
            for theirs, own in _NAMES:
                ours = ours.replace(theirs, own)
        flat = ours in ("visual.class_embedding", "visual.positional_embedding")
        found[ours] = value.reshape(value.shape[-1:] if ours.endswith("class_embedding") else value.shape[-2:]) if flat else value
    if "visual.proj" in found and "visual.proj" not in weights:
        found["visual.proj"] = found["visual.proj"].T
    return found
