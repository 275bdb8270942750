"""What a model name stands for, read from open_clip's own descriptions of its models, or from `open_clip_config.json`
in a folder, without importing open_clip or torch: a wrong name is told before any job.
"""

import json
from functools import cache
from pathlib import Path

from promptatlas.backbone.parts import CAUSAL, TEXT, VISION, WHOLE, Parts, parts
from promptatlas.base.errors import UserError
from promptatlas.base.messages import shown, suggest
from promptatlas.base.packages import folder_of

MINI = Path(__file__).parent / "mini"
LOCAL = "local-dir:"
CONFIG = "open_clip_config.json"
MINI_PARTS = Parts("vit", CAUSAL)


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
    """The image tower, one of "vit", "clipa", "resnet", "siglip" and "opaque", or "unsupported" (`sentence` says why).

    Raises UserError as `config` does.
    """
    return of(model).image or "unsupported"


def of(model: str) -> Parts:
    """Which towers a model has, or why it is not served. Raises UserError as `config` does."""
    return MINI_PARTS if model == "mini" else parts(config(model))


def sentence(model: str) -> str:
    """Why a model is unsupported and what to take instead; empty for all others."""
    reason = of(model).refused
    return refusal(model, reason) if reason else ""


def refusal(model: str, reason: str) -> str:
    return f"backbone.model: {model!r} is not supported because {reason}; `promptatlas models` lists those that are, such as 'ViT-B-16'."


def whole_sentences(model: str) -> int:
    """Tokens of every sentence of a model whose text tower reads its padding, too; 0 for one that stops at the end token."""
    if of(model).text not in WHOLE:
        return 0
    return config(model)["text_cfg"].get("context_length", TEXT["context_length"])


def image_size(model: str) -> int:
    """Side of the images that a model reads, in pixels. Raises UserError as `config` does."""
    return description(model)["vision_cfg"].get("image_size", VISION["image_size"])


def description(model: str) -> dict:
    """As `config`, of the embedded model too."""
    return json.loads((MINI / "config.json").read_text()) if model == "mini" else config(model)
