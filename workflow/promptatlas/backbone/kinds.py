"""What a model name stands for, read from open_clip's own descriptions of its models, or from `open_clip_config.json`
in a folder, without importing open_clip or torch: a wrong name is told before any job.
"""

import json
from functools import cache
from pathlib import Path

from promptatlas.base.errors import UserError
from promptatlas.base.messages import shown, suggest
from promptatlas.base.packages import folder_of

MINI = Path(__file__).parent / "mini"
LOCAL = "local-dir:"
CONFIG = "open_clip_config.json"

# Keys that a description may hold, and the values that open_clip takes where it says nothing. Anything else is another
# architecture, so that no model is exported of which a part was overlooked.
VISION = {"layers": 12, "width": 768, "head_width": 64, "mlp_ratio": 4.0, "patch_size": 16, "image_size": 224}
TEXT = {"context_length": 77, "vocab_size": 49408, "width": 512, "heads": 8, "layers": 12, "mlp_ratio": 4.0}
SIGLIP_VISION = {"image_size", "timm_model_name", "timm_model_pretrained", "timm_pool", "timm_proj"}
SIGLIP_TEXT = {
    "no_causal_mask", "pool_type", "proj_bias", "proj_type", "norm_kwargs", "act_kwargs", "hf_tokenizer_name",
    "tokenizer_kwargs",
}  # fmt: skip
_USUAL = {
    "patch_dropout": 0, "output_tokens": False, "ls_init_value": None, "attentional_pool": False, "no_ln_pre": False,
    "pos_embed_type": "learnable", "final_ln_after_pool": False, "act_kwargs": None, "norm_kwargs": None,
    "embed_cls": False, "no_causal_mask": False, "proj_bias": False, "proj_type": "linear", "hf_tokenizer_name": None,
    "timm_model_name": None, "tokenizer_kwargs": None, "hf_model_name": None,
}  # fmt: skip


@cache
def names() -> tuple[str, ...]:
    """All models that open_clip describes, of every kind."""
    return tuple(sorted(path.stem for path in _descriptions().glob("*.json")))


def _descriptions() -> Path:
    return folder_of("open_clip") / "model_configs"


def config(model: str) -> dict:
    """open_clip's description of a model: `embed_dim`, `vision_cfg`, `text_cfg`, `quick_gelu` where it is set.

    model: a name that open_clip knows, or `local-dir:<folder>`. Raises UserError for an unknown name, and for a
    description that cannot be read.
    """
    if model.startswith(LOCAL):
        return described(Path(model.removeprefix(LOCAL)) / CONFIG)["model_cfg"]
    if model not in names():
        hint = suggest(model, names(), "`open_clip.list_models()` lists the known ones.")
        raise UserError(f"backbone.model: open_clip knows no model {shown(model)}; {hint}")
    return json.loads((_descriptions() / f"{model}.json").read_text())


def described(path: Path) -> dict:
    """`model_cfg` and `preprocess_cfg` of an `open_clip_config.json`. Raises UserError if it cannot be read."""
    try:
        read = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        reason = "is missing" if isinstance(error, FileNotFoundError) else "is not readable JSON"
        raise UserError(f"backbone: {path} {reason}; a model's folder holds open_clip's description of it.") from error
    wanted = {"embed_dim", "vision_cfg", "text_cfg"}
    if not isinstance(read, dict) or not wanted <= set(read.get("model_cfg", ())):
        keys = ", ".join(sorted(wanted))
        raise UserError(f"backbone: {path} does not describe a model; it needs `model_cfg` with {keys}.")
    return read


def kind(model: str) -> str:
    """One of "vit", "resnet", "siglip" and "unsupported" (`sentence` says why). Raises UserError as `config` does."""
    return "vit" if model == "mini" else kind_and_reason(config(model))[0]


def sentence(model: str) -> str:
    """Why a model is unsupported and what to take instead; empty for all others."""
    if kind(model) != "unsupported":
        return ""
    return refusal(model, kind_and_reason(config(model))[1])


def refusal(model: str, reason: str) -> str:
    return (
        f"backbone.model: {model!r} is not supported because {reason}; choose a plain CLIP such as 'ViT-B-16', a "
        "ResNet such as 'RN50' or a SigLIP such as 'ViT-B-16-SigLIP'."
    )


def image_size(model: str) -> int:
    """Side of the images that a model reads, in pixels. Raises UserError as `config` does."""
    description = json.loads((MINI / "config.json").read_text()) if model == "mini" else config(model)
    return description["vision_cfg"].get("image_size", VISION["image_size"])


def kind_and_reason(config: dict) -> tuple[str, str]:
    """The kind of a description and, for an unsupported one, the reason as part of a sentence."""
    vision, text = _said(config["vision_cfg"]), _said(config["text_cfg"])
    if "multimodal_cfg" in config:
        return "unsupported", "it is a captioning model (CoCa)"
    if "hf_model_name" in text:
        return "unsupported", f"its text tower is {text['hf_model_name']!r} from the transformers library"
    if not isinstance(vision.get("image_size", 224), int):
        return "unsupported", "it reads images that are not square"
    if "timm_model_name" in vision:
        return _siglip(vision, text)
    if "hf_tokenizer_name" in text:
        return "unsupported", f"it reads text through another tokenizer ({text['hf_tokenizer_name']})"
    if config.get("custom_text"):
        return "unsupported", "it keeps its text tower apart (custom_text)"
    if text.get("vocab_size", TEXT["vocab_size"]) != TEXT["vocab_size"]:
        return "unsupported", f"its vocabulary of {text['vocab_size']} tokens is not CLIP's"
    other = _other(vision, {*VISION, "patch_dropout"}, {"pool_type": "tok"})
    other += _other(text, set(TEXT), {"pool_type": "argmax"})
    if other:
        return "unsupported", f"it is no plain CLIP ({', '.join(other)})"
    return "vit" if isinstance(vision.get("layers", 12), int) else "resnet", ""


def _siglip(vision: dict, text: dict) -> tuple[str, str]:
    image, name = {"timm_pool": "map", "timm_proj": "none"}, vision["timm_model_name"]
    if "siglip" not in name or any(vision.get(key) != value for key, value in image.items()):
        return "unsupported", f"its image tower is {name!r} from the timm library"
    words = {
        "no_causal_mask": (True,), "pool_type": ("last",), "tokenizer_kwargs": ({"clean": "canonicalize"},),
        "norm_kwargs": ({"eps": 1e-6},), "act_kwargs": (None, {"approximate": "tanh"}),
    }  # fmt: skip
    other = _other(vision, SIGLIP_VISION, {}) + _other(text, SIGLIP_TEXT | set(TEXT), {})
    other += [key for key, values in words.items() if text.get(key) not in values]
    return ("unsupported", f"it differs from SigLIP ({', '.join(other)})") if other else ("siglip", "")


def _said(description: dict) -> dict:
    """Without the keys that say what holds anyway."""
    return {k: v for k, v in description.items() if k not in _USUAL or v != _USUAL[k]}


def _other(description: dict, known: set[str], usual: dict) -> list[str]:
    return [key for key, value in description.items() if key not in known and usual.get(key) != value]
