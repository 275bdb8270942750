"""The door to open_clip, and the only module that imports it: a model by name and weights becomes a folder with
`backbone.safetensors`, `architecture.json` and `tokenizer.json`.
"""

import dataclasses
import json
import os
import re
from functools import cache
from pathlib import Path

import numpy as np
import open_clip
import torch
from huggingface_hub.constants import HF_HUB_CACHE
from open_clip.pretrained import download_pretrained
from open_clip.tokenizer import SimpleTokenizer
from safetensors import SafetensorError
from safetensors.numpy import load_file
from safetensors.torch import save_file
from torch import Tensor

from promptatlas.backbone import (
    checkpoints,
    from_description,
    hub,
    kinds,
    opaque,
    preprocessing,
    published,
    publishers,
    timm_clip,
    tokenizer_files,
)
from promptatlas.backbone.architecture import Architecture
from promptatlas.backbone.checkpoints import Checkpoint
from promptatlas.backbone.exported import ARCHITECTURE, RECORD, TOKENIZER, WEIGHTS
from promptatlas.backbone.model import shapes
from promptatlas.backbone.origin import Origin, bring, origin
from promptatlas.backbone.parts import FOREIGN_WORDS, SIGLIP, TEXT
from promptatlas.backbone.preprocessing import Preprocessing
from promptatlas.backbone.tokenizer import Tokenizer
from promptatlas.base.errors import UserError
from promptatlas.base.files import replace, sha256, whole
from promptatlas.base.messages import one_line
from promptatlas.base.rng import named_rng

MINI = kinds.MINI
HUB_NAMES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")  # as open_clip looks for them


def open_clip_model(config: dict) -> open_clip.CLIP:
    """An untrained open_clip CLIP from a configuration with `embed_dim`, `vision_cfg`, `text_cfg`, `quick_gelu`."""
    return open_clip.CLIP(**config)


def export(model: str, pretrained: str, folder: str | Path) -> Architecture:
    """Writes the folder and returns what it says of the model.

    model: "mini" for the shipped small CLIP, a name that open_clip knows, `local-dir:<folder>` or
    `hf-hub:<owner>/<name>`; pretrained: a tag of open_clip's, a file, a folder with one, or `hf-hub:<owner>/<name>/<file>`.
    Raises UserError for unknown names, models of an
    unsupported kind, damaged weights and weights of another model.
    """
    if model == "mini":
        config, weights = mini(MINI if pretrained == "mini" else Path(pretrained))
        colours = Preprocessing(tuple(config.pop("mean")), tuple(config.pop("std")))
        architecture, words = from_description.architecture(model, pretrained, config, colours), tokenizer()
    else:
        architecture, weights, words = _published(model, pretrained)
    write(architecture, weights, folder, words)
    if architecture.kind == "opaque":
        del weights
        opaque.note(architecture, Path(folder))
    return architecture


def described(model: str, pretrained: str) -> Architecture:
    """What a model is like, found without its weights; colours and activation are not looked up."""
    folder = MINI if pretrained == "mini" else Path(pretrained)
    config = json.loads((folder / "config.json").read_text()) if model == "mini" else kinds.config(model)
    return from_description.architecture(model, pretrained, config, preprocessing.usual(config))


def fetch(model: str, pretrained: str, download: bool = True) -> Path:
    """The file of weights on this machine, and with it what its tokenizer is made from.

    download: whether what is not in the cache of open_clip or of the hub may be fetched. Raises UserError.
    """
    with hub.network(download):
        bring(model, pretrained)
        source = origin(model, pretrained)
        if source.hub and source.of_transformers:
            _bring_words(source.hub)
        if source.hub:
            path = _sound(source.hub.fetched())
        else:
            path = source.path or _download(model, source.named, dict(published.entry(model, source.named)))
        publishers.files(kinds.of(model).text, _text(kinds.config(model)), path.parent)
        return path


def _text(config: dict) -> dict:
    """What a description says of the text tower, with what goes without saying."""
    return TEXT | config["text_cfg"]


def _bring_words(held: hub.Held) -> None:
    """Before the weights, so that these say that all is here; but somebody may have brought a cache of weights alone."""
    look = held.repository.tried if held.repository.cached(held.names) else held.repository.brought
    for name in (tokenizer_files.VOCABULARY, tokenizer_files.WHOLE, tokenizer_files.ABOUT):
        look([name])


def _published(model: str, pretrained: str) -> tuple[Architecture, dict[str, Tensor], Tokenizer]:
    path = fetch(model, pretrained)
    source, config = origin(model, pretrained), kinds.config(model)
    listed = dict(published.entry(model, source.tag)) if source.tag else {}
    checkpoint = checkpoints.read(path)
    about = kinds.described(source.description) if source.description else {}
    if not (listed or about or checkpoint.openai):
        listed = _listed_by_hash(path)
    tower, said_by = kinds.of(model).text, ""
    if tower != SIGLIP:
        config["quick_gelu"], said_by = _activation(model, config, source, checkpoint, listed, about)
    architecture = from_description.architecture(model, pretrained, config, preprocessing.of(model, source, listed), said_by)
    if about and (other := from_description.difference(architecture, about["model_cfg"])):
        raise UserError(
            f"backbone: {source.description} describes another model than {model!r} ({other}); give its folder as "
            f"backbone.model, `{kinds.LOCAL}{source.beside.parent}`."
        )
    vocabulary = config["text_cfg"].get("vocab_size", TEXT["vocab_size"])
    held = checkpoint if tower == SIGLIP else checkpoint.flat("multimodal_cfg" in config)
    if architecture.vision_bias:
        held = Checkpoint(timm_clip.renamed(held.weights), held.openai)
    weights = checkpoints.fitting(held, shapes(architecture, vocabulary), path, model)
    if tower in FOREIGN_WORDS:
        words, sha256_of_words = publishers.tokenizer(tower, _text(config), path.parent)
        return dataclasses.replace(architecture, tokenizer=sha256_of_words), weights, words
    if source.of_transformers:
        publishers.require_clips(tokenizer(), source.beside.parent)
    return architecture, weights, tokenizer()


def _download(model: str, tag: str, entry: dict) -> Path:
    try:
        if (reason := hub.forbidden()) and not entry.get("hf_hub") and not _kept(entry).is_file():
            raise UserError(reason)  # the hub's library, which is not asked here, would say it
        path = Path(download_pretrained(entry))
    except Exception as error:  # every kind of trouble on the way to a hub; each needs the same remedy
        raise UserError(
            f"backbone.pretrained: the weights {tag!r} of {model!r} are not here and cannot be fetched ({one_line(error)}); "
            f"name a file of weights: on a machine with a network {_by_hand(model, entry)}."
        ) from error
    return _sound(path)


def _kept(entry: dict) -> Path:
    """Where open_clip keeps what it fetched from an address that is not the hub's."""
    return Path.home() / ".cache" / "clip" / Path(entry.get("url", "")).name


def _sound(path: Path) -> Path:
    """The same, if its content has the hash that the hub's cache names it by. Raises UserError."""
    kept = path.resolve()
    if re.fullmatch(r"[0-9a-f]{64}", kept.name) and sha256(kept) != kept.name:  # how the hub's cache names what it keeps
        raise UserError(f"backbone.pretrained: {kept} is not what its name, a SHA-256, says; delete the file and run again.")
    return path


def _by_hand(model: str, entry: dict) -> str:
    """Which file to get from where, where to put it and what to write."""
    repository, given = os.path.split(entry.get("hf_hub", ""))
    if not repository:
        url = entry.get("url", "")
        return f"get {url} and write where the file lies: `backbone: {{model: {model}, pretrained: <folder>/{url.rpartition('/')[2]}}}`"
    names = given or f"{HUB_NAMES[0]} (or {HUB_NAMES[1]})"
    cached = Path(HF_HUB_CACHE) / f"models--{repository.replace('/', '--')}"
    return (
        f"get {names} and {kinds.CONFIG} from https://huggingface.co/{repository}, put both into a folder and write "
        f"`backbone: {{model: {model}, pretrained: <folder>}}`; or bring the hub's cache of it to {cached}"
    )


def _listed_by_hash(path: Path) -> dict:
    """open_clip's entry for a file that is one of its releases: their names end with the start of their SHA-256."""
    digest = sha256(path)
    for entry in (own for tags in published.table().values() for own in tags.values()):
        url = entry["url"]
        if "mlfoundations/open_clip/releases" in url and digest.startswith(Path(url).stem.split("-")[-1]):
            return dict(entry)
    return {}


def _activation(model: str, config: dict, source: Origin, checkpoint: Checkpoint, listed: dict, about: dict) -> tuple[bool, str]:
    """Whether the weights were trained with QuickGELU, and what says so. about: the description beside them, if there is one.

    A file of weights does not say it, and the wrong activation costs accuracy without any error. open_clip lists
    OpenAI's weights under a plain name such as 'ViT-B-16' too, as everyone calls them, but then runs them with GELU:
    here what is known of the weights decides. Only a name that claims QuickGELU for weights known to lack it is
    refused, and where nothing is known the name decides.
    """
    named = bool(config.get("quick_gelu", False))
    if source.tag:
        known, said_by = bool(listed.get("quick_gelu", False)), f"open_clip's entry for the weights {source.tag!r}"
    elif checkpoint.openai:
        known, said_by = True, "OpenAI's file format"
    elif about:
        known, said_by = bool(about["model_cfg"].get("quick_gelu", False)), str(source.beside.name)
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


def write(architecture: Architecture, weights: dict[str, Tensor], folder: str | Path, words: Tokenizer | None = None) -> None:
    """Whole files only, the weights last. words: the tokenizer if it is not CLIP's."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    kept = {key: value.contiguous() for key, value in checkpoints.used(weights).items()}
    with whole(folder / WEIGHTS) as heavy, whole(folder / ARCHITECTURE) as shape, whole(folder / TOKENIZER) as vocabulary:  # the first last
        save_file(kept, heavy)
        architecture.write(shape)
        (words or tokenizer()).write(vocabulary)
    record = {name: sha256(folder / name) for name in (TOKENIZER, ARCHITECTURE, WEIGHTS)}
    replace(folder / RECORD, (json.dumps(record, indent=1) + "\n").encode())


@cache
def tokenizer() -> Tokenizer:
    """CLIP's vocabulary and merges, from the file that open_clip brings."""
    source = SimpleTokenizer()
    merges = sorted(source.bpe_ranks, key=source.bpe_ranks.__getitem__)
    return Tokenizer.from_merges(source.encoder, merges)


def mini(folder: Path) -> tuple[dict, dict[str, Tensor]]:
    """Configuration and weights of the mini backbone, as shipped or as the rule `pretrain_mini` writes them to a folder.

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
    """Token embeddings before training, float32 (tokens, width), N(0, 0.02^2) from a generator of their own."""
    return named_rng("token table", 0).standard_normal((tokens, width), dtype=np.float32) * np.float32(0.02)
