"""The job that trains a learner on all tasks of a study at once, one per seed, and scores it on each of them.

A task that failed, or whose draw of a seed did, is left out: the learner's file says so, and its fingerprint is another one, so
that the learner is trained again when the task is mended. The task itself has no score. Knows nothing of how a learner works,
nor of the matrix.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TypeVar

from promptatlas import backbone
from promptatlas.backbone import Backbone
from promptatlas.base.errors import Failed
from promptatlas.base.files import replace
from promptatlas.base.messages import counted
from promptatlas.base.progress import Progress, Say
from promptatlas.records import card
from promptatlas.records.cells import digest, fingerprint
from promptatlas.records.prompt_file import LearnedPrompt, holds, save_failed
from promptatlas.runs import devices, learner_file, score_record, session
from promptatlas.runs.attempts import alone
from promptatlas.runs.failures import Holes
from promptatlas.runs.known import Described, Known, numerics, record
from promptatlas.study.jobs import ShareJob
from promptatlas.study.study import Study
from promptatlas.training.shared_learner import SharedTask, tune_shared

Some = TypeVar("Some", bound=Described)


def learn(study: Study, job: ShareJob, threads: int, say: Say) -> None:
    """Train the learners of `job` and score them; what still holds is kept, except what is forced."""
    method, forced = job.method, session.forced(study, job.name, job.outputs)
    model = backbone.load(study.paths.backbone_folder, devices.chosen(study.config["device"], threads))
    holes = Holes(study, job, say)
    tasks = {name: alone(lambda name=name: Known.of(study, name, model.device)) for name in study.tasks}
    progress = Progress(f"share {method}", len(job.seeds), "seeds", say)
    say(f"share {method}: {len(study.tasks)} tasks together, {counted(len(job.seeds), 'seed')}")
    used: list[Path] = []
    for seed in job.seeds:
        path, (sound, left) = study.paths.shared(method, seed), apart(tasks, seed)
        if left:
            say(f"share {method}: seed {seed} learns without {', '.join(left)}, which failed")
        failed = alone(partial(_have, study, method, model, path, sound, left, seed, path in forced, used))
        if isinstance(failed, Failed):
            _fail(holes, path, failed, method)
        for place in [study.paths.prompt(method, seed, task) for task in job.prompted]:
            failed = alone(partial(_give, study, method, model, sound, seed, place, place in forced))
            if isinstance(failed, Failed):
                _fail(holes, place, failed, method)
        for name, known in tasks.items():
            place = study.paths.score(method, seed, name)
            failed = alone(partial(_score, study, method, model, seed, name, known, place in forced, used))
            if isinstance(failed, Failed):
                metric = "" if isinstance(known, Failed) else known.prepared.task.metric
                score_record.fail(holes, place, failed, method, seed=seed, target=name, metric=metric)
        progress.step(f"seed {seed}")
    for path in used:
        path.unlink(missing_ok=True)
    holes.settle()


def _fail(holes: Holes, path: Path, failed: Failed, method: str) -> None:
    holes.note(path, failed)
    save_failed(path, method, failed)


def apart(tasks: Mapping[str, Some | Failed], seed: int) -> tuple[dict[str, Some], dict[str, Failed]]:
    """The tasks from which a learner of a seed can learn, and why the others are left out."""
    found = {name: known if isinstance(known, Failed) else alone(partial(known.learned_from, seed)) for name, known in tasks.items()}
    left = {name: why for name, why in found.items() if isinstance(why, Failed)}
    return {name: known for name, known in tasks.items() if name not in left and not isinstance(known, Failed)}, left


def _have(
    study: Study, method: str, model: Backbone, path: Path, tasks: dict[str, Known], left: dict[str, Failed], seed: int, anew: bool,
    used: list[Path],
) -> None:  # fmt: skip
    """See to it that the learner of a seed is there; `used` gets what is kept for the case of an interruption."""
    if not tasks:
        raise Failed(f"every task failed: {next(iter(left.values()))}")
    parts = learner_parts(study, method, model, tasks, seed)
    mark = fingerprint(parts)
    kept = study.paths.resume(mark, "safetensors")
    used.append(kept)
    if anew or learner_file.metadata(path).get("fingerprint") != mark:
        if anew or not learner_file.is_left(kept, mark):
            _train(study, method, model, tasks, seed, kept, parts, left)
        replace(path, kept.read_bytes())


def _give(study: Study, method: str, model: Backbone, tasks: dict[str, Known], seed: int, place: Path, anew: bool) -> None:
    """See to it that what the learner of a seed puts before the class names of a task is there as a prompt of its own."""
    name = place.stem
    given, learner = learner_file.prompt(study.paths.shared(method, seed), name)
    parts = given_parts(given, learner, name)
    if anew or not holds(place, fingerprint(parts)):
        about = {"fingerprint": fingerprint(parts), "parts": json.dumps(parts, sort_keys=True), "task": name, "seed": str(seed)}
        given.save(place, about | _card(study, model, tasks, name, seed, given))


def _card(study: Study, model: Backbone, tasks: dict[str, Known], name: str, seed: int, given: LearnedPrompt) -> dict[str, str]:
    """What a prompt's file says to those who take it away; nothing of it is part of a fingerprint."""
    score = given.history[given.best_epoch - 1]["validation_score"]
    return card.write(
        method=given.method,
        settings=study.settings(given.method),
        backbone={"name": study.backbone.name, "sha256": model.fingerprint},
        task=name,
        learned_with=[other for other in tasks if other != name],
        class_names=list(tasks[name].prepared.task.class_names),
        resize=study.data.resize_of(name),
        seed=seed,
        draw=card.several_draws([known.draws[seed] for known in tasks.values()], study.shots),
        validation={"metric": card.MEAN, "score": score, "epoch": given.best_epoch},
    )


def _score(study: Study, method: str, model: Backbone, seed: int, name: str, known: Known | Failed, anew: bool, used: list[Path]) -> None:
    """See to it that the learner's score on a task is there."""
    if isinstance(known, Failed):
        raise known
    path, place, started = study.paths.shared(method, seed), study.paths.score(method, seed, name), time.perf_counter()
    weights, mark = learner_file.class_weights(path, name)
    own = score_parts(mark, name, model, known)
    used.append(study.paths.resume(fingerprint(own), "json"))
    if not anew and (score_record.holds(place, own) or score_record.resumed(study, place, own)):
        return
    about, logits = learner_file.metadata(path), model.logit_scale * known.test @ weights.to(model.device).T
    left = learner_file.left_out(about)
    seconds = float(about["seconds"]) / (len(study.tasks) - len(left)) + time.perf_counter() - started
    content = record(method, seed, known, logits, own, seconds, epoch=int(about["best_epoch"]))
    score_record.keep(study, place, content | ({"left_out": sorted(left)} if left else {}))


def learner_parts(study: Study, method: str, model: Backbone, tasks: Mapping[str, Described], seed: int) -> dict[str, str]:
    """Everything that determines a learner, by name; tasks: those that it learns from."""
    given = [known.learned_from(seed) | {"title": known.prepared.task.title} for known in tasks.values()]
    return numerics(model.fingerprint) | {
        "method": method,
        "settings": digest(study.settings(method)),
        "tasks": digest(given),
        "seed": str(seed),
    }


def given_parts(given: LearnedPrompt, learner: str, name: str) -> dict[str, str]:
    """Everything that determines the prompt that a learner with that fingerprint gives a task, by name."""
    return {"learner": learner, "task": name, "prompt": given.fingerprint()}


def score_parts(learner: str, name: str, model: Backbone, known: Described) -> dict[str, str]:
    """Everything that determines the score of a learner with that fingerprint on a task, by name."""
    return {"learner": learner, "target": name} | known.tested_on() | numerics(model.fingerprint)


def _train(
    study: Study, method: str, model: Backbone, tasks: dict[str, Known], seed: int, path: Path, parts: dict[str, str],
    left: dict[str, Failed],
) -> None:  # fmt: skip
    started, together = time.perf_counter(), []
    for known in tasks.values():
        task, own = known.prepared.task, known.few_shot[seed]
        together.append(SharedTask(task.title, task.class_names, task.metric, own.train, own.validation))
    learned = tune_shared(model, method, study.settings(method), together, seed)
    about = {
        "fingerprint": fingerprint(parts),
        "parts": json.dumps(parts, sort_keys=True),
        "method": method,
        "seed": str(seed),
        "seconds": f"{time.perf_counter() - started:.6f}",
    } | learner_file.leaving_out(left)
    learner_file.save(path, learned, list(tasks), about)
