"""The door to open_clip, and the only module that imports it: a model by name and weights becomes a folder with
`backbone.safetensors`, `architecture.json` and `tokenizer.json`. Knows nothing of prompts or tasks.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import open_clip
import torch
from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from open_clip.pretrained import download_pretrained, get_pretrained_cfg
from open_clip.tokenizer import SimpleTokenizer
from safetensors import SafetensorError
from safetensors.numpy import load_file
from safetensors.torch import save_file
from torch import Tensor

from promptatlas.backbone import ARCHITECTURE, TOKENIZER, WEIGHTS, checkpoints, kinds
from promptatlas.backbone.architecture import Architecture
from promptatlas.backbone.checkpoints import Checkpoint
from promptatlas.backbone.model import shapes
from promptatlas.backbone.origin import Origin, origin
from promptatlas.backbone.resnet import STRIDE
from promptatlas.backbone.tokenizer import Tokenizer
from promptatlas.errors import UserError
from promptatlas.streams import stream

MINI = kinds.MINI


def open_clip_model(config: dict) -> open_clip.CLIP:
    """An untrained open_clip CLIP from a configuration with `embed_dim`, `vision_cfg`, `text_cfg`, `quick_gelu`."""
    return open_clip.CLIP(**config)


def export(model: str, pretrained: str, folder: str | Path) -> Architecture:
    """Writes the folder. `model` "mini" is the shipped small CLIP; any other name is open_clip's or `local-dir:<folder>`.

    pretrained: a tag of open_clip's, a file or a folder with one. Raises UserError for unknown names, models of an
    unsupported kind, damaged weights and weights of another model.
    """
    if model == "mini":
        config, weights = mini(MINI if pretrained == "mini" else Path(pretrained))
        mean, std = tuple(config.pop("mean")), tuple(config.pop("std"))
        architecture = _architecture(model, pretrained, config, mean, std)
    else:
        architecture, weights = _published(model, pretrained)
    write(architecture, weights, folder)
    return architecture


def _published(model: str, pretrained: str) -> tuple[Architecture, dict[str, Tensor]]:
    source, config = origin(model, pretrained), kinds.config(model)
    listed = dict(get_pretrained_cfg(model, source.tag)) if source.tag else {}
    path = source.path or _download(model, source.tag, listed)
    checkpoint = checkpoints.read(path)
    described = kinds.described(source.description) if source.description else {}
    if not (listed or described or checkpoint.openai):
        listed = _listed_by_hash(path)
    quick_gelu, said_by = _activation(model, config, source, checkpoint, listed, described)
    preprocess = {"mean": OPENAI_DATASET_MEAN, "std": OPENAI_DATASET_STD} | listed | described.get("preprocess_cfg", {})
    config["quick_gelu"] = quick_gelu
    architecture = _architecture(model, pretrained, config, tuple(preprocess["mean"]), tuple(preprocess["std"]), said_by)
    vocabulary = config["text_cfg"].get("vocab_size", kinds.TEXT["vocab_size"])
    return architecture, checkpoints.fitting(checkpoint, shapes(architecture, vocabulary), path, model)


def _download(model: str, tag: str, published: dict) -> Path:
    try:
        return Path(download_pretrained(published))
    except Exception as error:  # every kind of trouble on the way to a hub; each needs the same remedy
        raise UserError(
            f"backbone.pretrained: the weights {tag!r} of {model!r} cannot be fetched ({_one_line(error)}); fetch them on a "
            "machine with a network, or name a file of weights."
        ) from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _listed_by_hash(path: Path) -> dict:
    """open_clip's entry for a file that is one of its releases, whose names end with the first digits of their SHA-256."""
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    for model, tag in open_clip.list_pretrained():
        entry = get_pretrained_cfg(model, tag)
        url = entry.get("url", "")
        if "mlfoundations/open_clip/releases" in url and digest.startswith(Path(url).stem.split("-")[-1]):
            return dict(entry)
    return {}


def _activation(
    model: str, config: dict, source: Origin, checkpoint: Checkpoint, listed: dict, described: dict
) -> tuple[bool, str]:
    """Whether the weights were trained with QuickGELU, and what says so.

    A file of weights does not say it, and the wrong activation costs accuracy without any error. open_clip lists OpenAI's
    weights under a plain name such as 'ViT-B-16' too, as everyone calls them, but then runs them with GELU: here what is
    known of the weights decides. Only a name that claims QuickGELU for weights known to lack it is refused, and where
    nothing is known the name decides.
    """
    named = bool(config.get("quick_gelu", False))
    if source.tag:
        known, said_by = bool(listed.get("quick_gelu", False)), f"open_clip's entry for the weights {source.tag!r}"
    elif checkpoint.openai:
        known, said_by = True, "OpenAI's file format"
    elif described:
        known, said_by = bool(described["model_cfg"].get("quick_gelu", False)), str(source.description.name)
    elif listed:
        known, said_by = bool(listed.get("quick_gelu", False)), "the SHA-256 of the file, which open_clip lists"
    else:
        return named, "the name of the model"
    if named and not known:
        raise UserError(
            f"backbone: {model!r} means QuickGELU, but {said_by} says that these weights were trained with GELU; use "
            f"{model.removesuffix('-quickgelu')!r}."
        )
    return known, said_by


def write(architecture: Architecture, weights: dict[str, Tensor], folder: str | Path) -> None:
    """Whole files only: each is written under another name first."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    kept = {key: value.contiguous() for key, value in checkpoints.used(weights).items()}
    save_file(kept, folder / f"{WEIGHTS}.tmp")
    architecture.write(folder / f"{ARCHITECTURE}.tmp")
    tokenizer().write(folder / f"{TOKENIZER}.tmp")
    for name in (TOKENIZER, ARCHITECTURE, WEIGHTS):
        (folder / f"{name}.tmp").replace(folder / name)


def tokenizer() -> Tokenizer:
    """CLIP's vocabulary and merges, from the file that open_clip brings."""
    source = SimpleTokenizer()
    merges = sorted(source.bpe_ranks, key=source.bpe_ranks.__getitem__)
    return Tokenizer.from_merges(source.encoder, merges)


def mini(folder: Path) -> tuple[dict, dict[str, Tensor]]:
    """Configuration and weights of the mini backbone, as shipped or as `pretrain_mini` writes them to a folder.

    The token table is made whole: rows that pretraining never met stay as initialised.
    """
    try:
        config, shipped = json.loads((folder / "config.json").read_text()), load_file(folder / "mini.safetensors")
    except (OSError, ValueError, SafetensorError) as error:
        raise UserError(
            f"backbone.pretrained: {folder} holds no whole mini backbone ({error}); write `mini` or train one with "
            "`snakemake --cores 2 pretrain_mini`."
        ) from error
    ids, rows = shipped.pop("token_ids"), shipped.pop("token_rows")
    table = initial_token_table(49408, rows.shape[1])
    table[ids] = rows
    weights = {key: torch.from_numpy(value).float() for key, value in shipped.items()}
    return config, weights | {"token_embedding.weight": torch.from_numpy(table)}


def initial_token_table(tokens: int, width: int) -> np.ndarray:
    """Token embeddings before training, float32 (tokens, width), N(0, 0.02^2) from a stream of their own."""
    return stream("token table", 0).standard_normal((tokens, width), dtype=np.float32) * np.float32(0.02)


def _architecture(
    model: str,
    pretrained: str,
    config: dict,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    quick_gelu_from: str = "",
) -> Architecture:
    kind, reason = kinds.kind_and_reason(config)
    if kind == "unsupported":
        raise UserError(kinds.refusal(model, reason))
    vision, text = kinds.VISION | config["vision_cfg"], kinds.TEXT | config["text_cfg"]
    width, image = vision["width"], {}
    if kind == "resnet":
        # 32 times the stem's width enters the attention, the only part that has heads.
        image = {"vision_layers": len(vision["layers"]), "stages": tuple(vision["layers"]), "patch_size": STRIDE}
        image["vision_heads"] = width * 32 // vision["head_width"]
    return Architecture(
        name=model,
        pretrained=pretrained,
        embed_dim=config["embed_dim"],
        quick_gelu=bool(config.get("quick_gelu", False)),
        image_size=vision["image_size"],
        text_width=text["width"],
        text_layers=text["layers"],
        text_heads=text["heads"],
        text_hidden=_hidden(text["width"], text["mlp_ratio"]),
        context_length=text["context_length"],
        mean=mean,
        std=std,
        kind=kind,
        quick_gelu_from=quick_gelu_from,
        vision_width=width,
        vision_hidden=_hidden(width, vision["mlp_ratio"]),
        **{
            "vision_layers": vision["layers"],
            "vision_heads": width // vision["head_width"],
            "patch_size": vision["patch_size"],
        }
        | image,
    )


def _hidden(width: int, ratio: float) -> int | None:
    """Width inside an MLP as open_clip rounds it; None for the usual four times."""
    hidden = int(width * ratio)
    return None if hidden == 4 * width else hidden
