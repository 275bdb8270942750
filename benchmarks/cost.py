"""How the work grows with tasks, classes, prompts and images: python benchmarks/cost.py [--out cost.json] [--figure docs/cost.png]

Seconds of processor time of one thread on the embedded model and tasks of noise, the best of three, or one where that takes long. A
straight line in a figure with logarithmic axes is a power; its exponent is the slope by least squares. A matrix of n tasks asks for n
prompts and n x n cells. A step of tuning sees 32 images; that an epoch on some images of each class has more steps the more classes
there are comes on top.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gpu_parts import scene
from gpu_parts.scene import Noise
from promptatlas.backbone import Backbone
from promptatlas.backbone.encode import encode_images
from promptatlas.evaluation import evaluate
from promptatlas.methods import settings
from promptatlas.runs import devices
from promptatlas.training import single_task

METHODS = ("coop", "vpt")
SIZES = {"tasks": (5, 10, 20, 40), "classes": (10, 100, 1000), "prompts": (1, 5, 20, 60), "images": (25, 100, 400, 1600)}
REPEATS, LONG, CLASSES, IMAGES, BATCH = 3, 2.0, 10, 40, 32  # LONG: seconds after which nothing is repeated


def matrix(model: Backbone, method: str, tasks: int) -> Callable[[], object]:
    """Cells of a matrix, each target's images encoded once, and a prompt of each task."""
    target, own = _target(model, CLASSES, IMAGES), _prompts(model, method, tasks)
    tuned = step(model, method, CLASSES, 1)

    def run() -> None:
        for _ in range(tasks):
            tuned()
            _answers(model, target, own)

    return run


def step(model: Backbone, method: str, classes: int, learners: int) -> Callable[[], object]:
    """Each learner's step on 32 images of its own, and what it answers after it on eight others."""
    task = Noise(classes, BATCH * learners, 0, model.architecture.image_size)
    chosen = settings(method, {"epochs": 1, "batch_size": BATCH}, preset="mini")
    return lambda: single_task.tune_task(model, method, chosen, task, task.draws(learners), list(range(learners)))  # type: ignore[arg-type]


def column(model: Backbone, method: str, prompts: int, images: int, classes: int = CLASSES) -> Callable[[], object]:
    """Prompts on the test images of one target."""
    target, own = _target(model, classes, images), _prompts(model, method, prompts)
    return lambda: _answers(model, target, own)


KINDS: dict[str, dict[str, Callable[[Backbone, str, int], Callable[[], object]]]] = {
    "tasks": {"matrix": matrix},
    "classes": {
        "step": lambda model, method, size: step(model, method, size, 1),
        "column": lambda model, method, size: column(model, method, 5, IMAGES, size),
    },
    "prompts": {
        "step": lambda model, method, size: step(model, method, CLASSES, size),
        "column": lambda model, method, size: column(model, method, size, IMAGES),
    },
    "images": {"column": lambda model, method, size: column(model, method, 5, size)},
}


def _target(model: Backbone, classes: int, images: int) -> Noise:
    return Noise(classes, 0, images, model.architecture.image_size)


def _prompts(model: Backbone, method: str, count: int) -> list[Any]:
    return [single_task.scratch(model, method, settings(method, preset="mini"), seed).prompts for seed in range(count)]


def _answers(model: Backbone, target: Noise, own: list[Any]) -> np.ndarray:
    images = target.images("test")
    features = encode_images(model, images) if own[0].visual is None else np.zeros((len(images), 1), np.float32)
    return evaluate.answers(model, target.task.class_names, images, features, own)


def seconds(run: Callable[[], object], repeats: int) -> float:
    """Of processor time, the least of some, or of as many as are begun before LONG seconds of it."""
    taken: list[float] = []
    while len(taken) < repeats and sum(taken) < LONG:
        begun = time.process_time()
        run()
        taken.append(time.process_time() - begun)
    return min(taken)


def exponent(sizes: Sequence[float], took: Sequence[float]) -> float:
    """The slope of the logarithms, by least squares."""
    return float(np.polyfit(np.log(sizes), np.log(took), 1)[0])


def measured(model: Backbone, every: dict[str, tuple[int, ...]], repeats: int = REPEATS) -> list[dict[str, Any]]:
    """A row for each line of the figure."""
    rows = []
    for what, sizes in every.items():
        for kind, made in KINDS[what].items():
            for method in METHODS:
                took = [seconds(made(model, method, size), repeats) for size in sizes]
                slope = exponent(sizes, took)
                rows.append({"what": what, "kind": kind, "method": method, "sizes": sizes, "seconds": took, "exponent": slope})
                print(f"{what:8s} {kind:7s} {method:5s} {slope:5.2f}  {'  '.join(f'{one:.3f}' for one in took)}", flush=True)
    return rows


def _last(row: dict[str, Any]) -> float:
    """The exponent between the two largest sizes, where what does not grow counts least."""
    return exponent(row["sizes"][-2:], row["seconds"][-2:])


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 2.6), layout="constrained")
    for axes, what in zip(figure.subplots(1, len(KINDS), sharey=True), KINDS, strict=True):
        for row in (one for one in rows if one["what"] == what):
            mark = "o-" if row["method"] == "coop" else "s--"
            axes.loglog(
                row["sizes"],
                row["seconds"],
                mark,
                ms=4,
                lw=1,
                label=f"{row['kind']}, {row['method']}: {row['exponent']:.2f}, {_last(row):.2f}",
            )
        axes.set_xlabel(what)
        axes.set_xticks(rows_sizes := next(one["sizes"] for one in rows if one["what"] == what), [str(one) for one in rows_sizes])
        axes.minorticks_off()
        axes.legend(fontsize=6, frameon=False, title="exponent, and of the last two", title_fontsize=6)
    figure.axes[0].set_ylabel("seconds of CPU time")
    figure.savefig(path, dpi=110)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=None, help="JSON of what was measured")
    parser.add_argument("--figure", type=Path, default=None, help="where the figure goes")
    options = parser.parse_args(arguments)
    devices.chosen("cpu", 1)  # as a job
    with tempfile.TemporaryDirectory() as folder:
        rows = measured(scene.mini(Path(folder) / "mini"), SIZES)
    if options.out:
        options.out.write_text(json.dumps(rows, indent=1) + "\n")
    if options.figure:
        draw(rows, options.figure)


if __name__ == "__main__":
    main()
