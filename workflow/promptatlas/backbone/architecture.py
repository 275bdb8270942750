"""The shape of a CLIP-like model, as written beside its weights. Knows nothing of weights or torch."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from promptatlas.errors import UserError


@dataclass(frozen=True)
class Architecture:
    """Everything besides the weights that an encoder needs; widths in numbers of features, sizes in pixels."""

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

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=2) + "\n")

    @staticmethod
    def read(path: Path) -> Architecture:
        try:
            values = json.loads(Path(path).read_text())
            values["mean"], values["std"] = tuple(values["mean"]), tuple(values["std"])
            return Architecture(**values)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path} is not a readable architecture file; delete its folder and run again.") from error
