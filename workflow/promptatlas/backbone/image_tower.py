"""From images on disk to what an image tower reads, the same for every kind of tower."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from promptatlas.backbone.accelerator import sent
from promptatlas.backbone.architecture import Architecture
from promptatlas.base.errors import UserError


class ImageTower(nn.Module):
    """What image towers share: size, mean and spread of images, and unit features; `forward` is each tower's own."""

    mean: Tensor
    std: Tensor

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.name = architecture.name
        self.image_size, self.interpolation = architecture.image_size, architecture.interpolation
        self.register_buffer("mean", torch.tensor(architecture.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(architecture.std).view(1, 3, 1, 1), persistent=False)

    def published(self) -> nn.Module:
        """What has the tower's weights, by the names under which they are published below `visual.`."""
        return self

    @property
    def device(self) -> torch.device:
        return self.mean.device

    def normalise(self, images: Tensor) -> Tensor:
        """uint8 images (B, R, R, 3) -> float (B, 3, R, R) with the mean and spread of the model's training."""
        return (images.permute(0, 3, 1, 2).float() / 255 - self.mean) / self.std

    def resized(self, images: np.ndarray) -> Tensor:
        """Images from disk, uint8 (B, S, S, 3) -> uint8 (B, R, R, 3) on the tower's device, R the model's size."""
        return self.fitted(images).to(self.device)

    def fitted(self, images: np.ndarray) -> Tensor:
        """The same on the host: antialiased in whole bytes, as Pillow does it."""
        values = torch.from_numpy(np.require(images, requirements="W"))  # a copy of what a file is mapped to, but not of a copy
        size = (self.image_size, self.image_size)
        if values.shape[1:3] != size:
            planes = F.interpolate(values.permute(0, 3, 1, 2), size, mode=self.interpolation, antialias=True)
            values = planes.permute(0, 2, 3, 1)
        return values

    def read(self, images: np.ndarray) -> Tensor:
        """Images from disk, uint8 (B, S, S, 3) -> normalised (B, 3, R, R) on the tower's device."""
        return self.normalise(self.resized(images))

    def queued(self, images: np.ndarray) -> Tensor:
        """The same, without waiting for the copy: for passes of which one at most is ahead."""
        return self.normalise(sent(self.fitted(images), self.device))

    def embed(self, images: Tensor) -> Tensor:
        """Tokens that visual prompts can join; only a CLIP vision transformer has them. Raises UserError."""
        raise UserError(
            f"backbone.model: {self.name!r} takes no visual prompts; choose text-only methods such as coop, or a model such as 'ViT-B-16'."
        )

    def encode(self, images: Tensor) -> Tensor:
        """Normalised images (B, 3, R, R) -> features (B, embed_dim), L2-normalised."""
        return F.normalize(self(images), dim=-1)
