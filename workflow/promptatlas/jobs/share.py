"""The job that trains a learner on all tasks of a study at once, one per seed, and scores it on each of them.

Knows nothing of how a learner works, nor of the matrix.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from promptatlas import backbone, devices, planning, scores
from promptatlas.backbone import Backbone
from promptatlas.cells import digest, fingerprint, replace
from promptatlas.errors import FAILED, Failed, UserError
from promptatlas.failures import Holes
from promptatlas.jobs.attempts import alone
from promptatlas.jobs.known import Described, Known, numerics, record
from promptatlas.learned import save_failed
from promptatlas.reporting import Progress, Say
from promptatlas.sharing import SharedTask, tune_shared
from promptatlas.study import Study
from promptatlas.work import ShareJob


def learn(study: Study, job: ShareJob, threads: int, say: Say) -> None:
    """Train the learners of `job` and score them; what still holds is kept, except what is forced."""
    forced = planning.forced(study, job.name, study.outputs(job))
    model = backbone.load(study.backbone_folder, devices.chosen(study.config["device"], threads))
    holes = Holes(study, job, say)
    tasks = {name: alone(lambda name=name: Known.of(study, name, job.seeds, model.device)) for name in study.tasks}
    progress = Progress(f"share {job.method}", len(job.seeds), "seeds", say)
    say(f"share {job.method}: {len(study.tasks)} tasks together, {len(job.seeds)} seeds")
    used: list[Path] = []
    for seed in job.seeds:
        path = study.shared(job.method, seed)
        failed = alone(lambda path=path, seed=seed: _have(study, job.method, model, tasks, seed, path in forced, used))
        if isinstance(failed, Failed):
            holes.note(path, failed)
            save_failed(path, job.method, failed)
        for name, known in tasks.items():
            place = study.score(job.method, seed, name)
            failed = alone(lambda at=(seed, name, known), new=place in forced: _score(study, job.method, model, *at, new, used))
            if isinstance(failed, Failed):
                metric = "" if isinstance(known, Failed) else known.prepared.task.metric
                scores.fail(holes, place, failed, job.method, seed=seed, target=name, metric=metric)
        progress.step(f"seed {seed}")
    for path in used:
        path.unlink(missing_ok=True)
    holes.settle()


def _have(
    study: Study, method: str, model: Backbone, tasks: dict[str, Known | Failed], seed: int, anew: bool, used: list[Path]
) -> None:
    """See to it that the learner of a seed is there; `used` gets what is kept for the case of an interruption."""
    for name, known in tasks.items():
        if isinstance(known, Failed):
            raise Failed(f"{name}: {known}", known.details)
    parts = learner_parts(study, method, model, tasks, seed)
    path, mark = study.shared(method, seed), fingerprint(parts)
    left = study.resume(mark, "safetensors")
    used.append(left)
    if anew or metadata(path).get("fingerprint") != mark:
        if anew or not left.exists():
            _train(study, method, model, tasks, seed, left, parts)
        replace(path, left.read_bytes())


def _score(
    study: Study, method: str, model: Backbone, seed: int, name: str, known: Known | Failed, anew: bool, used: list[Path]
) -> None:
    """See to it that the learner's score on a task is there."""
    if isinstance(known, Failed):
        raise known
    path, place, started = study.shared(method, seed), study.score(method, seed, name), time.perf_counter()
    weights, mark = class_weights(path, name)
    own = score_parts(mark, name, model, known)
    used.append(study.resume(fingerprint(own), "json"))
    if not anew and (scores.holds(place, own) or scores.resumed(study, place, own)):
        return
    about, logits = metadata(path), model.logit_scale * known.test @ weights.to(model.device).T
    seconds = float(about["seconds"]) / len(study.tasks) + time.perf_counter() - started
    scores.keep(study, place, record(method, seed, known, logits, own, seconds, epoch=int(about["best_epoch"])))


def class_weights(path: Path, task: str) -> tuple[Tensor, str]:
    """The class weights (C, D) that a learner gives a task, and the fingerprint of the learner."""
    if reason := metadata(path).get(FAILED):
        raise Failed(f"shared prompt failed: {reason}")
    try:
        with safe_open(path, framework="pt") as file:
            return file.get_tensor(f"weights.{task}"), file.metadata()["fingerprint"]
    except (OSError, SafetensorError, KeyError, TypeError) as error:
        raise UserError(f"{path} is not a whole file of shared prompts ({error}); delete it and run again.") from error


def learner_parts(study: Study, method: str, model: Backbone, tasks: dict[str, Described], seed: int) -> dict[str, str]:
    """Everything that determines a learner, by name."""
    given = [known.learned_from(seed) | {"title": known.prepared.task.title} for known in tasks.values()]
    return numerics(model.fingerprint) | {
        "method": method,
        "settings": digest(study.settings(method)),
        "tasks": digest(given),
        "seed": str(seed),
    }


def score_parts(learner: str, name: str, model: Backbone, known: Described) -> dict[str, str]:
    """Everything that determines the score of a learner with that fingerprint on a task, by name."""
    return {"learner": learner, "target": name} | known.tested_on() | numerics(model.fingerprint)


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
    about = {
        "fingerprint": fingerprint(parts),
        "parts": json.dumps(parts, sort_keys=True),
        "method": method,
        "seed": str(seed),
        "history": json.dumps(learned.history),
        "best_epoch": str(learned.best_epoch),
        "seconds": f"{time.perf_counter() - started:.6f}",
    }
    # A copy of each: some are views of one tensor, and a file may not hold the same memory twice.
    replace(path, save({k: v.detach().cpu().clone().contiguous() for k, v in tensors.items()}, about))


def metadata(path: Path) -> dict[str, str]:
    """What a file says of itself; nothing if it is not there."""
    if not path.exists():
        return {}
    try:
        with safe_open(path, framework="pt") as file:
            return file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path} is not a whole file of shared prompts ({error}); delete it and run again.") from error
