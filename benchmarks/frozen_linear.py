"""Matrix products with frozen weights: torch's default (MKL) against what promptatlas chooses for this CPU.

    python benchmarks/frozen_linear.py [--prompts 20] [--images 32] [--rounds 15] [--threads 1]

One tuning step (forward and backward) and one evaluation of visual prompts on the mini backbone, both ways turn by turn in one
process; the figure is the ratio of medians. The gradients are compared as well. On a CPU without AVX-512 both sides are the same.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time

import torch

from promptatlas.backbone import export, linear, load


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prompts", type=int, default=20)
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        export.export("mini", "mini", folder)
        vision = load(folder).vision
    tokens = vision.embed(torch.randn(arguments.images, 3, 32, 32)).unsqueeze(0)
    prompts = (torch.randn(arguments.prompts, 4, 16, 128) * 0.1).requires_grad_()

    def tune() -> torch.Tensor:
        return torch.autograd.grad(vision(tokens, prompts).square().sum(), prompts)[0]

    @torch.no_grad()
    def evaluate() -> torch.Tensor:
        return vision(tokens, prompts)

    products = {"MKL": None, "chosen": linear._PRODUCT}
    for work in (tune, evaluate):
        seconds: dict[str, list[float]] = {name: [] for name in products}
        results = {}
        for _ in range(arguments.rounds + 2):
            for name, product in products.items():
                linear._PRODUCT = product
                started = time.perf_counter()
                results[name] = work()
                seconds[name].append(time.perf_counter() - started)
        each = 1000 / arguments.prompts / arguments.images
        medians = {name: statistics.median(values[2:]) * each for name, values in seconds.items()}
        difference = (results["MKL"] - results["chosen"]).abs().max() / results["MKL"].abs().max()
        figures = ", ".join(f"{name} {value:.3f} ms" for name, value in medians.items())
        print(
            f"{work.__name__}: per image and prompt {figures}; ratio of medians {medians['MKL'] / medians['chosen']:.2f}; "
            f"largest relative difference {difference.item():.1e}"
        )


if __name__ == "__main__":
    main()
