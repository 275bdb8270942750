"""A tuning step and an evaluation of CoOp, VPT and UPT with a model of ViT-B/16's size, in every variant."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from gpu_parts import variants
from gpu_parts.ledger import Ledger
from gpu_parts.scene import Noise, Scene
from gpu_parts.variants import PLAIN, VARIANTS
from promptatlas.backbone.classifier import TOKENS_PER_PASS
from promptatlas.evaluation import evaluate
from promptatlas.methods import settings
from promptatlas.training import single_task
from promptatlas.training.learners import BatchedLearners
from promptatlas.training.schedule import optimiser

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
    """What a step waits for, and how busy the device is."""
    for method in METHODS:
        ledger.attempt(f"waits of {method}", partial(_waits, scene, method))
        ledger.attempt(f"kernels of {method}, {PLAIN}", partial(_kernels, scene, method, PLAIN))
        ledger.attempt(f"host of {method}", partial(_host, scene, method))
    ledger.attempt("kernels of vpt, float16", partial(_kernels, scene, "vpt", "float16"))


def evaluations(scene: Scene, ledger: Ledger) -> None:
    for method in ("vpt", "upt"):
        for variant in VARIANTS:
            ledger.attempt(f"{method}, {variant}", partial(_evaluation, scene, ledger, method, variant, PASSES[0], IMAGES))
    ledger.attempt("coop", partial(_class_features, scene))
    ledger.attempt("images read and embedded", partial(_reading, scene))


def run_of(scene: Scene, method: str, learners: int, steps: int = STEPS, classes: int = CLASSES) -> tuple[Any, Any, list[Any]]:
    """A run of some learners on a task of noise, its optimiser and orders; an epoch has `steps` steps."""
    batch = 2 if scene.tiny else BATCH
    task = Noise(5 if scene.tiny else classes, learners * steps * batch, 0, scene.large.architecture.image_size)
    chosen = settings(method, {"batch_size": batch})
    seeds = list(range(learners))
    batched = BatchedLearners(method, chosen, scene.large.architecture, seeds, scene.large)
    run = single_task.Run(scene.large, method, chosen, task, task.draws(learners), seeds, batched)  # type: ignore[arg-type]
    return run, optimiser(chosen, list(run.learners.parameters.values())), [np.random.default_rng(seed) for seed in seeds]


def _step(scene: Scene, ledger: Ledger, method: str, variant: str, learners: int, steps: int = STEPS) -> dict[str, Any]:
    scene.tidy()
    with variants.using(variant, scene.large) as large:
        run, chosen, orders = run_of(replace(scene, large=large), method, learners, steps)
        scene.tidy()
        taken = scene.seconds(lambda: run._epoch(chosen, orders), 3)
        peak = scene.peak_mib()
        with FlopCounterMode(display=False) as counted:
            run._epoch(chosen, orders)
    each, flops = taken[1] / steps, counted.get_total_flops() / steps
    return {
        "ms": 1000 * each, "spread": taken[-1] / taken[0], "gflop": flops / 1e9, **_share(ledger, variant, flops / each), "peak mib": peak,
        "learners": learners,
    }  # fmt: skip


def _share(ledger: Ledger, variant: str, rate: float) -> dict[str, Any]:
    ceiling = ledger.found("ceilings", f"product {VARIANTS[variant][0]}")
    return {"tflops": rate / 1e12} | ({} if ceiling is None else {"share of the ceiling": rate / 1e12 / ceiling["tflops"]})


def _waits(scene: Scene, method: str) -> dict[str, Any]:
    """Host synchronisations in one step of today's path, by the line that waits."""
    if not scene.cuda:
        return {"waits": None}
    run, chosen, orders = run_of(scene, method, SEEDS, 2)
    run._epoch(chosen, orders)
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            run._epoch(chosen, orders)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    lines = Counter(f"{one.filename.rpartition('promptatlas/')[2]}:{one.lineno}" for one in told if "synchronizing" in str(one.message))
    return {"waits in two steps": sum(lines.values()), "lines": dict(lines)}


def _kernels(scene: Scene, method: str, variant: str) -> dict[str, Any]:
    """How many kernels a step has, and how long the device is busy of the time that it takes."""
    from torch.profiler import ProfilerActivity, profile

    with variants.using(variant, scene.large) as large:
        run, chosen, orders = run_of(replace(scene, large=large), method, SEEDS, 2)
        run._epoch(chosen, orders)
        with profile(activities=[ProfilerActivity.CUDA if scene.cuda else ProfilerActivity.CPU]) as profiled:
            taken = scene.seconds(lambda: run._epoch(chosen, orders), 1, 0)
    busy: Counter[str] = Counter()
    count = 0
    for event in profiled.events() or ():
        if not scene.cuda or event.device_type == torch.autograd.DeviceType.CUDA:
            count += 1
            busy[event.name] += event.time_range.elapsed_us()
    longest = {name[:70]: round(us / 2000, 3) for name, us in busy.most_common(8)}
    return {"kernels": count // 2, "busy ms": sum(busy.values()) / 2000, "ms": 500 * taken[0], "longest ms": longest}


def _host(scene: Scene, method: str) -> dict[str, Any]:
    """Which operators the CPU is busy with while it starts kernels: milliseconds of their own and calls in one step."""
    from torch.profiler import ProfilerActivity, profile

    run, chosen, orders = run_of(scene, method, SEEDS, 2)
    run._epoch(chosen, orders)
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        run._epoch(chosen, orders)
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
            with FlopCounterMode(display=False) as counted:
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
