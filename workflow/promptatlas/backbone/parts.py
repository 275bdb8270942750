"""What a description of a model, in open_clip's form, needs: which image tower, which text tower, or why neither fits.

Knows nothing of names, files or torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from promptatlas.backbone import timm_clip

# Values that open_clip takes where a description says nothing.
VISION = {"layers": 12, "width": 768, "head_width": 64, "mlp_ratio": 4.0, "patch_size": 16, "image_size": 224}
TEXT = {"context_length": 77, "vocab_size": 49408, "width": 512, "heads": 8, "layers": 12, "mlp_ratio": 4.0}
SIGLIP_VISION = {"image_size", "timm_model_name", "timm_model_pretrained", "timm_pool", "timm_proj"}
MAP_VISION = {"pool_type": "map", "norm_kwargs": {"eps": 1e-6}}  # SigLIP's where timm is not what describes it
CLIPA_VISION = {"no_ln_pre": True, "pool_type": "avg", "final_ln_after_pool": True}
_USUAL = {
    "patch_dropout": 0, "output_tokens": False, "ls_init_value": None, "attentional_pool": False, "no_ln_pre": False,
    "pos_embed_type": "learnable", "final_ln_after_pool": False, "act_kwargs": None, "norm_kwargs": None,
    "embed_cls": False, "no_causal_mask": False, "proj_bias": False, "proj_type": "linear", "hf_tokenizer_name": None,
    "timm_model_name": None, "tokenizer_kwargs": None, "hf_model_name": None,
}  # fmt: skip

CAUSAL, SIGLIP, MOBILECLIP, COCA, CLIPA, WORLDWIDE = "causal", "siglip", "mobileclip", "coca", "clipa", "worldwide"
# Text tower -> what its description says beside the sizes. Anything else is another tower, so that no part is overlooked.
_TEXTS: dict[str, dict[str, tuple[Any, ...]]] = {
    CAUSAL: {"pool_type": (None, "argmax")},
    SIGLIP: {
        "no_causal_mask": (True,), "pool_type": ("last",), "tokenizer_kwargs": ({"clean": "canonicalize"},),
        "norm_kwargs": ({"eps": 1e-6},), "act_kwargs": (None, {"approximate": "tanh"}), "hf_tokenizer_name": (...,),
        "proj_bias": (None, True), "proj_type": (None, "none"),
    },
    MOBILECLIP: {"no_causal_mask": (True,), "pool_type": (None, "argmax")},
    COCA: {"embed_cls": (True,), "output_tokens": (None, True), "pool_type": (None, "argmax")},
    CLIPA: {
        "no_causal_mask": (True,), "pool_type": ("last",), "tokenizer_kwargs": ({"strip_sep_token": True},), "hf_tokenizer_name": (...,),
    },
    WORLDWIDE: {"pool_type": ("eos",), "eos_id": (2,), "hf_tokenizer_name": (...,)},
}  # fmt: skip
WHOLE = (SIGLIP, MOBILECLIP, COCA, CLIPA)  # towers that read every sentence up to its full length
FOREIGN_WORDS = (SIGLIP, CLIPA, WORLDWIDE)  # towers whose vocabulary is not CLIP's


@dataclass(frozen=True)
class Parts:
    """image: "vit", "clipa", "resnet", "siglip", or "opaque" for a tower that open_clip computes; text: a key of `_TEXTS`.

    refused: why the model is not served at all, as part of a sentence, else empty; closed: why its image tower takes no prompts.
    """

    image: str = ""
    text: str = ""
    refused: str = ""
    closed: str = ""


def parts(config: Mapping[str, Any]) -> Parts:
    """Of a description with `embed_dim`, `vision_cfg`, `text_cfg` and what else it says."""
    quick = config.get("quick_gelu", False)  # which towers that timm describes never have
    vision, text = _said(config["vision_cfg"] if quick else timm_clip.plain(config["vision_cfg"])), _said(config["text_cfg"])
    if "hf_model_name" in text:
        return Parts(refused=f"its text tower is {text['hf_model_name']!r} from the transformers library")
    if not isinstance(vision.get("image_size", 224), int):
        return Parts(refused="it reads images that are not square")
    words = next((name for name in _TEXTS if not _unlike(text, name)), "")
    if not words:
        return Parts(refused=_why_no_text(text))
    image, closed = _image(vision, words)
    return Parts(image, words, closed=closed)


def _image(vision: Mapping[str, Any], words: str) -> tuple[str, str]:
    """The image tower, and why it takes no prompts."""
    if "timm_model_name" in vision:
        name, pooled = vision["timm_model_name"], {"timm_pool": "map", "timm_proj": "none"}
        ours = "siglip" in name and words == SIGLIP and all(vision.get(key) == value for key, value in pooled.items())
        return "siglip" if ours and not vision.keys() - SIGLIP_VISION else "opaque", f"its image tower is {name!r} from the timm library"
    mapped = words == SIGLIP and all(vision.get(key) == value for key, value in MAP_VISION.items())
    if mapped and not _other(vision, {*VISION, *MAP_VISION, "act_kwargs"}, {}):
        return "siglip", "its image tower is SigLIP's"
    if all(vision.get(key) == value for key, value in CLIPA_VISION.items()) and not _other(vision, {*VISION, *CLIPA_VISION}, {}):
        return "clipa", ""
    other = _other(vision, {*VISION, "patch_dropout"}, {"pool_type": "tok"})
    if other:
        return "opaque", f"its image tower is no plain vision transformer ({', '.join(other)})"
    return ("vit", "") if isinstance(vision.get("layers", 12), int) else ("resnet", "its image tower is a ResNet")


def _unlike(text: Mapping[str, Any], name: str) -> list[str]:
    """The keys in which a description differs from a text tower."""
    own = _TEXTS[name]
    found = _other(text, {*TEXT, *own}, {})
    found += [key for key, values in own.items() if ... not in values and text.get(key) not in values]
    if name not in FOREIGN_WORDS and text.get("vocab_size", TEXT["vocab_size"]) != TEXT["vocab_size"]:
        found.append("vocab_size")
    return found


def _why_no_text(text: Mapping[str, Any]) -> str:
    if "hf_tokenizer_name" in text:
        return f"it reads text through another tokenizer ({text['hf_tokenizer_name']})"
    if text.get("vocab_size", TEXT["vocab_size"]) != TEXT["vocab_size"]:
        return f"its vocabulary of {text['vocab_size']} tokens is not CLIP's"
    unlike = sorted((_unlike(text, name) for name in _TEXTS), key=len)
    return f"its text tower is none of those known here ({', '.join(unlike[0])})"


def _said(description: Mapping[str, Any]) -> dict[str, Any]:
    """Without the keys that say what holds anyway."""
    return {k: v for k, v in description.items() if k not in _USUAL or v != _USUAL[k]}


def _other(description: Mapping[str, Any], known: set[str], usual: Mapping[str, Any]) -> list[str]:
    return [key for key, value in description.items() if key not in known and usual.get(key) != value]
