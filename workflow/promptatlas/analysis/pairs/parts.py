"""What the mean difference of two prompts varies by: the images it was measured on, and the seeds that the prompts were trained with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from promptatlas.analysis.pairs.images import WeightedImages


@dataclass(frozen=True)
class VariedBy:
    """Of K comparisons, each (K,), in shares of 1; NaN where nothing was measured.

    gain: mean over seeds and images; images: how many there are; seeds: how many were measured; shared: the variance of the gain by
    images, as far as these are easy or hard in all seeds alike (with one seed, all of it); between: the sample variance of the seeds'
    differences, which holds what images do in one seed alone; NaN with one seed.
    """

    gain: np.ndarray
    images: np.ndarray
    seeds: np.ndarray
    shared: np.ndarray
    between: np.ndarray


def varied_by(right: np.ndarray, reference: np.ndarray, there: np.ndarray, images: WeightedImages) -> VariedBy:
    """right, reference: right answers (K, S, N) or what broadcasts to it, 0 or 1; there: which seeds were measured (K, S).

    In the model d = gain + image + seed + rest, with V the variance of the images' means over seeds and E that of the rest, the variance
    of the gain is var(image) / N + (var(seed) + E / N) / S, and V = var(image) + E / S.

    So that no error is nothing where few answers differ, two images are added to V, one on which only the prompt is right and one on which
    only the reference is (Bonett & Price 2012, who show it for one seed), and to seeds one image on which one seed answers otherwise.
    """
    count, seeds = len(images), there.sum(axis=1)
    differences = np.where(there[:, :, None], np.subtract(right, reference, dtype=np.float64), 0.0)
    by_seed = images.mean(differences)
    with np.errstate(invalid="ignore", divide="ignore"):
        gain = np.where(seeds > 0, by_seed.sum(axis=1) / seeds, np.nan)
        of_means = images.squares(differences.sum(axis=1) / seeds[:, None])
        rest = (images.squares(differences).sum(axis=1) - seeds * of_means) / (seeds - 1)
        noise = np.maximum(rest, 0) / count**2 + 1 / (seeds * count**2)
        by_images = (of_means + 2) / (count + 2) ** 2
        between = (np.where(there, by_seed - gain[:, None], 0) ** 2).sum(axis=1) / (seeds - 1) + 1 / (seeds * count**2)
        shared = np.where(seeds > 1, np.maximum(by_images - noise / seeds, 0), by_images)
    return VariedBy(
        gain=gain,
        images=np.full(len(seeds), count),
        seeds=seeds,
        shared=np.where(seeds > 0, shared, np.nan),
        between=np.where(seeds > 1, between, np.nan),
    )
