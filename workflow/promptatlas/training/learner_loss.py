"""The loss of learners side by side. Knows nothing of prompts."""

from __future__ import annotations

from torch import Tensor

from promptatlas.methods.losses import cross_entropy

NEVER = -1e9  # the logit of a class that an image cannot have: its probability is exactly zero, and so is its gradient


def loss(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Mean cross-entropy of each learner, (K,); logits (K, B, C); labels (K, B) or multi-hot (K, B, C); weights (K, B)."""
    return (cross_entropy(logits, labels) * weights).sum(1) / weights.sum(1)
