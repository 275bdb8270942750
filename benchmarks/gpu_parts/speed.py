"""A tuning step and an evaluation of CoOp, VPT and UPT with a model of ViT-B/16's size, in every variant."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch

from gpu_parts import variants
from gpu_parts.ledger import Ledger
from gpu_parts.scene import Noise, Scene, distance, operations
from gpu_parts.variants import PLAIN, VARIANTS
from promptatlas.backbone.classifier import TOKENS_PER_PASS
from promptatlas.evaluation import evaluate
from promptatlas.methods import settings
from promptatlas.training import multitask, single_task
from promptatlas.training.image_batch import ImageBatch
from promptatlas.training.learners import BatchedLearners
from promptatlas.training.schedule import optimiser
from promptatlas.training.shared_learner import SharedTask, _Learner

METHODS = ("coop", "vpt", "upt")
CLASSES, BATCH, STEPS = 100, 32, 5
SEEDS, PROMPTS = 3, 20  # learners that a study tunes together; prompts that one evaluation has at once
PASSES = (2**17, 2**18, 2**20)  # tokens; the first is what a pass has on a GPU
IMAGES, MANY = 96, 266  # of an evaluation; as many as the largest pass takes


def steps(scene: Scene, ledger: Ledger) -> None:
    for method in METHODS:
        for variant in VARIANTS:
            if method == "coop" and VARIANTS[variant][0] not in ("float32", "tf32"):
                continue  # its image tower has no part in a step
            ledger.attempt(f"{method}, {variant}", partial(_step, scene, ledger, method, variant, SEEDS))


def sizes(scene: Scene, ledger: Ledger) -> None:
    """One prompt and many, and passes of twice and eight times as many tokens."""
    for method in METHODS:
        ledger.attempt(f"{method}, {PROMPTS} prompts, {PLAIN}", partial(_step, scene, ledger, method, PLAIN, PROMPTS, 1))
        ledger.attempt(
            f"{method}, {PROMPTS} prompts, float16",
            partial(_step, scene, ledger, method, "float16", PROMPTS, 1),
        )
        ledger.attempt(f"{method}, 1 prompt, {PLAIN}", partial(_step, scene, ledger, method, PLAIN, 1))
    for tokens in PASSES:
        name = "float16"
        ledger.attempt(f"vpt, {name}, {tokens} tokens", partial(_evaluation, scene, ledger, "vpt", name, tokens, MANY))
    ledger.attempt(f"vpt, {PLAIN}, {PASSES[2]} tokens", partial(_evaluation, scene, ledger, "vpt", PLAIN, PASSES[2], MANY, 1))


def kernels(scene: Scene, ledger: Ledger) -> None:
    """How many kernels a step has, and how busy they keep the device and the CPU."""
    for method in METHODS:
        ledger.attempt(f"kernels of {method}, {PLAIN}", partial(_kernels, scene, method, PLAIN))
        ledger.attempt(f"host of {method}", partial(_host, scene, method))
    ledger.attempt("kernels of vpt, float16", partial(_kernels, scene, "vpt", "float16"))


def waits(scene: Scene, ledger: Ledger) -> None:
    """What a step of every learner waits for, and what it gains from being recorded."""
    for name, ready in _steps_that_wait(scene).items():
        ledger.attempt(f"waits of {name}", partial(_waits, scene, ready))
    for method in (*METHODS, "cocoop"):
        ledger.attempt(f"recorded {method}", partial(_recorded, scene, method))


def evaluations(scene: Scene, ledger: Ledger) -> None:
    for method in ("vpt", "upt"):
        for variant in VARIANTS:
            ledger.attempt(f"{method}, {variant}", partial(_evaluation, scene, ledger, method, variant, PASSES[0], IMAGES))
    ledger.attempt("coop", partial(_class_features, scene))
    ledger.attempt("images read and embedded", partial(_reading, scene))


def run_of(
    scene: Scene, method: str, learners: int, steps: int = STEPS, classes: int = CLASSES
) -> tuple[Any, Callable[[bool], list[float]]]:
    """A run of some learners on a task of noise, and what does an epoch of `steps` steps: as a study does them, or kernel by kernel."""
    batch = 2 if scene.tiny else BATCH
    task = Noise(5 if scene.tiny else classes, learners * steps * batch, 0, scene.large.architecture.image_size)
    chosen = settings(method, {"batch_size": batch})
    seeds = list(range(learners))
    batched = BatchedLearners(method, chosen, scene.large.architecture, seeds, scene.large)
    run = single_task.Run(scene.large, method, chosen, task, task.draws(learners), seeds, batched)  # type: ignore[arg-type]
    change, orders = optimiser(chosen, list(run.learners.parameters.values())), [np.random.default_rng(seed) for seed in seeds]
    started = run._started()
    return run, lambda as_ever: run._epoch(change, orders, started if as_ever else run._step)


def _step(scene: Scene, ledger: Ledger, method: str, variant: str, learners: int, steps: int = STEPS) -> dict[str, Any]:
    scene.tidy()
    with variants.using(variant, scene.large) as large:
        _, epoch = run_of(replace(scene, large=large), method, learners, steps)
        scene.tidy()
        taken = scene.seconds(lambda: epoch(True), 3)
        peak = scene.peak_mib()
        with operations() as counted:
            epoch(False)
    each, flops = taken[1] / steps, counted.get_total_flops() / steps
    return {
        "ms": 1000 * each, "spread": taken[-1] / taken[0], "gflop": flops / 1e9, **_share(ledger, variant, flops / each), "peak mib": peak,
        "learners": learners,
    }  # fmt: skip


def _share(ledger: Ledger, variant: str, rate: float) -> dict[str, Any]:
    ceiling = ledger.found("ceilings", f"product {VARIANTS[variant][0]}")
    return {"tflops": rate / 1e12} | ({} if ceiling is None else {"share of the ceiling": rate / 1e12 / ceiling["tflops"]})


def _recorded(scene: Scene, method: str) -> dict[str, Any]:
    """Two epochs as a study does them and kernel by kernel, from one start: the same losses and prompts, and how long a step takes."""
    found: dict[bool, Any] = {}
    for as_ever in (True, False):
        scene.tidy()
        run, epoch = run_of(scene, method, SEEDS)
        losses = [epoch(as_ever), epoch(as_ever)]
        prompts = torch.cat([value.detach().flatten() for value in run.learners.parameters.values()])
        taken = scene.seconds(partial(epoch, as_ever), 3, 0)
        found[as_ever] = np.array(losses), prompts, 1000 * taken[1] / STEPS, scene.peak_mib()
    (losses, prompts, ms, peak), (own_losses, own_prompts, own_ms, own_peak) = found[True], found[False]
    return {
        "ms": ms, "ms, kernel by kernel": own_ms, "losses": distance(losses, own_losses), "prompts": distance(prompts, own_prompts),
        "peak mib": peak, "peak mib, kernel by kernel": own_peak,
    }  # fmt: skip


def _steps_that_wait(scene: Scene) -> dict[str, Callable[[], Callable[[], object]]]:
    """By learner, what gets ready and gives two steps. The first step of all is done before, as libraries wait in theirs."""

    def alone(method: str, learners: int) -> Callable[[], object]:
        run, _ = run_of(scene, method, learners, 2)
        return _two(run)

    def several(method: str, classes: str, batches: str) -> Callable[[], object]:
        tasks: list[Any] = [Noise(3 + i, 8, 4, scene.large.architecture.image_size) for i in range(2)]
        chosen, draws = settings(method, {"batch_size": 4}), [[task.draws(2)[k] for task in tasks] for k in range(2)]
        learners = BatchedLearners(method, chosen, scene.large.architecture, [0, 1], scene.large)
        pool, manner = multitask.TaskPool(tasks, scene.large), multitask.Manner(classes, batches)
        return _two(multitask._MultitaskRun(scene.large, method, chosen, manner, pool, draws, [0, 1], learners))  # type: ignore[arg-type]

    def shared(method: str, own: dict[str, Any]) -> Callable[[], object]:
        unit = torch.nn.functional.normalize(torch.randn(8, scene.large.architecture.embed_dim), dim=-1).to(scene.large.device)
        labels = (torch.arange(8) % 3).to(scene.large.device)
        names = Noise(3, 1, 1, 8).task.class_names
        tasks = [SharedTask(f"things {i}", names, "accuracy", (unit, labels), (unit, labels)) for i in range(2)]
        learner = _Learner(scene.large, method, settings(method, own), tasks, 1)
        change = optimiser(settings("coop"), list(learner.module.parameters()))

        def step(rows: np.ndarray, batch: ImageBatch | None) -> None:
            change.zero_grad()
            if batch is None:
                learner.loss(learner.parts(rows)).backward()
            else:
                learner.whole_step(batch)
            change.step()

        batches = list(learner.batches(np.arange(16), 6))
        return lambda: [step(*batches[place]) for place in (0, -1)]

    found: dict[str, Callable[[], Callable[[], object]]] = {name: partial(alone, name, SEEDS) for name in (*METHODS, "cocoop")}
    for method in ("coop", "vpt"):
        for manner in (("union", "mixed"), ("own", "mixed"), ("own", "task")):
            found[f"{method} on several tasks, {', '.join(manner)}"] = partial(several, method, *manner)
    found["softcpt"], found["coop_mt"] = partial(shared, "softcpt", {}), partial(shared, "coop_mt", {"sharing": "task"})
    found["softcpt by class"] = partial(shared, "softcpt", {"class_context": "agnostic", "class_rate": 0.5})
    return found


def _two(run: Any) -> Callable[[], object]:
    """The first and the last step of an epoch, kernel by kernel: what is recorded cannot wait."""
    change = optimiser(run.settings, list(run.learners.parameters.values()))
    batches = list(run._batches([np.random.default_rng(seed).permutation for seed in run.seeds]))

    def steps() -> None:
        for batch in (batches[0], batches[-1]):
            change.zero_grad()
            run._step(batch)
            change.step()

    return steps


def _waits(scene: Scene, ready: Callable[[], Callable[[], object]]) -> dict[str, Any]:
    """Host synchronisations in two steps, by the line that waits; none on a CPU, where nobody could wait."""
    steps = ready()
    steps()
    if scene.cuda:
        torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            steps()
    finally:
        if scene.cuda:
            torch.cuda.set_sync_debug_mode("default")
    lines = Counter(f"{one.filename.rpartition('promptatlas/')[2]}:{one.lineno}" for one in told if "synchronizing" in str(one.message))
    return {"waits in two steps": sum(lines.values()), "lines": dict(lines)}


def _kernels(scene: Scene, method: str, variant: str) -> dict[str, Any]:
    """How many kernels a step has, and how long the device is busy of the time that it takes."""
    from torch.profiler import ProfilerActivity, profile

    with variants.using(variant, scene.large) as large:
        _, epoch = run_of(replace(scene, large=large), method, SEEDS, 2)
        epoch(True)
        with profile(activities=[ProfilerActivity.CUDA if scene.cuda else ProfilerActivity.CPU]) as profiled:
            taken = scene.seconds(lambda: epoch(True), 1, 0)
    busy: Counter[str] = Counter()
    count = 0
    for event in profiled.events() or ():
        if not scene.cuda or event.device_type == torch.autograd.DeviceType.CUDA:
            count += 1
            busy[event.name] += event.time_range.elapsed_us()
    longest = {name[:70]: round(us / 2000, 3) for name, us in busy.most_common(8)}
    return {"kernels": count // 2, "busy ms": sum(busy.values()) / 2000, "ms": 500 * taken[0], "longest ms": longest}


def _host(scene: Scene, method: str) -> dict[str, Any]:
    """Which operators the CPU is busy with while it starts kernels one by one: milliseconds of their own and calls in one step."""
    from torch.profiler import ProfilerActivity, profile

    _, epoch = run_of(scene, method, SEEDS, 2)
    epoch(False)
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        epoch(False)
    found = sorted(profiled.key_averages(), key=lambda one: -one.self_cpu_time_total)
    longest = {one.key[:60]: [round(one.self_cpu_time_total / 2000, 3), one.count // 2] for one in found[:14]}
    return {"ms": sum(one.self_cpu_time_total for one in found) / 2000, "longest": longest}


def _evaluation(
    scene: Scene, ledger: Ledger, method: str, variant: str, tokens: int, count: int, repeats: int = 2
) -> dict[str, Any]:  # fmt: skip
    count, prompts = (4, 2) if scene.tiny else (count, PROMPTS)
    task = Noise(5 if scene.tiny else CLASSES, 2, count, scene.large.architecture.image_size)
    own = [single_task.scratch(scene.large, method, settings(method), seed).prompts for seed in range(prompts)]
    images, features = task.images("test"), np.zeros((count, scene.large.architecture.embed_dim), np.float32)
    usual = TOKENS_PER_PASS[scene.device]
    TOKENS_PER_PASS[scene.device] = tokens
    try:
        with variants.using(variant, scene.large) as large:
            run = partial(evaluate.answers, large, task.task.class_names, images, features, own)
            scene.tidy()
            taken = scene.seconds(run, repeats)
            peak = scene.peak_mib()
            with operations() as counted:
                run()
    finally:
        TOKENS_PER_PASS[scene.device] = usual
    flops = counted.get_total_flops()
    return {
        "images and prompts per second": count * prompts / taken[0], "seconds": taken[0], "spread": taken[-1] / taken[0],
        "gflop": flops / 1e9, **_share(ledger, variant, flops / taken[0]), "peak mib": peak, "tokens": tokens,
    }  # fmt: skip


def _class_features(scene: Scene) -> dict[str, Any]:
    """CoOp's evaluation is its class features: the text tower once for each prompt."""
    prompts, count = (2, 8) if scene.tiny else (60, 2000)
    own = [single_task.scratch(scene.large, "coop", settings("coop"), seed).prompts for seed in range(prompts)]
    features = np.random.default_rng(0).normal(size=(count, scene.large.architecture.embed_dim)).astype(np.float32)
    names = Noise(5 if scene.tiny else CLASSES, 1, 1, 8).task.class_names
    taken = scene.seconds(lambda: evaluate.answers(scene.large, names, np.zeros((count, 1, 1, 3)), features, own), 2)
    return {"ms for each prompt": 1000 * taken[0] / prompts, "prompts": prompts, "images": count}


def _reading(scene: Scene) -> dict[str, Any]:
    """Images from the host's memory to tokens, as every evaluation does it once for all prompts."""
    vision: Any = scene.large.vision
    images = Noise(2, 1, 4 if scene.tiny else 256, scene.large.architecture.image_size).images("test")
    with torch.no_grad():
        taken = scene.seconds(lambda: vision.embed(vision.read(images)), 3)
    return {"images per second": len(images) / taken[0]}
