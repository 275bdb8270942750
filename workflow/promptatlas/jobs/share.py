"""The job that trains a learner on all tasks of a study at once, one per seed, and scores it on each of them.

Knows nothing of how a learner works, nor of the matrix.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from promptatlas import backbone, devices, planning, scores
from promptatlas.backbone import Backbone
from promptatlas.cells import digest, fingerprint, replace
from promptatlas.errors import UserError
from promptatlas.jobs.known import Known, numerics, record
from promptatlas.reporting import Progress, Say
from promptatlas.sharing import SharedTask, tune_shared
from promptatlas.study import Study
from promptatlas.work import ShareJob


def learn(study: Study, job: ShareJob, threads: int, say: Say) -> None:
    """Train the learners of `job` and score them; what still holds is kept, except what is forced."""
    forced = planning.forced(study, job.name, study.outputs(job))
    model = backbone.load(study.backbone_folder, devices.chosen(study.config["device"], threads))
    tasks = {name: Known.of(study, name, job.seeds, model.device) for name in study.tasks}
    progress = Progress(f"share {job.method}", len(job.seeds), "seeds", say)
    say(f"share {job.method}: {len(study.tasks)} tasks together, {len(job.seeds)} seeds")
    used = []
    for seed in job.seeds:
        parts = _parts(study, job.method, model, tasks, seed)
        path, mark = study.shared(job.method, seed), fingerprint(parts)
        if path in forced or _metadata(path).get("fingerprint") != mark:
            left = study.resume(mark, "safetensors")
            if path in forced or not left.exists():
                _train(study, job.method, model, tasks, seed, left, parts)
            replace(path, left.read_bytes())
        used.append(study.resume(mark, "safetensors"))
        about = _metadata(path)
        for name, known in tasks.items():
            own = {"learner": mark, "target": name} | known.tested_on() | numerics(model.fingerprint)
            used.append(study.resume(fingerprint(own), "json"))
            place = study.score(job.method, seed, name)
            if place not in forced and (scores.holds(place, own) or scores.resumed(study, place, own)):
                continue
            started = time.perf_counter()
            weights = class_weights(path, name)[0].to(model.device)
            logits = model.logit_scale * known.test @ weights.T
            seconds = float(about["seconds"]) / len(tasks) + time.perf_counter() - started
            content = record(job.method, seed, known, logits, own, seconds, epoch=int(about["best_epoch"]))
            scores.keep(study, place, content)
        progress.step(f"seed {seed}")
    for path in used:
        path.unlink(missing_ok=True)


def class_weights(path: Path, task: str) -> tuple[Tensor, str]:
    """The class weights (C, D) that a learner gives a task, and the fingerprint of the learner."""
    try:
        with safe_open(path, framework="pt") as file:
            return file.get_tensor(f"weights.{task}"), file.metadata()["fingerprint"]
    except (OSError, SafetensorError, KeyError, TypeError) as error:
        raise UserError(f"{path} is not a whole file of shared prompts ({error}); delete it and run again.") from error


def _parts(study: Study, method: str, model: Backbone, tasks: dict[str, Known], seed: int) -> dict[str, str]:
    """Everything that determines a learner, by name."""
    given = [known.learned_from(seed) | {"title": known.prepared.task.title} for known in tasks.values()]
    return numerics(model.fingerprint) | {
        "method": method,
        "settings": digest(study.settings(method)),
        "tasks": digest(given),
        "seed": str(seed),
    }


def _train(
    study: Study, method: str, model: Backbone, tasks: dict[str, Known], seed: int, path: Path, parts: dict[str, str]
) -> None:
    started, together = time.perf_counter(), []
    for known in tasks.values():
        task, own = known.prepared.task, known.few_shot[seed]
        together.append(SharedTask(task.title, task.class_names, task.metric, own.train, own.validation))
    learned = tune_shared(model, method, study.settings(method), together, seed)
    tensors = {f"parameters.{name}": value for name, value in learned.parameters.items()}
    tensors |= {f"weights.{name}": value for name, value in zip(tasks, learned.class_weights, strict=True)}
    tensors |= {f"contexts.{name}": value for name, value in zip(tasks, learned.contexts, strict=True)}
    metadata = {
        "fingerprint": fingerprint(parts),
        "parts": json.dumps(parts, sort_keys=True),
        "method": method,
        "seed": str(seed),
        "history": json.dumps(learned.history),
        "best_epoch": str(learned.best_epoch),
        "seconds": f"{time.perf_counter() - started:.6f}",
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    # A copy of each: some are views of one tensor, and a file may not hold the same memory twice.
    save_file({k: v.detach().cpu().clone().contiguous() for k, v in tensors.items()}, temporary, metadata=metadata)
    temporary.replace(path)


def _metadata(path: Path) -> dict[str, str]:
    """What a file says of itself; nothing if it is not there."""
    if not path.exists():
        return {}
    try:
        with safe_open(path, framework="pt") as file:
            return file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path} is not a whole file of shared prompts ({error}); delete it and run again.") from error
