"""Chooses alpha and beta of a cache model on validation pictures. Knows nothing of any other pictures.

For one beta the logit of class c is z_c + alpha s_c, linear in alpha. A picture of class y is right as long as
(z_y - z_c) + alpha (s_y - s_c) >= 0 for every c, that is for the alphas of one interval. So a beta costs one look at each
logit, however many alphas there are, and the cosines are computed once for the whole grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from promptatlas import metrics
from promptatlas.adapters.cache import SCALE, Cache, affinity, remembered

NUMBERS_AT_ONCE = 2**24  # cosines held at a time


@dataclass(frozen=True)
class Choice:
    """The first pair, beta by beta, that has the best score (0..1) on validation."""

    alpha: float
    beta: float
    score: float


def axis(upper: float, steps: int) -> np.ndarray:
    """0.1 + i (upper - 0.1) / steps for i = 0 .. steps - 1, the end left out, as released."""
    return 0.1 + np.arange(steps) * (upper - 0.1) / steps


def search(
    features: Tensor, labels: Tensor, weights: Tensor, cache: Cache, alphas: np.ndarray, betas: np.ndarray, metric: str
) -> Choice:
    """features (N, D) and labels (N,) or (N, C) of the validation pictures; weights (C, D); alphas ascending."""
    scores = _argmax_scores if metric in ("accuracy", "mean_per_class") else _ranked_scores
    table = scores(features, labels, weights, cache, alphas, betas, metric)
    beta, alpha = np.unravel_index(table.argmax(), table.shape)
    return Choice(float(alphas[alpha]), float(betas[beta]), float(table[beta, alpha]))


def _argmax_scores(features, labels, weights, cache, alphas, betas, metric) -> np.ndarray:
    """(len(betas), len(alphas)) by intervals of alpha; the pictures of a class weigh the same, or each picture does."""
    counts = np.zeros((len(betas), len(weights), len(alphas) + 1), dtype=np.int64)
    size = max(1, NUMBERS_AT_ONCE // len(cache.keys))
    for start in range(0, len(features), size):
        own, classes = features[start : start + size], labels[start : start + size].long()
        cosines, plain = affinity(own, cache.keys), (SCALE * own @ weights.T).double()
        truth = classes.cpu().numpy()
        for i, beta in enumerate(betas):
            low, high = right_between(plain, remembered(cosines, cache.values, beta).double(), classes)
            first = np.searchsorted(alphas, low.cpu().numpy(), side="left")
            after = np.searchsorted(alphas, high.cpu().numpy(), side="right")
            held = first < after
            np.add.at(counts[i], (truth[held], first[held]), 1)
            np.add.at(counts[i], (truth[held], after[held]), -1)
    right = counts[:, :, :-1].cumsum(2)
    if metric == "accuracy":
        return right.sum(1) / len(features)
    totals = np.bincount(labels.cpu().numpy(), minlength=len(weights))
    each = right[:, totals > 0] / totals[totals > 0][:, None]
    return each.mean(1).round(12)  # equal scores stay equal whatever the order of the sum


def right_between(plain: Tensor, cached: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """For logits plain + alpha * cached, (N, C) each: the lowest and the highest alpha >= 0 that answers `labels` (N,).

    Where none does, the highest is below the lowest. Of equal logits the first class wins, as with argmax.
    """
    truth = labels.unsqueeze(1)
    lead = plain.gather(1, truth) - plain
    slope = cached.gather(1, truth) - cached
    bound = -lead / slope
    low = torch.where(slope > 0, bound, 0).amax(1).clamp(min=0)
    high = torch.where(slope < 0, bound, torch.inf).amin(1)
    earlier = torch.arange(plain.shape[1], device=plain.device) < truth
    never = (slope == 0) & ((lead < 0) | ((lead == 0) & earlier))
    return low, torch.where(never.any(1), -1.0, high)


def _ranked_scores(features, labels, weights, cache, alphas, betas, metric) -> np.ndarray:
    """(len(betas), len(alphas)) for metrics that rank pictures against each other: every pair is scored, many alphas at once."""
    cosines, plain = affinity(features, cache.keys), (SCALE * features @ weights.T).double().cpu().numpy()
    truth, table = labels.cpu().numpy(), np.empty((len(betas), len(alphas)))
    size = max(1, NUMBERS_AT_ONCE // plain.size)
    for i, beta in enumerate(betas):
        cached = remembered(cosines, cache.values, beta).double().cpu().numpy()
        for start in range(0, len(alphas), size):
            part = slice(start, start + size)
            table[i, part] = metrics.ranked(metric, plain + alphas[part, None, None] * cached, truth)
    return np.nan_to_num(table, nan=-1.0)  # a score that cannot be computed is worse than all others
