"""Alpha and beta of an adapter from the whole grid: a product with the one-hot labels of the cache for every beta and counts for every
class, against promptatlas's sums over the keys of a class.

    python benchmarks/adapter_search.py [--classes 100] [--shots 16] [--betas 200] [--rounds 5] [--threads 1]

Both sides search the same 200 alphas with the same random features in fp32, turn by turn in one process; the figure is the ratio of
medians, in seconds of the CPU. Four validation images per class. The choices are compared as well.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from promptatlas.training.adapters.cache import Cache, affinity, cache, remembered
from promptatlas.training.adapters.search import Choice, axis, right_between, search

WIDTH, VALIDATION, AT_ONCE = 512, 4, 2**24
SCALE = 100.0  # of OpenAI's weights


def scene(classes: int, shots: int) -> tuple[Tensor, Tensor, Tensor, Cache]:
    """Validation features and labels, class weights that are a little off, and the cache."""
    means = F.normalize(torch.randn(classes, WIDTH), dim=-1)

    def images(count: int) -> tuple[Tensor, Tensor]:
        labels = torch.arange(classes).repeat(count)
        return F.normalize(means[labels] + 4 * torch.randn(len(labels), WIDTH) / WIDTH**0.5, dim=-1), labels

    weights = F.normalize(means + 3 * torch.randn(classes, WIDTH) / WIDTH**0.5, dim=-1)
    return *images(VALIDATION), weights, cache(*images(shots), classes)


def by_products(features: Tensor, labels: Tensor, weights: Tensor, kept: Cache, alphas: np.ndarray, betas: np.ndarray) -> Choice:
    counts = np.zeros((len(betas), len(weights), len(alphas) + 1), dtype=np.int64)
    size = max(1, AT_ONCE // len(kept.keys))
    for own, classes in zip(features.split(size), labels.split(size), strict=True):
        cosines, plain, truth = affinity(own, kept.keys), (SCALE * own @ weights.T).double(), classes.numpy()
        for i, beta in enumerate(betas):
            low, high = right_between(plain, remembered(cosines, kept.values, beta).double(), classes)
            first, after = np.searchsorted(alphas, low.numpy(), "left"), np.searchsorted(alphas, high.numpy(), "right")
            held = first < after
            np.add.at(counts[i], (truth[held], first[held]), 1)
            np.add.at(counts[i], (truth[held], after[held]), -1)
    table = counts[:, :, :-1].cumsum(2).sum(1) / len(features)
    beta, alpha = np.unravel_index(table.argmax(), table.shape)
    return Choice(float(alphas[alpha]), float(betas[beta]), float(table[beta, alpha]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--classes", type=int, default=100)
    parser.add_argument("--shots", type=int, default=16)
    parser.add_argument("--betas", type=int, default=200, help="fewer, where products take minutes")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    given = (*scene(arguments.classes, arguments.shots), axis(20, 200), axis(20, arguments.betas))
    sides = {"products": lambda: by_products(*given), "sums over keys": lambda: search(*given[:2], SCALE, *given[2:], "accuracy")}
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    choices = {}
    for _ in range(arguments.rounds + 1):
        for name, choose in sides.items():
            started = time.process_time()
            choices[name] = choose()
            seconds[name].append(time.process_time() - started)
    medians = {name: statistics.median(values[1:]) for name, values in seconds.items()}
    for name, value in medians.items():
        one = choices[name]
        print(f"{name:14s} {value:8.2f} s (min {min(seconds[name][1:]):.2f}, max {max(seconds[name][1:]):.2f}), "
              f"alpha {one.alpha:.4f}, beta {one.beta:.4f}, score {one.score:.4f}")  # fmt: skip
    ratio = medians["products"] / max(medians["sums over keys"], time.get_clock_info("process_time").resolution)
    print(f"{arguments.classes} classes, {arguments.betas} betas: ratio of medians {ratio:.1f}")


if __name__ == "__main__":
    main()
