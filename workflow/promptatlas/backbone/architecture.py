"""The shape of a CLIP-like model, as written beside its weights. Knows nothing of weights or torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from promptatlas.backbone.parts import CAUSAL, SIGLIP
from promptatlas.base.errors import UserError
from promptatlas.base.files import replace
from promptatlas.base.json_record import newer
from promptatlas.base.messages import plain

USUAL_TEXT, USUAL_RESIZE = {"siglip": SIGLIP}, {"siglip": "squash"}  # by kind of the image tower; all others are CLIP's


@dataclass(frozen=True)
class Architecture:
    """Everything besides the weights that an encoder needs; widths in numbers of features, sizes in pixels.

    The fields with a default are what sets a model apart from a plain CLIP vision transformer; a file holds them only
    where they differ, so that a plain model's file, and with it the fingerprint of its study, stays as it was.
    kind: of the image tower, "vit", "clipa", "resnet", "siglip", or "opaque" for one that open_clip computes, whose numbers of
    layers, widths and patches are 0; quick_gelu_from: what says so (a weight tag, a file format, ...), in words;
    vision_hidden, text_hidden: width inside the MLPs, None for four times the tower's; stages: blocks in each stage
    of a ResNet, whose vision_layers are its stages; vision_tanh, text_tanh: GELU in its tanh form; text_projects:
    whether a linear map follows the text tower's last norm; vision_bias: whether a bias follows the image tower's; text: of the text
    tower (`parts`), empty for the one that goes with the image tower; interpolation: "bicubic" or "bilinear", how images are scaled;
    resize: "crop" or
    "squash", empty as `text` is; image_tower: open_clip's description (`vision_cfg`) of an opaque one; tokenizer: SHA-256 of one that
    is not CLIP's, as its publisher has it.
    """

    name: str
    pretrained: str
    embed_dim: int
    quick_gelu: bool
    image_size: int
    patch_size: int
    vision_width: int
    vision_layers: int
    vision_heads: int
    text_width: int
    text_layers: int
    text_heads: int
    context_length: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    kind: str = "vit"
    quick_gelu_from: str = ""
    vision_hidden: int | None = None
    text_hidden: int | None = None
    stages: tuple[int, ...] = ()
    vision_tanh: bool = False
    text_tanh: bool = False
    text_projects: bool = True
    vision_bias: bool = False
    text: str = ""
    interpolation: str = "bicubic"
    resize: str = ""
    image_tower: Mapping[str, Any] | None = None
    tokenizer: str = ""

    @property
    def text_tower(self) -> str:
        """One of those that `parts` tells apart."""
        return self.text or USUAL_TEXT.get(self.kind, CAUSAL)

    @property
    def takes_visual_prompts(self) -> bool:
        return self.kind in ("vit", "clipa")

    @property
    def fitting(self) -> str:
        """How images get the model's size where nobody says otherwise, "crop" or "squash"."""
        return self.resize or USUAL_RESIZE.get(self.kind, "crop")

    def write(self, path: Path) -> None:
        usual = {field.name: field.default for field in fields(self)}
        replace(path, (json.dumps({k: v for k, v in asdict(self).items() if v != usual[k]}, indent=2) + "\n").encode())

    @staticmethod
    def read(path: Path) -> Architecture:
        try:
            values = json.loads(Path(path).read_text())
            unknown = values.keys() - {field.name for field in fields(Architecture)}
            if unknown:
                raise newer(path, f"of `{plain(min(unknown))}` this one knows nothing")
            lists = {key: tuple(value) for key, value in values.items() if isinstance(value, list)}
            return Architecture(**values | lists)
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise UserError(f"{path} is not a readable architecture file; delete its folder and run again.") from error
