"""The cache model of Tip-Adapter (Zhang et al. 2022, arXiv 2207.09519, section 3.1).

    logits = s f W^T + alpha exp(-beta (1 - f K^T)) V

f image features, W class weights, K the features of the few-shot images, V their labels. s is the backbone's own logit
scale. The paper writes 100, which is that of OpenAI's weights; with another backbone 100 would make its text more or less
sure than it is. alpha is added to s f W^T, so it is in units of the backbone's logits: what one image like f adds to the
log-odds of its class. So the paper's alphas mean the same for every backbone. beta has no s in it: cosines of images.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Cache:
    """keys (M, D) of unit length before any training; values (M, C), one-hot or, multi-label, 0/1 marks."""

    keys: Tensor
    values: Tensor


def cache(features: Tensor, labels: Tensor, classes: int) -> Cache:
    """features (N, D), or (P, N, D) of P augmented passes, averaged as they come and then brought to unit length."""
    passes = features if features.dim() == 3 else features.unsqueeze(0)
    values = labels if labels.dim() == 2 else F.one_hot(labels.long(), classes)
    return Cache(F.normalize(passes.mean(0), dim=-1), values.to(features.dtype))


def affinity(features: Tensor, keys: Tensor) -> Tensor:
    """Cosines (N, M) of unit features (N, D) and keys (M, D)."""
    return features @ keys.T


def remembered(affinity: Tensor, values: Tensor, beta: float) -> Tensor:
    """What the cache says of each class, (N, C): exp(-beta (1 - affinity)) V."""
    return torch.exp(beta * (affinity - 1)) @ values


def logits(features: Tensor, scale: float, weights: Tensor, cache: Cache, alpha: float, beta: float) -> Tensor:
    """(N, C) of unit features (N, D) with class weights (C, D) of unit length; scale: the factor on their cosines."""
    return scale * features @ weights.T + alpha * remembered(affinity(features, cache.keys), cache.values, beta)
