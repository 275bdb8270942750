"""A frozen CLIP-like model read from its exported folder."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from promptatlas.backbone import parts
from promptatlas.backbone.architecture import Architecture
from promptatlas.backbone.exported import ARCHITECTURE, TOKENIZER, WEIGHTS, fingerprint
from promptatlas.backbone.image_tower import ImageTower
from promptatlas.backbone.opaque import COUNTER, OpaqueTower
from promptatlas.backbone.passes import Room, in_passes, joined
from promptatlas.backbone.precision import FLOAT16, FLOAT32, compute_in
from promptatlas.backbone.resnet import ResNet
from promptatlas.backbone.siglip import SiglipText, SiglipVision
from promptatlas.backbone.text import TextTower, plain_sentences
from promptatlas.backbone.tokenizer import ClipaTokenizer, PublishersTokenizer, SiglipTokenizer, Tokenizer
from promptatlas.backbone.vision import ClipaVision, VisionTower
from promptatlas.backbone.whole_text import CocaText, MobileClipText, WholeText
from promptatlas.base import memory
from promptatlas.base.errors import UserError


@dataclass(frozen=True)
class Backbone:
    """Both towers on one device; logit_scale is the factor on cosines (exp of the stored parameter); precision: of their products; room:
    what was found out about the memory of the device.

    A SigLIP adds a bias to its logits, the same for all classes and images. It is left out: no answer, rank or softmax sees it.
    """

    architecture: Architecture
    text: TextTower | WholeText
    vision: ImageTower
    tokenizer: Tokenizer
    logit_scale: float
    fingerprint: str
    precision: str = FLOAT32
    room: Room = field(default_factory=Room, compare=False)

    @property
    def device(self) -> torch.device:
        return self.text.device

    @property
    def finer(self) -> str:
        """What else to try where numbers overflow, to end a sentence; empty where float32 does."""
        return " or set `precision` to tf32 or float32" if self.precision == FLOAT16 else ""

    def class_features(self, class_names: tuple[str, ...], templates: tuple[str, ...]) -> Tensor:
        """Zero-shot class weights (C, embed_dim): the normalised mean over templates of normalised features."""
        names = tuple(name.replace("_", " ") for name in class_names)
        per_template = [self._of_sentences(names, template, partial(F.normalize, dim=-1)) for template in templates]
        return F.normalize(torch.stack(per_template).mean(0), dim=-1)

    def raw_class_features(self, names: tuple[str, ...], templates: tuple[str, ...]) -> Tensor:
        """The mean over templates of features (C, embed_dim) as the text tower gives them, of names as they are written (TaskRes)."""
        return torch.stack([self._of_sentences(names, template, lambda features: features) for template in templates]).mean(0)

    @torch.no_grad()
    @memory.told("the text tower runs out of GPU memory with one class name; use a GPU with more memory.")
    def _of_sentences(self, names: tuple[str, ...], template: str, then: Callable[[Tensor], Tensor]) -> Tensor:
        """What `then` makes of the features of some sentences at a time, (C, embed_dim)."""
        rows = plain_sentences(self.tokenizer, [template.replace("{}", name) for name in names])

        def some(part: slice) -> Tensor:
            return then(self.text(self.text.layout(rows[part]))[0])

        return joined(in_passes(some, len(rows), len(rows), self.room, "class names"))


_IMAGES: dict[str, type[ImageTower]] = {
    "vit": VisionTower,
    "clipa": ClipaVision,
    "resnet": ResNet,
    "siglip": SiglipVision,
    "opaque": OpaqueTower,
}
_TEXTS: dict[str, tuple[type[nn.Module], type[Tokenizer]]] = {
    parts.CAUSAL: (TextTower, Tokenizer),
    parts.SIGLIP: (SiglipText, SiglipTokenizer),
    parts.MOBILECLIP: (MobileClipText, Tokenizer),
    parts.COCA: (CocaText, Tokenizer),
    parts.CLIPA: (WholeText, ClipaTokenizer),
    parts.WORLDWIDE: (TextTower, PublishersTokenizer),
}


def towers(architecture: Architecture, vocabulary: int) -> nn.ModuleDict:
    """Both towers ("text", "visual") without values; their state-dict names are the published ones."""
    text, _ = _TEXTS[architecture.text_tower]
    return nn.ModuleDict({"text": text(architecture, vocabulary), "visual": _IMAGES[architecture.kind](architecture)})


def shapes(architecture: Architecture, vocabulary: int) -> dict[str, tuple[int, ...]]:
    """Published name -> shape of every weight that a model of this architecture has."""
    with torch.device("meta"):
        both: Any = towers(architecture, vocabulary)
        image = both["visual"].published()
    prefix = "text." if architecture.text_tower == parts.SIGLIP else ""
    weights = {prefix + key: value for key, value in both["text"].state_dict().items()}
    weights |= {f"visual.{key}": value for key, value in image.state_dict().items() if not key.endswith(COUNTER)}
    return {name: tuple(value.shape) for name, value in weights.items()} | {"logit_scale": ()}


def load(folder: str | Path, device: str | torch.device = "cpu", precision: str = FLOAT32) -> Backbone:
    """Reads a folder written by `backbone.export`. precision: "float32", "tf32" or "float16" (`precision`)."""
    folder = Path(folder)
    architecture = Architecture.read(folder / ARCHITECTURE)
    try:
        with safe_open(folder / WEIGHTS, framework="pt") as file:
            opaque = architecture.kind == "opaque"  # its tower reads its weights itself, once there are images
            names = [key for key in file.keys() if not (opaque and key.startswith("visual."))]
            weights = {key: file.get_tensor(key).float() for key in names}
    except (OSError, SafetensorError) as error:
        raise UserError(f"{folder / WEIGHTS} is missing or damaged ({error}); delete it and run again.") from error
    scale = weights.pop("logit_scale").exp().item()
    visual = {key.removeprefix("visual."): w for key, w in weights.items() if key.startswith("visual.")}
    textual = {key.removeprefix("text."): w for key, w in weights.items() if not key.startswith("visual.")}
    both: Any = towers(architecture, len(textual["token_embedding.weight"]))
    both["text"].load_state_dict(textual)
    if opaque:
        both["visual"].folder = folder
    else:
        both["visual"].load_state_dict(visual)
    both = both.to(device)
    compute_in(precision, both["text"], both["visual"])
    return Backbone(
        architecture=architecture,
        text=both["text"],
        vision=both["visual"],
        tokenizer=_TEXTS[architecture.text_tower][1].read(folder / TOKENIZER),
        logit_scale=scale,
        fingerprint=fingerprint(folder),
        precision=precision,
    )
