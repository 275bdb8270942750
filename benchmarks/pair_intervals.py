"""How often intervals of the table `pairs` hold the true gain, beside other intervals, and how wide they are: docs/pairs.md.

`python benchmarks/pair_intervals.py [repetitions]`: made-up studies of 12 tasks, in which an answer is right where a normal sum of the
prompt, the seed, the image and what these do together is above 0, so that the true gain is known.

`python benchmarks/pair_intervals.py results/mini`: how often two seeds of a finished study foretell the gain in a third on the same images.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri
from scipy.stats import t

from promptatlas.analysis.pairs.column import PAIR
from promptatlas.analysis.pairs.images import WeightedImages
from promptatlas.analysis.pairs.interval import Uncertain
from promptatlas.analysis.pairs.moderated import NOTHING, fitted
from promptatlas.analysis.pairs.of_study import columns
from promptatlas.analysis.pairs.parts import VariedBy, varied_by
from promptatlas.study.study import Study

TASKS, IMAGES, RESAMPLES = 12, (50, 200, 1000, 5000), 200
# Spread of the seeds' levels, of this spread from prompt to prompt (of its logarithm), and the share that all sources of a target share.
SEEDS = {"none": (0.0, 0.0, 0.0), "alike": (0.25, 0.0, 0.0), "unlike": (0.25, 0.7, 0.0), "shared": (0.25, 0.3, 0.7)}


def made_up(rng: np.random.Generator, images: int, seeds: int, how: str) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """By target: right answers (K, S, N) of 11 sources, those of the zero-shot prompt (N,), and the true gains (K,)."""
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
    found = joined(parts)
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


def foretold(folder: Path) -> Iterator[str]:
    """By protocol and method in how many of 100 pairs two seeds hold the gain of the third in 95 % intervals of three kinds, and how wide
    these are: moderated as in the table, each pair alone, and normal with the variance that a bootstrap of two seeds has."""
    transfer = pd.read_parquet(folder / "tables" / "transfer.parquet")
    study = Study(json.loads((folder / "config.json").read_text()) | {"results": str(folder.parent)})
    families = defaultdict(list)
    for column in columns(study, transfer):
        if column.right is not None and column.reference is not None and np.isfinite(column.scores).all() and len(column.scores[0]) == 3:
            families[column.protocol, column.method].append(column)
    for which, some in families.items():
        shown = defaultdict(list)
        for left in range(3):
            kept, parts, third, targets = [one for one in range(3) if one != left], [], [], []
            for column in some:
                own = np.array([kind == PAIR for kind in column.kinds])
                right = column.right[own][:, kept]
                parts.append(varied_by(right, column.reference, np.ones(right.shape[:2], bool), column.images))
                third.append(column.scores[own, left] - column.zero_shot)
                targets += [column.target] * int(own.sum())
            found = joined(parts)
            missed, one = np.abs(np.concatenate(third) - found.gain), np.ones(len(found.gain))
            variance, freedom = fitted(found.between, one, np.array(targets)).moderated(found.between, one)
            halves = {
                "table `pairs`": t.ppf(0.975, freedom) * np.sqrt(1.5 * variance),
                "each pair alone": t.ppf(0.975, 1) * np.sqrt(1.5 * found.between),
                "bootstrap": ndtri(0.975) * np.sqrt(0.75 * found.between),
            }
            for name, half in halves.items():
                shown[name].append((np.mean(missed <= half), 200 * np.median(half)))
        yield f"{' '.join(which)}: " + "; ".join(f"{name} {100 * a:.0f} %, {b:.0f} points" for name, (a, b) in means(shown))


def means(shown: dict[str, list]) -> Iterator[tuple[str, np.ndarray]]:
    for name, values in shown.items():
        yield name, np.mean(values, axis=0)


def joined(parts: list[VariedBy]) -> VariedBy:
    return VariedBy(**{name: np.concatenate([getattr(one, name) for one in parts]) for name in vars(parts[0])})


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
    if sys.argv[1:] and not sys.argv[1].isdigit():
        print("\n".join(foretold(Path(sys.argv[1]))))
    else:
        main(*map(int, sys.argv[1:]))
