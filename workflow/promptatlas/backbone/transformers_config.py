"""What the transformers library writes of a CLIP or a SigLIP (`config.json`, `preprocessor_config.json`), in the form of open_clip's
descriptions. Knows nothing of weights or torch, and needs none of that library.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from promptatlas.base.errors import UserError
from promptatlas.base.messages import plain

CONFIG = "config.json"
IMAGE_FILES = ("preprocessor_config.json", "processor_config.json")  # the latter, of newer versions, has the former below `image_processor`

# What holds where a description says nothing.
_CLIP_TEXT = {
    "vocab_size": 49408, "hidden_size": 512, "intermediate_size": 2048, "num_hidden_layers": 12, "num_attention_heads": 8,
    "max_position_embeddings": 77, "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5, "eos_token_id": 49407,
}  # fmt: skip
_CLIP_VISION = {
    "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12, "num_channels": 3,
    "image_size": 224, "patch_size": 32, "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5,
}  # fmt: skip
_SIGLIP = {
    "hidden_size": 768,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "hidden_act": "gelu_pytorch_tanh",
    "layer_norm_eps": 1e-6,
}
_SIGLIP_TEXT = _CLIP_TEXT | _SIGLIP | {"vocab_size": 32000, "max_position_embeddings": 64}
_SIGLIP_VISION = _CLIP_VISION | _SIGLIP | {"patch_size": 16, "vision_use_head": True}
_ENDS = (2, 49407)  # ids under which descriptions know CLIP's end token: 2 in old ones, where the highest id is meant
_FILTERS = {2: "bilinear", 3: "bicubic"}  # Pillow's numbers


def is_theirs(path: Path) -> bool:
    """Whether a file is a description of that library's; other programs write files of the same name."""
    return path.name == CONFIG and "model_type" in _read(path, {})


def images_file(path: Path) -> Path | None:
    """The file beside a description that says how the model sees images."""
    return next((path.parent / name for name in IMAGE_FILES if (path.parent / name).is_file()), None)


def described(path: Path) -> dict[str, Any]:
    """`model_cfg` and `preprocess_cfg` as `open_clip_config.json` has them. Raises UserError for a model that is not served."""
    said = _read(path, None)
    kind = said.get("model_type")
    if kind not in _KINDS:
        raise _refused(path, f"`model_type: {plain(str(kind))}` is neither {' nor '.join(_KINDS)}")
    try:
        model = _KINDS[kind](path, said)
        return {"model_cfg": model, "preprocess_cfg": _images(path, model["vision_cfg"]["image_size"])}
    except (TypeError, ValueError, KeyError, ZeroDivisionError, AttributeError) as error:
        raise UserError(f"backbone: {path} or what lies beside it does not describe a model as the transformers library does.") from error


def _clip(path: Path, said: Mapping[str, Any]) -> dict[str, Any]:
    text, vision = _part(said, "text_config", _CLIP_TEXT), _part(said, "vision_config", _CLIP_VISION)
    activation = text["hidden_act"]
    if activation not in ("gelu", "quick_gelu") or vision["hidden_act"] != activation:
        raise _refused(path, f"its activations are {activation} (text) and {vision['hidden_act']} (images), not gelu or quick_gelu in both")
    if text["eos_token_id"] not in _ENDS:
        raise _refused(path, f"its end token is {text['eos_token_id']}, which is not CLIP's")
    return {
        "embed_dim": said.get("projection_dim", 512),
        "quick_gelu": activation == "quick_gelu",
        "vision_cfg": _vision(path, vision) | _norms(vision),
        "text_cfg": _text(text) | _norms(text),
    }


def _siglip(path: Path, said: Mapping[str, Any]) -> dict[str, Any]:
    text, vision = _part(said, "text_config", _SIGLIP_TEXT), _part(said, "vision_config", _SIGLIP_VISION)
    if not vision["vision_use_head"]:
        raise _refused(path, "its image tower has no pooling head")
    for tower in (text, vision):
        if tower["hidden_act"] not in ("gelu", "gelu_pytorch_tanh"):
            raise _refused(path, f"its activation is {tower['hidden_act']}, neither gelu nor gelu_pytorch_tanh")
        if tower["layer_norm_eps"] != 1e-6:
            raise _refused(path, f"its norms add {tower['layer_norm_eps']} (`layer_norm_eps`) and not 1e-6")
    own: dict[str, Any] = {"hf_tokenizer_name": str(path.parent), "tokenizer_kwargs": {"clean": "canonicalize"}}
    own |= {"no_causal_mask": True, "proj_bias": True, "pool_type": "last"}
    return {
        "embed_dim": text.get("projection_size", text["hidden_size"]),
        "vision_cfg": _vision(path, vision) | _norms(vision) | _tanh(vision) | {"pool_type": "map"},
        "text_cfg": _text(text) | _norms(text) | _tanh(text) | own,
    }


_KINDS = {"clip": _clip, "siglip": _siglip}


def _part(said: Mapping[str, Any], name: str, usual: Mapping[str, Any]) -> dict[str, Any]:
    """One tower's; what old files repeat below `<name>_dict` is what the library goes by."""
    return {**usual, **(said.get(name) or {}), **(said.get(f"{name}_dict") or {})}


def _sizes(tower: Mapping[str, Any]) -> dict[str, Any]:
    width = tower["hidden_size"]
    ratio = (tower["intermediate_size"] + 0.5) / width  # from which int(width * ratio) is the width inside the MLPs, however it is rounded
    return {"width": width, "layers": tower["num_hidden_layers"], "mlp_ratio": ratio}


def _vision(path: Path, tower: Mapping[str, Any]) -> dict[str, Any]:
    if tower["num_channels"] != 3:
        raise _refused(path, f"it reads images of {tower['num_channels']} channels")
    head = tower["hidden_size"] // tower["num_attention_heads"]
    return _sizes(tower) | {"image_size": tower["image_size"], "patch_size": tower["patch_size"], "head_width": head}


def _text(tower: Mapping[str, Any]) -> dict[str, Any]:
    own = {"context_length": tower["max_position_embeddings"], "vocab_size": tower["vocab_size"], "heads": tower["num_attention_heads"]}
    return _sizes(tower) | own


def _norms(tower: Mapping[str, Any]) -> dict[str, Any]:
    return {} if tower["layer_norm_eps"] == 1e-5 else {"norm_kwargs": {"eps": tower["layer_norm_eps"]}}


def _tanh(tower: Mapping[str, Any]) -> dict[str, Any]:
    return {"act_kwargs": {"approximate": "tanh"}} if tower["hidden_act"] == "gelu_pytorch_tanh" else {}


def _images(path: Path, size: int) -> dict[str, Any]:
    """What is said of images; empty where nothing is. Raises UserError where it cannot be followed exactly."""
    beside = images_file(path)
    if beside is None:
        return {}
    said = _read(beside, None)
    said = said if beside.name == IMAGE_FILES[0] else said.get("image_processor", {})
    found: dict[str, Any] = {}
    if said.keys() & {"size", "crop_size", "do_center_crop"}:
        found["resize_mode"] = _mode(beside, said, size)
    if (filter_ := said.get("resample")) is not None:
        if filter_ not in _FILTERS:
            raise _refused(beside, f"its filter (`resample: {filter_}`) is neither bilinear (2) nor bicubic (3)")
        found["interpolation"] = _FILTERS[filter_]
    if off := [name for name in ("do_resize", "do_rescale") if said.get(name, True) is not True]:
        raise _refused(beside, f"`{off[0]}` is off")
    if abs(said.get("rescale_factor", 1 / 255) - 1 / 255) > 1e-6:
        raise _refused(beside, f"`rescale_factor` is {said['rescale_factor']} and not 1/255")
    if said.get("do_normalize", True) is not True:
        return found | {"mean": [0.0] * 3, "std": [1.0] * 3}
    return found | {ours: said[theirs] for ours, theirs in (("mean", "image_mean"), ("std", "image_std")) if said.get(theirs) is not None}


def _mode(path: Path, said: Mapping[str, Any], size: int) -> str:
    """ "shortest": the short side becomes `size`, then the centre is cut out; "squash": both sides do."""
    scaled, cut = said.get("size", size), said.get("crop_size", size)
    sides = {scaled} if isinstance(scaled, int) else {scaled[key] for key in ("height", "width", "shortest_edge") if key in scaled}
    cuts = said.get("do_center_crop", True) is True and not (isinstance(scaled, dict) and "height" in scaled and "crop_size" not in said)
    final = sides if not cuts else {cut} if isinstance(cut, int) else {*cut.values()}
    if sides != {size} or final != {size}:
        raise _refused(path, f"it scales images to {_sides(sides)} and cuts out {_sides(final)} pixels where the model reads {size}")
    whole = isinstance(scaled, dict) and "height" in scaled
    if not whole and not cuts:
        raise _refused(path, "it cuts images to no square (`do_center_crop`)")
    return "squash" if whole else "shortest"


def _sides(several: set[int]) -> str:
    return "x".join(map(str, sorted(several)))


def _refused(path: Path, reason: str) -> UserError:
    return UserError(f"backbone: {path} is of a model that is not supported because {reason}; choose another model.")


def _read(path: Path, otherwise: dict[str, Any] | None) -> dict[str, Any]:
    """otherwise: in place of a file that holds no JSON object; with None it raises UserError."""
    try:
        said = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        if otherwise is None:
            raise UserError(f"backbone: {path} is not readable JSON; fetch it again.") from error
        return otherwise
    if isinstance(said, dict):
        return said
    if otherwise is None:
        raise UserError(f"backbone: {path} does not describe a model; fetch it again.")
    return otherwise
