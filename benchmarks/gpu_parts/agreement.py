"""Every method on the device against the CPU, in float32: one step's gradient, some epochs, answers, scores; the same bits twice.

The mini backbone on one of its own tasks where a study is given, on noise otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gpu_parts.ledger import Ledger
from gpu_parts.scene import Noise, Scene, distance, placed
from promptatlas.backbone.encode import encode_task
from promptatlas.backbone.model import Backbone
from promptatlas.backbone.precision import FLOAT16, TF32
from promptatlas.base.rng import named_rng
from promptatlas.evaluation import evaluate
from promptatlas.methods import module_class, names, settings
from promptatlas.records.prompt_file import TunedPrompt
from promptatlas.tasks.prepared import PreparedTask
from promptatlas.training import adapters, multitask, single_task
from promptatlas.training.learners import BatchedLearners
from promptatlas.training.shared_learner import SharedTask, tune_shared

EPOCHS = 2
VARIED: dict[str, dict[str, Any]] = {
    "coop front": {"position": "front"}, "coop end": {"position": "end"}, "vpt shallow": {"depth": "shallow"},
    "upt joint": {"mixer": "joint"},
}  # fmt: skip
SHARED: dict[str, dict[str, Any]] = {
    "softcpt": {}, "softcpt specific": {"task_context": "specific"}, "softcpt by class": {"class_context": "agnostic", "class_rate": 0.5},
    "softcpt for each class": {"class_context": "specific", "class_rate": 0.5},
    "coop_mt": {}, "coop_mt task": {"sharing": "task"}, "coop_mt class": {"sharing": "class"},
}  # fmt: skip


def measure(scene: Scene, ledger: Ledger) -> None:
    both = {"cpu": scene.mini, "device": placed(scene.mini, scene.device)}
    exact = placed(scene.mini, "float64")
    tasks = _tasks(scene)
    task, draws = tasks[0], _draws(tasks[0], 3)
    ledger.attempt("encoding", lambda: _encoding(both, task))
    ledger.attempt("ViT-B/16, vpt", lambda: _large(scene))
    for method in names("prompt"):
        ledger.attempt(f"step {method}", partial(_step, both, exact, method, {}, task, draws))
        ledger.attempt(f"tuning {method}", partial(_tuning, both, method, {}, task, draws))
        for precision in (TF32, FLOAT16):
            ledger.attempt(f"step {method}, {precision}", partial(_reduced, scene, method, precision, task, draws))
    for name, own in VARIED.items():
        ledger.attempt(f"step {name}", partial(_step, both, exact, name.split()[0], own, task, draws))
    several = [_draws(one, 2) for one in tasks[:2]]
    for manner in (multitask.Manner("union", "mixed"), multitask.Manner("own", "task"), multitask.Manner("own", "mixed")):
        for method in ("coop", "vpt"):
            name = f"multitask {method}, classes {manner.classes}, batches {manner.batches}"
            ledger.attempt(name, partial(_multitask, both, method, manner, tasks[:2], several))
    encoded = [{"encoded": encode_task(scene.mini, one), "draw": _draws(one, 1)[0]} for one in tasks[:2]]
    for name, own in SHARED.items():
        ledger.attempt(f"shared {name}", partial(_shared, both, name.split()[0], own, tasks[:2], encoded))
    for method in names("adapter"):
        ledger.attempt(f"adapter {method}", partial(_adapter, both, method, task, encoded[0]))
    for method in names("prompt"):
        ledger.attempt(f"twice {method}", partial(_twice, both["device"], method, task, draws))


def deterministic(scene: Scene, ledger: Ledger) -> None:
    """What `deterministic: true` does; CUBLAS_WORKSPACE_CONFIG has to be set from the start."""
    model, tasks = placed(scene.mini, scene.device), _tasks(scene)
    encoded = [{"encoded": encode_task(scene.mini, one), "draw": _draws(one, 1)[0]} for one in tasks[:2]]
    torch.set_deterministic_debug_mode("error")
    try:
        for method in names("prompt"):
            ledger.attempt(f"twice {method}", partial(_twice, model, method, tasks[0], _draws(tasks[0], 3)))
        for name, own in SHARED.items():
            ledger.attempt(f"twice shared {name}", partial(_shared_twice, model, name.split()[0], own, tasks[:2], encoded))
        union = partial(multitask.tune_multitask, model, "coop", _settings("coop", {}), multitask.Manner(), tasks[:2])
        several = [_draws(one, 2) for one in tasks[:2]]
        ledger.attempt("twice multitask coop", lambda: _same(*(union(list(zip(*several, strict=True)), [1, 2]) for _ in range(2))))
        both = {"cpu": scene.mini, "device": model}
        for method in names("adapter"):
            ledger.attempt(f"adapter {method}", partial(_adapter, both, method, tasks[0], encoded[0]))
    finally:
        torch.set_deterministic_debug_mode("default")


def _tasks(scene: Scene) -> list[Any]:
    """Some tasks, the first with class numbers; of a study, the first of each metric before others."""
    if scene.study is None:
        return [Noise(4, 40, 24, 32), Noise(3, 24, 12, 32)]
    found = [PreparedTask.open(folder) for folder in sorted((scene.study / "tasks").iterdir())]
    return sorted(found, key=lambda one: [other.task.metric for other in found].index(one.task.metric))


def _draws(task: Any, learners: int) -> list[Any]:
    if isinstance(task, Noise):
        return task.draws(learners)
    from promptatlas.tasks.draws import draw

    return [draw(task.labels("train"), task.labels("validation"), 2, seed, task.task.name, "coop") for seed in range(1, learners + 1)]


def _settings(method: str, own: dict[str, Any]) -> dict[str, Any]:
    return settings(method, {"epochs": EPOCHS, "batch_size": 8} | own, preset="mini")


def _encoding(both: dict[str, Backbone], task: Any) -> dict[str, Any]:
    cpu, device = (encode_task(model, task) for model in both.values())
    logits = [one["features_test"] @ one["class_features"].T for one in (cpu, device)]
    return {f"distance {name}": distance(device[name], cpu[name]) for name in cpu} | {
        "zero-shot answers that differ": int((logits[0].argmax(1) != logits[1].argmax(1)).sum()), "images": len(logits[0]),
    }  # fmt: skip


def _large(scene: Scene) -> dict[str, Any]:
    """Four images and two visual prompts through the large model."""
    task = Noise(4, 8, 4, scene.large.architecture.image_size)
    found = []
    for model in (placed(scene.large, "cpu"), scene.large):
        prompts = [single_task.scratch(model, "vpt", settings("vpt"), seed).prompts for seed in (1, 2)]
        features = np.zeros((4, model.architecture.embed_dim), np.float32)
        found.append(evaluate.answers(model, task.task.class_names, task.images("test"), features, prompts))
    return {"distance": distance(found[1], found[0])}


def _step(
    both: dict[str, Backbone], exact: Backbone, method: str, own: dict[str, Any], task: Any, draws: list[Any]
) -> dict[str, Any]:  # fmt: skip
    """The loss and the gradient of one batch, and both sides' distance from float64 on the CPU."""
    chosen, found = _settings(method, own), {}
    for name, model in {**both, "exact": exact}.items():
        learners = BatchedLearners(method, chosen, model.architecture, [1, 2, 3], both["cpu"])
        if name == "exact":
            learners.parameters = {key: value.double() for key, value in learners.parameters.items()}
        run = single_task.Run(model, method, chosen, task, draws, [1, 2, 3], learners)
        losses = run._losses(run.learners.prompts(), next(run._batches([np.arange] * 3)))
        losses.sum().backward()
        found[name] = losses, torch.cat([value.grad.flatten() for value in run.learners.parameters.values() if value.grad is not None])
    (loss, gradient), (own_loss, own_gradient), (true_loss, true_gradient) = found["cpu"], found["device"], found["exact"]
    return {
        "loss": distance(own_loss, loss), "gradient": distance(own_gradient, gradient),
        "gradient from float64": distance(own_gradient, true_gradient), "the CPU's": distance(gradient, true_gradient),
        "loss from float64": distance(own_loss, true_loss),
    }  # fmt: skip


def _reduced(scene: Scene, method: str, precision: str, task: Any, draws: list[Any]) -> dict[str, Any]:
    """The same in another precision, of which a CPU makes the rounding; float64 without rounding is what both are off from."""
    both = {"cpu": placed(scene.mini, "cpu", precision), "device": placed(scene.mini, scene.device, precision)}
    return _step(both, placed(scene.mini, "float64"), method, {}, task, draws)


def _tuning(both: dict[str, Backbone], method: str, own: dict[str, Any], task: Any, draws: list[Any]) -> dict[str, Any]:
    """Some epochs on both sides; then the CPU's prompts give answers on both."""
    chosen, seeds = _settings(method, own), list(range(1, len(draws) + 1))
    cpu, device = (single_task.tune_task(model, method, chosen, task, draws, seeds) for model in both.values())
    encoded = encode_task(both["cpu"], task, ["features_test"])["features_test"]
    test = task.images("test")[:64]
    answers = [evaluate.answers(model, task.task.class_names, test, encoded[:64], [one.prompts for one in cpu]) for model in both.values()]
    losses = [[row["loss"] for one in side for row in one.history] for side in (cpu, device)]
    return {
        "prompts": max(_prompts(a, b) for a, b in zip(cpu, device, strict=True)),
        "losses": distance(np.array(losses[1]), np.array(losses[0])),
        "other best epoch": sum(a.best_epoch != b.best_epoch for a, b in zip(cpu, device, strict=True)),
        "answers": distance(answers[1], answers[0]),
        "answers that differ": int((answers[0].argmax(2) != answers[1].argmax(2)).sum()), "of": answers[0].shape[0] * answers[0].shape[1],
    }  # fmt: skip


def _prompts(one: TunedPrompt, other: TunedPrompt) -> float:
    held = other.prompts.tensors()
    return max(distance(held[name], value) for name, value in one.prompts.tensors().items())


def _multitask(both: dict[str, Backbone], method: str, manner: Any, tasks: list[Any], several: list[list[Any]]) -> dict[str, Any]:
    chosen, draws = _settings(method, {}), list(zip(*several, strict=True))
    cpu, device = (multitask.tune_multitask(model, method, chosen, manner, tasks, draws, [1, 2]) for model in both.values())
    return {"prompts": max(_prompts(a, b) for a, b in zip(cpu, device, strict=True))}


def _tensors(model: Backbone, task: Any, known: dict[str, Any]) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    encoded, drawn = known["encoded"], known["draw"]

    def of(split: str, numbers: Any) -> tuple[Tensor, Tensor]:
        rows = task.rows(split, numbers)
        features, labels = encoded[f"features_{split}"][rows], np.asarray(task.labels(split))[rows]
        return torch.from_numpy(features).to(model.device), torch.from_numpy(labels).to(model.device)

    return of("train", drawn.train), of(drawn.validation_split, drawn.validation)


def _trained(model: Backbone, method: str, own: dict[str, Any], tasks: list[Any], encoded: list[dict[str, Any]]) -> list[Tensor]:
    together = [
        SharedTask(f"{one.task.title} {i}", one.task.class_names, one.task.metric, *_tensors(model, one, known))
        for i, (one, known) in enumerate(zip(tasks, encoded, strict=True))
    ]
    return tune_shared(model, method, _settings(method, own), together, 1).class_weights


def _shared(
    both: dict[str, Backbone], method: str, own: dict[str, Any], tasks: list[Any], encoded: list[dict[str, Any]]
) -> dict[str, Any]:  # fmt: skip
    cpu, device = (_trained(model, method, own, tasks, encoded) for model in both.values())
    return {"class weights": max(distance(a, b) for a, b in zip(device, cpu, strict=True))}


def _shared_twice(
    model: Backbone, method: str, own: dict[str, Any], tasks: list[Any], encoded: list[dict[str, Any]]
) -> dict[str, Any]:  # fmt: skip
    first, second = (_trained(model, method, own, tasks, encoded) for _ in range(2))
    return {"same bits": all(torch.equal(a, b) for a, b in zip(first, second, strict=True))}


def _adapter(both: dict[str, Backbone], method: str, task: Any, known: dict[str, Any]) -> dict[str, Any]:
    small = {"alpha_steps": 40, "beta_steps": 40, "epochs": 4}
    chosen = settings(method, {key: value for key, value in small.items() if key in settings(method)})
    make: Callable[..., Any] = module_class(method)
    answers, choices = [], []
    for model in both.values():
        train, validation = (adapters.Examples(*part) for part in _tensors(model, task, known))
        weights = torch.from_numpy(known["encoded"]["class_features"]).to(model.device)
        if method.startswith("prompt"):
            prompt = single_task.scratch(model, "coop", settings("coop"), 1).prompts
            weights = adapters.class_weights(model, task.task.class_names, prompt)
        order = (named_rng("order", method, task.task.name, 1),) if "epochs" in chosen else ()
        adapter = make(chosen, model.logit_scale, weights, train, validation, task.task.metric, *order)
        answers.append(adapter.logits(torch.from_numpy(known["encoded"]["features_test"]).to(model.device)))
        choices.append((*adapter.chosen.values(), adapter.best_epoch))
    return {"answers": distance(answers[1], answers[0]), "same choice": choices[0] == choices[1], "choice": str(choices[1])}


def _twice(model: Backbone, method: str, task: Any, draws: list[Any]) -> dict[str, Any]:
    seeds, chosen = list(range(1, len(draws) + 1)), _settings(method, {})
    return _same(*(single_task.tune_task(model, method, chosen, task, draws, seeds) for _ in range(2)))


def _same(first: list[TunedPrompt], second: list[TunedPrompt]) -> dict[str, Any]:
    apart = max(_prompts(a, b) for a, b in zip(first, second, strict=True))
    return {"same bits": all(a.fingerprint() == b.fingerprint() for a, b in zip(first, second, strict=True)), "apart": apart}
