"""An image tower that open_clip computes and nobody here looks into: its features are all that there is of it.

It is built when the first images come, from its description and the exported weights. Jobs that read encoded features never build it.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open
from torch import Tensor, nn

from promptatlas.backbone.architecture import Architecture
from promptatlas.backbone.exported import ANSWER, WEIGHTS
from promptatlas.backbone.image_tower import ImageTower
from promptatlas.base.errors import UserError
from promptatlas.base.files import replace
from promptatlas.base.rng import named_rng

CLOSE = 1e-3  # between unit features of the same image on any device
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
        return _first(self.built(images))

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
            self._require_known(tower)
        return tower

    def _require_known(self, tower: nn.Module) -> None:
        """UserError if the libraries that are installed now make another tower of the same weights."""
        assert self.folder is not None
        try:
            known = json.loads((self.folder / ANSWER).read_bytes())
        except FileNotFoundError:  # where it is being exported, or was taken from elsewhere
            return
        distance = (self._answer(tower) - torch.tensor(known["features"])).abs().max()
        if not distance < CLOSE:
            raise UserError(
                f"{self.folder} was exported with {known['made_by']}; {_versions()}, which are installed now, make other features of the "
                "same image; install those versions, or delete the folder and run again."
            )

    def _answer(self, tower: nn.Module) -> Tensor:
        """Unit features (D,) of one fixed image, on the host."""
        size = self.architecture.image_size
        image = named_rng("an image for an opaque tower", 0).integers(0, 256, (1, size, size, 3), dtype=np.uint8)
        return F.normalize(_first(tower(self.read(image))), dim=-1)[0].cpu()


def note(architecture: Architecture, folder: Path) -> None:
    """Keep what an exported tower answers to one image, and by which libraries."""
    (folder / ANSWER).unlink(missing_ok=True)
    tower = OpaqueTower(architecture)
    tower.folder = folder
    with torch.no_grad():
        features = tower._answer(tower._complete())
    replace(folder / ANSWER, (json.dumps({"made_by": _versions(), "features": features.tolist()}) + "\n").encode())


def _versions() -> str:
    return " and ".join(f"{name} {version(package)}" for name, package in (("open_clip", "open_clip_torch"), ("timm", "timm")))


def _first(features: Any) -> Tensor:
    """Of a captioning model, which gives its tokens, too."""
    return features[0] if isinstance(features, tuple) else features
