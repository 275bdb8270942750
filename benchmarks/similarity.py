"""All measures of similarity on made-up features of the size of a real benchmark: processor and wall seconds by measure, and peak memory.

    python benchmarks/similarity.py [--tasks 20] [--images 10000] [--width 512] [--classes 10 100 397]

Features are unit vectors around class centres in single precision, as encoded tasks have them. Tasks have the numbers of classes in turn.
"""

from __future__ import annotations

import argparse
import resource
import time
from types import SimpleNamespace

import numpy as np

from promptatlas.evaluation import similarity


def made_up(tasks: int, images: int, width: int, classes: list[int]) -> dict:
    rng = np.random.default_rng(0)

    def unit(values: np.ndarray) -> np.ndarray:
        return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)

    made = {}
    for k in range(tasks):
        count, common = classes[k % len(classes)], 2 * rng.normal(size=width)
        centres = unit(common + rng.normal(size=(count, width)))
        own = centres[np.arange(images) % count] * np.sqrt(width) + rng.normal(size=(images, width))
        task = SimpleNamespace(class_names=tuple(f"class {k + i}" for i in range(count)), drawn=(), labelled=())
        made[f"task {k}"] = (task, {"features_train": unit(own), "class_features": unit(centres + rng.normal(size=centres.shape) / 30)})
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=int, default=20)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--classes", type=int, nargs="+", default=[10, 100, 397])
    given = parser.parse_args()
    tasks = made_up(given.tasks, given.images, given.width, given.classes)
    whole = time.perf_counter(), time.process_time()
    for name in similarity.registered():
        if "prompts" in similarity.lookup(name).needs:
            continue
        started = time.perf_counter(), time.process_time()
        similarity.compute(tasks, [name])
        print(f"{name:16} {time.perf_counter() - started[0]:7.1f} s {time.process_time() - started[1]:7.1f} CPU s", flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{'all':16} {time.perf_counter() - whole[0]:7.1f} s {time.process_time() - whole[1]:7.1f} CPU s, peak {peak:.2f} GiB")


if __name__ == "__main__":
    main()
