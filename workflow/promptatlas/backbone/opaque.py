"""An image tower that open_clip computes and nobody here looks into: its features are all that there is of it.

It is built when the first images come, from its description and the exported weights. Jobs that read encoded features never build it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from promptatlas.backbone.architecture import Architecture
from promptatlas.backbone.exported import WEIGHTS
from promptatlas.backbone.image_tower import ImageTower
from promptatlas.base.errors import UserError

COUNTER = "num_batches_tracked"  # of batch norms, which enters no feature and is not exported


class OpaqueTower(ImageTower):
    """folder: the exported one that holds its weights; without one, where only speed is asked for, they are 0.01 and 1."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__(architecture)
        self.architecture = architecture
        self.folder: Path | None = None
        self.built: nn.Module | None = None

    def published(self) -> nn.Module:
        """open_clip's own module, whose state-dict names are those below `visual.`, on this tower's device and without trained weights."""
        from promptatlas.backbone import open_clip_tower  # the only one who needs the library, which takes seconds to import

        return open_clip_tower.build(self.architecture).to(self.device)

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images (B, 3, R, R) -> features (B, embed_dim), not normalised."""
        if self.built is None:
            self.built = self._complete()
        features: Any = self.built(images)
        return features[0] if isinstance(features, tuple) else features  # a captioning model gives its tokens, too

    def _complete(self) -> nn.Module:
        tower = self.published().eval().requires_grad_(False)
        if self.folder is None:
            for weight in tower.parameters():
                weight.fill_(0.01 if weight.dim() > 1 else 1.0)
            return tower
        wanted, prefix = tower.state_dict(), "visual."
        with safe_open(self.folder / WEIGHTS, framework="pt") as file:
            held = {key.removeprefix(prefix): file.get_tensor(key).float() for key in file.keys() if key.startswith(prefix)}
        counters = {key: value for key, value in wanted.items() if key.endswith(COUNTER)}
        if held.keys() != wanted.keys() - counters.keys() or any(held[key].shape != wanted[key].shape for key in held):
            raise UserError(
                f"{self.folder} holds an image tower that the installed open_clip and timm build otherwise; delete the folder and run "
                "again, or install the versions that it was exported with."
            )
        with torch.no_grad():
            tower.load_state_dict(held | counters)
        return tower
