"""A linear classifier on frozen image features, ready to answer. Knows nothing of how its weights came about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from promptatlas.backbone.passes import Room
from promptatlas.training.adapters.trained import in_parts


@dataclass(frozen=True)
class Linear:
    """weights (C, D), whatever factor there is on cosines included, and bias (C,) or 0; history: a row per epoch; best_epoch: the chosen
    one, 1-based; chosen: what else the validation images chose: nothing.
    """

    weights: Tensor
    bias: Tensor | float = 0.0
    history: list[dict] = field(default_factory=list)
    best_epoch: int = 0
    chosen: Mapping[str, float] = field(default_factory=dict)

    def logits(self, features: Tensor, room: Room | None = None) -> Tensor:
        """(N, C) of unit image features (N, D)."""
        return in_parts(lambda own: own @ self.weights.T + self.bias, features, room or Room())
