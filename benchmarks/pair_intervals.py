"""How often intervals of the table `pairs` hold the true gain, beside other intervals, and how wide they are: docs/pairs.md.

`python benchmarks/pair_intervals.py [repetitions]`: made-up studies of 12 tasks, in which an answer is right where a normal sum of the
prompt, the seed, the image and what these do together is above 0, so that the true gain is known.
"""

import sys
from collections.abc import Iterator

import numpy as np
from scipy.special import ndtr, ndtri
from scipy.stats import t

from promptatlas.analysis.pairs.images import WeightedImages
from promptatlas.analysis.pairs.interval import Uncertain
from promptatlas.analysis.pairs.moderated import NOTHING, fitted
from promptatlas.analysis.pairs.parts import varied_by

TASKS, IMAGES, RESAMPLES = 12, (50, 200, 1000, 5000), 200
# Spread of the seeds' levels, of this spread from prompt to prompt (of its logarithm), and the share that all sources of a target share.
SEEDS = {"none": (0.0, 0.0, 0.0), "alike": (0.25, 0.0, 0.0), "unlike": (0.25, 0.7, 0.0), "shared": (0.25, 0.3, 0.7)}


def made_up(rng: np.random.Generator, images: int, seeds: int, how: str) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """By target: right answers (K, S, N) of 11 sources, those of the hand-written prompt (N,), and the true gains (K,)."""
    spread, unlike, share = SEEDS[how]
    for _ in range(TASKS):
        level, hand, hard = rng.normal(0.2, 0.6, TASKS - 1), rng.normal(0.3, 0.5), rng.normal(size=images)
        own = spread * np.exp(unlike * rng.normal(size=TASKS - 1))
        common, rest = rng.normal(size=seeds), rng.normal(size=(TASKS - 1, seeds))
        shifts = own[:, None] * (np.sqrt(share) * common + np.sqrt(1 - share) * rest)
        alike = 0.6 * rng.normal(size=(TASKS - 1, 1, images))
        noise = 0.5 * rng.normal(size=(TASKS - 1, seeds, images))
        right = level[:, None, None] + shifts[:, :, None] + hard + alike + noise > 0
        reference = hand + hard + 0.8 * rng.normal(size=images) > 0
        truth = ndtr(level / np.sqrt(1 + own**2 + 0.36 + 0.25)) - ndtr(hand / np.sqrt(1 + 0.64))
        yield right, reference, truth


def bootstrap(rng: np.random.Generator, right: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Percentiles over images drawn anew and, for each, seeds drawn anew."""
    differences = right - reference.astype(float)
    count, seeds, images = differences.shape
    found = np.empty((RESAMPLES, count))
    for one in range(RESAMPLES):
        weights = rng.multinomial(images, np.full(images, 1 / images)) / images
        found[one] = ((differences @ weights) * (rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=count) / seeds)).sum(axis=1)
    low, high = np.percentile(found, [2.5, 97.5], axis=0)
    return low, high


def study(rng: np.random.Generator, images: int, seeds: int, how: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """By kind of interval whether it holds the true gain (M,), and its width in points (M,)."""
    parts, truths, drawn, plain, alone = [], [], [], [], []
    for right, reference, truth in made_up(rng, images, seeds, how):
        parts.append(varied_by(right, reference, np.ones(right.shape[:2], bool), WeightedImages.alike(images)))
        truths.append(truth)
        drawn.append(np.array(bootstrap(rng, right, reference)))
        alone.append((right - reference.astype(float)).mean(axis=1).std(axis=1, ddof=1) / np.sqrt(images))
        by_seed = (right - reference.astype(float)).mean(axis=2)
        plain.append(by_seed.mean(axis=1) + np.outer([-1, 1], t.ppf(0.975, seeds - 1) * by_seed.std(axis=1, ddof=1) / np.sqrt(seeds)))
    truth, target = np.concatenate(truths), np.repeat(np.arange(TASKS), TASKS - 1)
    found = type(parts[0])(**{name: np.concatenate([getattr(one, name) for one in parts]) for name in vars(parts[0])})
    prior = fitted(found.between, found.seeds - 1, target)
    by_images = np.concatenate(alone)
    ends = {
        "table `pairs`": Uncertain(found, prior).interval(),
        "each pair alone": Uncertain(found, NOTHING).interval(),
        "bootstrap of images and seeds": tuple(np.concatenate(drawn, axis=1)),
        "t over seeds": tuple(np.concatenate(plain, axis=1)),
        "images alone": (found.gain + ndtri(0.025) * by_images, found.gain + ndtri(0.975) * by_images),
    }
    return {name: ((low <= truth) & (truth <= high), 100 * (high - low)) for name, (low, high) in ends.items()}


def main(repetitions: int = 20) -> None:
    print(
        "| images | seeds differ | " + " | ".join(f"{name}: held, width" for name in study(np.random.default_rng(0), 50, 3, "none")) + " |"
    )
    for how in SEEDS:
        for images in IMAGES:
            rng = np.random.default_rng([images, [*SEEDS].index(how)])
            runs = [study(rng, images, 3, how) for _ in range(repetitions)]
            cells = [
                f"{100 * np.mean([run[name][0].mean() for run in runs]):.1f} %, {np.median([np.median(run[name][1]) for run in runs]):.1f}"
                for name in runs[0]
            ]
            print(f"| {images} | {how} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
