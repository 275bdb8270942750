"""The door to open_clip, and the only module that imports it: a model by name and weights becomes a folder with
`backbone.safetensors`, `architecture.json` and `tokenizer.json`. Knows nothing of prompts or tasks.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import open_clip
import torch
from open_clip.tokenizer import SimpleTokenizer
from safetensors import SafetensorError
from safetensors.numpy import load_file
from safetensors.torch import save_file
from torch import Tensor

from promptatlas.backbone import ARCHITECTURE, TOKENIZER, WEIGHTS
from promptatlas.backbone.architecture import Architecture
from promptatlas.backbone.tokenizer import Tokenizer
from promptatlas.errors import UserError
from promptatlas.streams import stream

MINI = Path(__file__).parent / "mini"
_UNUSED = ("attn_mask", "logit_bias")


def open_clip_model(config: dict) -> open_clip.CLIP:
    """An untrained open_clip CLIP from a configuration with `embed_dim`, `vision_cfg`, `text_cfg`, `quick_gelu`."""
    return open_clip.CLIP(**config)


def export(model: str, pretrained: str, folder: str | Path) -> Architecture:
    """Writes the folder. `model` "mini" is the shipped small CLIP; any other name is open_clip's.

    Raises UserError for unknown names, towers of another kind than a plain CLIP vision transformer, damaged weights.
    """
    if model == "mini":
        config, weights = mini(MINI if pretrained == "mini" else Path(pretrained))
        mean, std = tuple(config.pop("mean")), tuple(config.pop("std"))
    else:
        config = open_clip.get_model_config(model)
        if config is None:
            raise UserError(f"backbone.model: open_clip knows no {model!r}; see open_clip.list_models().")
        loaded = _load(model, pretrained)
        weights = loaded.state_dict()
        mean, std = loaded.visual.image_mean, loaded.visual.image_std
    architecture = _architecture(model, pretrained, config, tuple(mean), tuple(std))
    write(architecture, weights, folder)
    return architecture


def write(architecture: Architecture, weights: dict[str, Tensor], folder: str | Path) -> None:
    """Whole files only: each is written under another name first."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    kept = {key: value.contiguous() for key, value in weights.items() if key not in _UNUSED}
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


def _load(model: str, pretrained: str) -> open_clip.CLIP:
    try:
        loaded, _, _ = open_clip.create_model_and_transforms(model, pretrained=pretrained)
    except Exception as error:  # open_clip raises many kinds; each is the user's model or file
        raise UserError(f"backbone: open_clip cannot load {model!r} with weights {pretrained!r}: {error}") from error
    return loaded


def _architecture(
    model: str, pretrained: str, config: dict, mean: tuple[float, ...], std: tuple[float, ...]
) -> Architecture:
    vision, text = dict(config["vision_cfg"]), dict(config["text_cfg"])
    plain_vision = isinstance(vision.get("layers"), int) and vision.get("pool_type", "tok") == "tok"
    extras = {"timm_model_name", "attentional_pool", "no_ln_pre", "ls_init_value"} & set(vision)
    text_extras = {"hf_model_name", "embed_cls", "no_causal_mask", "ls_init_value"} & set(text)
    if not plain_vision or extras or text_extras or config.get("custom_text"):
        raise UserError(
            f"backbone.model: {model!r} is not a plain CLIP vision transformer with a causal text tower; "
            "choose one such as 'ViT-B-16' or 'ViT-L-14'."
        )
    return Architecture(
        name=model,
        pretrained=pretrained,
        embed_dim=config["embed_dim"],
        quick_gelu=bool(config.get("quick_gelu", False)),
        image_size=vision["image_size"],
        patch_size=vision["patch_size"],
        vision_width=vision["width"],
        vision_layers=vision["layers"],
        vision_heads=vision["width"] // vision.get("head_width", 64),
        text_width=text["width"],
        text_layers=text["layers"],
        text_heads=text["heads"],
        context_length=text["context_length"],
        mean=mean,
        std=std,
    )
