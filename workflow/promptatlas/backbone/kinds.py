"""What a model name stands for, read from open_clip's own descriptions of its models, or from `open_clip_config.json` or
the `config.json` of the transformers library in a folder, without importing open_clip or torch: a wrong name is told before any job.
"""

import json
from functools import cache
from pathlib import Path

from promptatlas.backbone import transformers_config
from promptatlas.backbone.hub import HUB, Repository
from promptatlas.backbone.parts import CAUSAL, TEXT, VISION, WHOLE, Parts, parts
from promptatlas.base.errors import UserError
from promptatlas.base.messages import shown, suggest
from promptatlas.base.packages import folder_of

MINI = Path(__file__).parent / "mini"
LOCAL = "local-dir:"
CONFIG = "open_clip_config.json"
MINI_PARTS = Parts("vit", CAUSAL)
_DESCRIPTIONS = (CONFIG, transformers_config.CONFIG)


@cache
def names() -> tuple[str, ...]:
    """All models that open_clip describes, of every kind."""
    return tuple(sorted(path.stem for path in _descriptions().glob("*.json")))


def _descriptions() -> Path:
    return folder_of("open_clip") / "model_configs"


def config(model: str) -> dict:
    """open_clip's description of a model: `embed_dim`, `vision_cfg`, `text_cfg`, `quick_gelu` where it is set.

    model: a name that open_clip knows, `local-dir:<folder>`, or `hf-hub:<owner>/<name>` of which the description is in the hub's cache
    (`bring`). Raises UserError for an unknown name, and for a description that is not here or cannot be read.
    """
    if model.startswith((LOCAL, HUB)):
        folder = folder_with(model)
        return described(beside(folder) or folder / CONFIG)["model_cfg"]
    if model not in names():
        hint = suggest(model, names(), "`open_clip.list_models()` lists the known ones.")
        raise UserError(f"backbone.model: open_clip knows no model {shown(model)}; {hint}")
    return json.loads((_descriptions() / f"{model}.json").read_text())


def folder_with(model: str) -> Path:
    """Where the description of a model lies that brings its own weights: its folder, or its part of the hub's cache."""
    if model.startswith(LOCAL):
        return Path(model.removeprefix(LOCAL))
    repository = Repository.of(model.removeprefix(HUB))
    if found := repository.cached(_DESCRIPTIONS):
        return found.parent
    raise repository.away(_DESCRIPTIONS, "nothing may be downloaded, or it was not asked for")


def bring(model: str) -> None:
    """See that what describes a model is here, if it is on the hub. Raises UserError if that cannot be fetched.

    A cache that somebody brought may lack the file that says how images are seen: that is fetched where it can be.
    """
    if not model.startswith(HUB):
        return
    repository = Repository.of(model.removeprefix(HUB))
    if found := repository.cached(_DESCRIPTIONS):
        _complete(repository, found.parent)
        return
    if repository.brought([CONFIG]):
        return
    repository.brought(transformers_config.IMAGE_FILES)  # before what says that all is there
    if not repository.brought([transformers_config.CONFIG]):
        raise repository.away(_DESCRIPTIONS, "it has neither")


def bring_beside(repository: Repository) -> None:
    """The same of weights on the hub whose model is named otherwise; a repository without a description is taken as it is."""
    found = repository.cached(_DESCRIPTIONS) or repository.tried([CONFIG])
    if found := found or repository.tried([transformers_config.CONFIG]):
        _complete(repository, found.parent)


def beside_on_hub(repository: Repository) -> Path | None:
    """The description in the hub's cache of the commit that a repository is of there."""
    found = repository.cached(_DESCRIPTIONS)
    return beside(found.parent) if found else None


def _complete(repository: Repository, folder: Path) -> None:
    if (path := beside(folder)) and path.name == transformers_config.CONFIG:
        Repository(repository.name, folder.name).tried(transformers_config.IMAGE_FILES)


def called(model: str) -> str:
    """How tables and cards call it: without the folders of this machine."""
    return Path(model.removeprefix(LOCAL)).name if model.startswith(LOCAL) else model.removeprefix(HUB)


def beside(folder: Path) -> Path | None:
    """The description of weights in a folder: open_clip's or, where there is none, that of the transformers library."""
    ours, theirs = folder / CONFIG, folder / transformers_config.CONFIG
    return ours if ours.is_file() else theirs if transformers_config.is_theirs(theirs) else None


def described(path: Path) -> dict:
    """`model_cfg` and `preprocess_cfg` of a description. Raises UserError if it cannot be read, or is of no model that is served."""
    if path.name == transformers_config.CONFIG:
        return transformers_config.described(path)
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
