"""A frozen CLIP-like model read from its exported folder. Knows nothing of methods or tasks."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from torch import Tensor

from promptatlas.backbone.architecture import Architecture
from promptatlas.backbone.text import TextTower, plain_sentences
from promptatlas.backbone.tokenizer import Tokenizer
from promptatlas.backbone.vision import VisionTower
from promptatlas.errors import UserError

WEIGHTS, ARCHITECTURE, TOKENIZER = "backbone.safetensors", "architecture.json", "tokenizer.json"


@dataclass(frozen=True)
class Backbone:
    """Both towers on one device; logit_scale is the factor on cosines (exp of the stored parameter)."""

    architecture: Architecture
    text: TextTower
    vision: VisionTower
    tokenizer: Tokenizer
    logit_scale: float
    fingerprint: str

    @property
    def device(self) -> torch.device:
        return self.text.device

    @torch.no_grad()
    def class_features(self, class_names: tuple[str, ...], templates: tuple[str, ...]) -> Tensor:
        """Zero-shot class weights (C, embed_dim): the normalised mean over templates of normalised features."""
        per_template = []
        for template in templates:
            texts = [template.replace("{}", name.replace("_", " ")) for name in class_names]
            rows = plain_sentences(self.tokenizer, texts)
            per_template.append(F.normalize(self.text(self.text.layout(rows))[0], dim=-1))
        return F.normalize(torch.stack(per_template).mean(0), dim=-1)


def fingerprint(folder: Path) -> str:
    """SHA-256 of the weights and of the architecture."""
    digest = hashlib.sha256()
    for name in (WEIGHTS, ARCHITECTURE):
        with open(Path(folder) / name, "rb") as file:
            while chunk := file.read(1 << 24):
                digest.update(chunk)
    return digest.hexdigest()


def load(folder: str | Path, device: str | torch.device = "cpu") -> Backbone:
    """Reads a folder written by `backbone.export`."""
    folder = Path(folder)
    architecture = Architecture.read(folder / ARCHITECTURE)
    try:
        with safe_open(folder / WEIGHTS, framework="pt") as file:
            weights = {key: file.get_tensor(key).float() for key in file.keys()}
    except (OSError, SafetensorError) as error:
        raise UserError(f"{folder / WEIGHTS} is missing or damaged ({error}); delete it and run again.") from error
    scale = weights.pop("logit_scale").exp().item()
    visual = {key.removeprefix("visual."): w for key, w in weights.items() if key.startswith("visual.")}
    textual = {key: w for key, w in weights.items() if not key.startswith("visual.")}
    text = TextTower(architecture, len(textual["token_embedding.weight"]))
    vision = VisionTower(architecture)
    text.load_state_dict(textual)
    vision.load_state_dict(visual)
    return Backbone(
        architecture=architecture,
        text=text.to(device),
        vision=vision.to(device),
        tokenizer=Tokenizer.read(folder / TOKENIZER),
        logit_scale=scale,
        fingerprint=fingerprint(folder),
    )
