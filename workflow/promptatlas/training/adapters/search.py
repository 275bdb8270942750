"""Chooses alpha and beta of a cache model on validation images. Knows nothing of any other images.

For one beta the logit of class c is z_c + alpha s_c, linear in alpha. An image of class y is right as long as
(z_y - z_c) + alpha (s_y - s_c) >= 0 for every c, that is for the alphas of one interval. So a beta costs one look at each
logit, however many alphas there are, and the cosines are computed once for the whole grid.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from promptatlas.tasks import metrics
from promptatlas.training.adapters.cache import Cache, affinity, remembered
from promptatlas.training.selection import best_of

NUMBERS_AT_ONCE = 2**19  # numbers held at a time: what stays in a core's cache
ANEW = 8  # betas after which rounding has had its chance to add up
FAR = -1e30  # the cosine of no key: exp(beta (FAR - 1)) is zero for every beta, also times a step of no length


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
    features: Tensor, labels: Tensor, scale: float, weights: Tensor, cache: Cache, alphas: np.ndarray, betas: np.ndarray, metric: str
) -> Choice:
    """features (N, D) and labels (N,) or (N, C) of the validation images; weights (C, D) and the scale of their cosines;
    alphas ascending, in units of logits; betas evenly spaced.
    """
    scores = _argmax_scores if metrics.lookup(metric).of_right_answers else _scores_of_pairs
    table = scores(features, labels, scale, weights, cache, alphas, betas, metric)
    beta, alpha = best_of("alpha and beta", table)
    return Choice(float(alphas[alpha]), float(betas[beta]), float(table[beta, alpha]))


def _argmax_scores(
    features: Tensor, labels: Tensor, scale: float, weights: Tensor, cache: Cache, alphas: np.ndarray, betas: np.ndarray, metric: str
) -> np.ndarray:
    """(len(betas), len(alphas)) by intervals of alpha."""
    low, high = _intervals(features, labels.long(), scale, weights, cache, betas)
    first, after = np.searchsorted(alphas, low, side="left"), np.searchsorted(alphas, high, side="right")
    held = first < after
    kind, size = _weighing(labels.cpu().numpy(), metric)
    beta, image = np.nonzero(held)
    counts = np.zeros((len(size), len(betas), len(alphas) + 1), dtype=np.int64)
    np.add.at(counts, (kind[image], beta, first[held]), 1)
    np.add.at(counts, (kind[image], beta, after[held]), -1)
    right = counts[:, :, :-1].cumsum(2)
    table = (right / size[:, None, None]).sum(0).round(12)  # equal scores stay equal whatever the order of the sum
    table[np.isnan(low).any(1)] = np.nan
    return table


def _weighing(labels: np.ndarray, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """kind (N,) of each image and, by kind, what one right image is divided by. For the mean over classes, images of
    equally large classes are of one kind; for accuracy all are.
    """
    if metrics.lookup(metric).mean_over == "images":
        return np.zeros(len(labels), dtype=np.int64), np.array([len(labels)])
    totals = np.bincount(labels)
    sizes, kind = np.unique(totals[labels], return_inverse=True)
    return kind, sizes * np.count_nonzero(totals)


def _intervals(
    features: Tensor, labels: Tensor, scale: float, weights: Tensor, cache: Cache, betas: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The lowest and the highest alpha (len(betas), N) with which each image is right; NaN where its logits are no numbers."""
    slots, found = _slots(cache.values.argmax(1), len(weights)), []
    size = max(1, NUMBERS_AT_ONCE // slots.numel())
    for own, classes in zip(features.split(size), labels.split(size), strict=True):
        plain = (scale * own @ weights.T).double()
        sums = _sums(_in_slots(affinity(own, cache.keys), slots) - 1, betas)
        found.append(torch.stack([torch.stack(_right_between_numbers(plain, cached.double(), classes)) for cached in sums], 1))
    low, high = torch.cat(found, 2).cpu().numpy()
    return low, high


def _sums(near: Tensor, betas: np.ndarray) -> Iterator[Tensor]:
    """By beta, what `cache.remembered` gives, of affinity - 1 in slots, (N, S, C): (N, C), without a product with a one-hot matrix,
    which for every key costs a multiplication per class. From one beta to the next exp(-beta (1 - a)) is multiplied by the same number.
    """
    step = torch.exp(float(betas[-1] - betas[0]) / max(1, len(betas) - 1) * near)
    for i, beta in enumerate(betas):
        if i % ANEW == 0:
            held = torch.exp(float(beta) * near)
        else:
            held.mul_(step)
        yield held.sum(1)


def _slots(owners: Tensor, classes: int) -> Tensor:
    """(S, C): which keys each class has, S the most of any; a class with fewer has M, one past the last of M keys."""
    own = owners.cpu().numpy()
    order, counts = own.argsort(kind="stable"), np.bincount(own, minlength=classes)
    slots = np.full((counts.max(), classes), len(own))
    slots[np.arange(len(own)) - (counts.cumsum() - counts)[own[order]], own[order]] = order
    return torch.from_numpy(slots).to(owners.device)


def _in_slots(cosines: Tensor, slots: Tensor) -> Tensor:
    """(N, S, C) of cosines (N, M): where there is no key, as far away as can be."""
    nowhere = cosines.new_full((len(cosines), 1), FAR)
    return torch.cat([cosines, nowhere], 1)[:, slots]


def _right_between_numbers(plain: Tensor, cached: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    low, high = right_between(plain, cached, labels)
    numbers = (plain.sum(1) + cached.sum(1)).isfinite()
    return torch.where(numbers, low, torch.nan), torch.where(numbers, high, torch.nan)


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


def _scores_of_pairs(
    features: Tensor, labels: Tensor, scale: float, weights: Tensor, cache: Cache, alphas: np.ndarray, betas: np.ndarray, metric: str
) -> np.ndarray:
    """(len(betas), len(alphas)) for metrics that are no means of right answers: every pair is scored, many alphas at once."""
    cosines, plain = affinity(features, cache.keys), (scale * features @ weights.T).double().cpu().numpy()
    truth, table = labels.cpu().numpy(), np.empty((len(betas), len(alphas)))
    size = max(1, NUMBERS_AT_ONCE // plain.size)
    for i, beta in enumerate(betas):
        cached = remembered(cosines, cache.values, beta).double().cpu().numpy()
        if not np.isfinite(plain + cached).all():
            table[i] = np.nan
            continue
        for start in range(0, len(alphas), size):
            part = slice(start, start + size)
            table[i, part] = metrics.values(metric, plain + alphas[part, None, None] * cached, truth)
    return table
