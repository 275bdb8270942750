"""The job that learns source prompts: finds those that are missing or stale and tunes them, task by task, seeds together.

A prompt that cannot be learned is recorded as failed; the others are learned all the same. Knows nothing of how a prompt is tuned,
nor of targets.
"""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from promptatlas import backbone
from promptatlas.backbone import Backbone
from promptatlas.base.errors import Failed
from promptatlas.base.progress import Progress, Say
from promptatlas.base.version import NUMERICS_VERSION
from promptatlas.records import card
from promptatlas.records.cells import digest, fingerprint
from promptatlas.records.prompt_file import LearnedPrompt, holds, is_left, save_failed
from promptatlas.runs import devices, session
from promptatlas.runs.attempts import each
from promptatlas.runs.failures import Holes
from promptatlas.runs.prepare import classes, opened, read_draw
from promptatlas.study.jobs import TuneJob
from promptatlas.study.study import Study
from promptatlas.tasks.draws import Draw
from promptatlas.tasks.prepared import PreparedTask
from promptatlas.training import single_task

PRECISION = "float32"


@dataclass(frozen=True)
class Order:
    """One prompt to have: where it goes, from which draw, and the fingerprint of all that determines it."""

    path: Path
    resume: Path
    seed: int
    draw: Draw
    parts: dict[str, str]

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.parts)


def learn(study: Study, job: TuneJob, threads: int, say: Say) -> None:
    """Learn the prompts of `job`. Those whose fingerprint holds are kept, except the forced ones."""
    method = job.method
    forced = session.forced(study, job.name, job.outputs)
    model = backbone.load(study.paths.backbone_folder, devices.chosen(study.config["device"], threads))
    tasks, holes, orders = opened(study), Holes(study, job, say), {}
    for name in job.tasks:
        found = each(lambda seeds, name=name: [order(study, method, model, tasks[name], seed) for seed in seeds], job.seeds)
        orders[name] = [one for one in found if not isinstance(one, Failed)]
        for seed, one in zip(job.seeds, found, strict=True):
            if isinstance(one, Failed):
                _fail(holes, study.paths.prompt(method, seed, name), one, method)
    wanted = {name: [one for one in orders[name] if one.path in forced or not holds(one.path, one.fingerprint)] for name in job.tasks}
    wanted = {name: some for name, some in wanted.items() if some}
    say(f"tune {method}: {sum(map(len, wanted.values()))} of {len(job.outputs)} prompts to learn")
    progress = Progress(f"tune {method}", len(wanted), "tasks", say)
    for name, some in wanted.items():
        fresh = [one for one in some if one.path in forced or not _resumed(one)]
        if fresh:
            settings, task = study.settings(method), tasks[name]
            learned = each(
                lambda some, settings=settings, task=task: single_task.tune_task(
                    model, method, settings, task, [one.draw for one in some], [one.seed for one in some]
                ),
                fresh,
            )
            for one, prompt in zip(fresh, learned, strict=True):
                if isinstance(prompt, Failed):
                    _fail(holes, one.path, prompt, method)
                    continue
                parts = json.dumps(one.parts, sort_keys=True)
                about = {"fingerprint": one.fingerprint, "parts": parts, "task": name, "seed": str(one.seed)}
                prompt.save(one.resume, about | written_card(study, model.fingerprint, task, one, prompt))
                _place(one)
        progress.step(name)
    for one in (one for name in job.tasks for one in orders[name]):
        one.resume.unlink(missing_ok=True)
    holes.settle()


def _fail(holes: Holes, path: Path, failed: Failed, method: str) -> None:
    holes.note(path, failed)
    save_failed(path, method, failed)


def written_card(study: Study, model: str, task: PreparedTask, one: Order, prompt: LearnedPrompt) -> dict[str, str]:
    """What a prompt's file says to those who take it away; nothing of it is part of a fingerprint."""
    name, drawn, chosen = task.task.name, one.draw, prompt.history[prompt.best_epoch - 1]
    return card.write(
        method=prompt.method,
        settings=study.settings(prompt.method),
        backbone={"name": study.backbone.name, "sha256": model},
        task=name,
        class_names=list(task.task.class_names),
        resize=study.data.resize_of(name),
        seed=one.seed,
        draw={
            "sha256": drawn.sha256, "shots": study.shots, "train": len(drawn.train), "validation": len(drawn.validation),
        },
        validation={"metric": task.task.metric, "score": chosen["validation_score"], "epoch": prompt.best_epoch},
    )  # fmt: skip


def order(study: Study, method: str, model: Backbone, task: PreparedTask, seed: int) -> Order:
    name = task.task.name
    drawn = read_draw(study.paths.draw(name, seed))
    parts = prompt_parts(model.fingerprint, method, study.settings(method), task, drawn, seed)
    path = study.paths.prompt(method, seed, name)
    return Order(path, study.paths.resume(fingerprint(parts), "safetensors"), seed, drawn, parts)


def prompt_parts(model: str, method: str, settings: dict, task: PreparedTask, drawn: Draw, seed: int) -> dict[str, str]:
    """Everything that determines a source prompt, by name."""
    return {
        "backbone": model,
        "method": method,
        "settings": digest(settings),
        "task": task.task.name,
        "data_train": task.fingerprint("train", drawn.train),
        "data_validation": task.fingerprint(drawn.validation_split, drawn.validation),
        "draw": drawn.sha256,
        "classes": classes(task),
        "metric": task.task.metric,
        "seed": str(seed),
        "precision": PRECISION,
        "numerics": str(NUMERICS_VERSION),
    }


def _resumed(one: Order) -> bool:
    """Take over what an interrupted job had already learned."""
    if not is_left(one.resume, one.fingerprint):
        return False
    _place(one)
    return True


def _place(one: Order) -> None:
    one.path.parent.mkdir(parents=True, exist_ok=True)
    temporary = one.path.with_name(f".{one.path.name}.{os.getpid()}.tmp")
    shutil.copyfile(one.resume, temporary)
    temporary.replace(one.path)
