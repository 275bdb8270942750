"""One side of a comparison, in a process of its own as a user starts it: `python -m bench_parts.side WORK`, WORK in JSON.

Prints what took how long, by the clock and in processor time of all its threads, from the start of the process. The published way is
that of gpu_parts/published.py; ours is what jobs call. Knows nothing of what is compared with what.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

RATE = 1.0  # of a step: large, so that what it moves is seen beside what a parameter was
Took = tuple[float, float]  # seconds by the clock, seconds of processor time


@dataclass(frozen=True)
class Work:
    """way: published or ours; kind: column, step, encode or tuning; weights: a folder of an exported model; counts: of images, steps or
    epochs (each is timed by itself); task: whose class names there are; prompt: number of the published way's only one; answers: where
    to put those of the first count; flops: whether to count operations of the first.
    """

    way: str
    kind: str
    method: str
    weights: str
    counts: tuple[int, ...]
    threads: int
    classes: int
    batch: int = 32
    prompts: int = 20
    prompt: int = 0
    task: str = "cifar-100"
    answers: str | None = None
    flops: bool = False
    started: float = 0.0  # of the process, by time.time()


@dataclass
class Timed:
    """start: until the model is there and has worked once, on two classes; took: by count; gflop: of the first, if it was asked for."""

    start: Took
    took: dict[int, Took] = field(default_factory=dict)
    gflop: float | None = None


def main() -> None:
    work = Work(**json.loads(sys.argv[1]))
    if work.way == "ours":
        from promptatlas.base import freed_memory

        freed_memory.keep()  # as a job
    print(json.dumps(asdict(done(work))))


def done(work: Work) -> Timed:
    import torch

    from promptatlas.backbone import load
    from promptatlas.runs import devices

    if work.way == "ours":
        devices.chosen("cpu", work.threads)
    else:
        torch.set_num_threads(work.threads)
    backbone, made = load(work.weights), WORKS[work.way, work.kind]
    made(replace(work, classes=2, prompts=1, prompt=0, batch=2), backbone)(1)
    run = made(work, backbone)
    timed = Timed((time.time() - work.started, time.process_time()))
    answers: list[Any] = []
    for count in work.counts:
        clock, processor = time.perf_counter(), time.process_time()
        answers.append(run(count))
        timed.took[count] = (time.perf_counter() - clock, time.process_time() - processor)
    if work.flops:
        timed.gflop = _gflop(lambda: run(work.counts[0]))
    if work.answers:
        import numpy as np

        np.save(Path(work.answers), np.asarray(answers[0]))
    return timed


def _gflop(run: Callable[[], Any]) -> float:
    from gpu_parts.scene import operations

    with operations() as counted:
        run()
    return counted.get_total_flops() / 1e9


def _published_column(work: Work, backbone: Any) -> Callable[[int], Any]:
    """One prompt on the test images of one target: image features, and class features, for every batch."""
    import torch

    from gpu_parts.published import TEST_BATCH, Plain

    images, names, prompts = _images(work, backbone), _names(work), _prompts(work, backbone)[work.prompt]

    @torch.no_grad()
    def run(count: int) -> Any:
        plain = Plain(backbone, names, prompts)
        batches = (images[start : min(start + TEST_BATCH, count)] for start in range(0, count, TEST_BATCH))
        return torch.cat([plain.logits(backbone.vision.read(batch), prompts) for batch in batches]).numpy()

    return run


def _our_column(work: Work, backbone: Any) -> Callable[[int], Any]:
    """All prompts on the test images of one target; text-only methods need the images' features, once."""
    import numpy as np

    from promptatlas.backbone.encode import encode_images
    from promptatlas.evaluation import evaluate

    images, names, prompts = _images(work, backbone), _names(work), _prompts(work, backbone)

    def run(count: int) -> Any:
        own = images[:count]
        features = encode_images(backbone, own) if prompts[0].visual is None else np.zeros((count, 1), np.float32)
        return evaluate.answers(backbone, names, own, features, prompts)

    return run


def _published_step(work: Work, backbone: Any) -> Callable[[int], Any]:
    """Steps of one prompt by torch's own SGD: image features and all sentences at every step. Gives how far they moved the parameters."""
    import torch
    import torch.nn.functional as F

    from gpu_parts.published import Plain

    run = _run(work, backbone)
    parameters, rate = list(run.learners.parameters.values()), run.settings["learning_rate"]
    descent = torch.optim.SGD(parameters, rate, run.settings["momentum"], weight_decay=run.settings["weight_decay"])
    images, labels = torch.from_numpy(run.task_of.images("train")), torch.from_numpy(run.task_of.labels("train"))
    plain, start = Plain(backbone, run.task.class_names, run.learners.prompts()), _flat(parameters)

    def steps(count: int) -> Any:
        for _ in range(count):
            descent.zero_grad()
            F.cross_entropy(plain.logits(backbone.vision.normalise(images), run.learners.prompts()), labels).backward()
            descent.step()
        return _flat(parameters) - start

    return steps


def _our_step(work: Work, backbone: Any) -> Callable[[int], Any]:
    """The same by what a job calls, for one prompt; the images' features are there, as a job has them for all steps."""
    from promptatlas.training.schedule import optimiser

    run = _run(work, backbone)
    parameters = list(run.learners.parameters.values())
    descent = optimiser(run.settings, parameters)
    descent.rate = run.settings["learning_rate"]
    orders: Any = [_InOrder()]
    start = _flat(parameters)

    def steps(count: int) -> Any:
        for _ in range(count):
            run._epoch(descent, orders, run._step)
        return _flat(parameters) - start

    return steps


def _encode(work: Work, backbone: Any) -> Callable[[int], Any]:
    """Frozen features of images."""
    from promptatlas.backbone.encode import encode_images

    images = _images(work, backbone)
    return lambda count: encode_images(backbone, images[:count])


def _tuning(work: Work, backbone: Any) -> Callable[[int], Any]:
    """Prompts tuned side by side for some epochs, with the settings of the default study, each on images of its own."""
    from gpu_parts.scene import Noise
    from promptatlas.methods import settings
    from promptatlas.training.single_task import tune_task

    size = backbone.architecture.image_size
    task = Noise(work.classes, work.prompts * 16 * work.classes, 0, size, _names(work))
    draws: Any = task.draws(work.prompts)

    def run(epochs: int) -> Any:
        chosen = settings(work.method, {"epochs": epochs}, preset="mini")
        return tune_task(backbone, work.method, chosen, task, draws, list(range(work.prompts)))  # type: ignore[arg-type]

    return lambda epochs: len(run(epochs))


class _InOrder:
    """An order of images that is none, so that both ways see the same."""

    def permutation(self, size: int) -> Any:
        import numpy as np

        return np.arange(size)


def _run(work: Work, backbone: Any) -> Any:
    """A run of one learner; each of its epochs is one step on the same images."""
    from gpu_parts.scene import Noise
    from promptatlas.methods import settings
    from promptatlas.training import single_task
    from promptatlas.training.learners import BatchedLearners

    task = Noise(work.classes, work.batch, 0, backbone.architecture.image_size, _names(work))
    chosen = settings(work.method, {"batch_size": work.batch, "learning_rate": RATE})
    run: Any = single_task.Run(
        backbone,
        work.method,
        chosen,
        task,
        task.draws(1),
        [0],
        BatchedLearners(work.method, chosen, backbone.architecture, [0], backbone),  # type: ignore[arg-type]
    )
    run.task_of = task
    return run


def _flat(parameters: list[Any]) -> Any:
    import torch

    return torch.cat([one.detach().flatten() for one in parameters]).numpy().copy()


def _images(work: Work, backbone: Any) -> Any:
    from gpu_parts.scene import Noise

    return Noise(work.classes, 0, max(work.counts), backbone.architecture.image_size).images("test")


def _names(work: Work) -> tuple[str, ...]:
    from promptatlas.tasks import catalogue

    return catalogue.task(work.task).class_names[: work.classes]


def _prompts(work: Work, backbone: Any) -> list[Any]:
    from promptatlas.methods import settings
    from promptatlas.training import single_task

    return [single_task.scratch(backbone, work.method, settings(work.method), seed).prompts for seed in range(work.prompts)]


WORKS: dict[tuple[str, str], Callable[[Work, Any], Callable[[int], Any]]] = {
    ("published", "column"): _published_column, ("ours", "column"): _our_column, ("published", "step"): _published_step,
    ("ours", "step"): _our_step, ("ours", "encode"): _encode, ("ours", "tuning"): _tuning,
}  # fmt: skip

if __name__ == "__main__":
    main()
