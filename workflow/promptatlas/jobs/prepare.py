"""The jobs before any learning: few-shot draws and frozen features. Knows nothing of prompts."""

import hashlib
import json
from pathlib import Path
from typing import Iterable

import numpy as np

from promptatlas import NUMERICS_VERSION
from promptatlas.cells import digest, fingerprint, replace
from promptatlas.errors import UserError
from promptatlas.reporting import Progress, Say
from promptatlas.study import Study
from promptatlas.tasks import halves, preparation
from promptatlas.tasks.draws import Draw, draw
from promptatlas.tasks.prepared import SPLITS, PreparedTask
from promptatlas.tasks.task import Task
from promptatlas.work import EncodeJob

ARRAYS = ("train", "validation", "train_labels", "validation_labels")


def prepare(study: Study, name: str, workers: int, say: Say) -> None:
    """Write the arrays of a task."""
    if study.is_embedded(name):
        preparation.prepare_embedded(name, study.task_folder(name))
        return
    needs = preparation.Needs(
        size=json.loads(study.architecture.read_text())["image_size"],
        resize=study.config["resize"],
        shots=study.shots_of(name),
        seeds=study.seeds,
        scheme=study.config["draw"],
        test_pictures=study.config["test_pictures"],
        broken_pictures=study.config["broken_pictures"],
    )
    source = json.loads(study.fetched.read_text())[name]
    preparation.prepare(study.entry(name), source, study.data_root, study.task_folder(name), needs, workers, say)


def prepare_part(study: Study, name: str) -> None:
    """Write the base or the new classes of a task that is prepared."""
    whole = PreparedTask.open(study.task_folder(halves.whole_of(name)))
    halves.write_part(whole, halves.part_of(name), study.task_folder(name))


def draws(study: Study) -> None:
    """Write the few-shot draw of every task that is learned on and every seed; a draw that is the same stays as it is."""
    for name in study.learners:
        task = PreparedTask.open(study.task_folder(name))
        train, validation = task.pool_labels("train"), task.pool_labels("validation")
        pools = digest([hashlib.sha256(np.ascontiguousarray(labels).data).hexdigest() for labels in (train, validation)])
        for seed in study.seeds:
            if part := halves.part_of(name):
                whole = PreparedTask.open(study.task_folder(halves.whole_of(name)))
                drawn = halves.draw_part(whole, part, study.shots, seed, study.config["draw"])
            else:
                drawn = draw(train, validation, study.shots, seed, name, study.config["draw"])
            drawn = drawn.without(task.skipped("train"), task.skipped("validation"))
            content = _draw_json(drawn, len(task.task.class_names), pools)
            path = study.draw(name, seed)
            if not path.exists() or path.read_bytes() != content:
                replace(path, content)


def _draw_json(drawn: Draw, classes: int, pools: str) -> bytes:
    record = {name: getattr(drawn, name).tolist() for name in ARRAYS}
    about = {"validation_split": drawn.validation_split, "sha256": drawn.sha256, "pool_labels_sha256": pools}
    return json.dumps(about | {"shots_per_class": drawn.shots_per_class(classes)} | record).encode()


def read_draw(path: Path) -> Draw:
    """The draw stored at `path`; UserError if it is missing or damaged."""
    try:
        record = json.loads(path.read_bytes())
        drawn = Draw(
            validation_split=record["validation_split"],
            **{name: np.array(record[name], dtype=np.int64) for name in ARRAYS},
        )
        sound = drawn.sha256 == record["sha256"]
    except FileNotFoundError:
        raise UserError(f"the draw {path} is missing; run the study again to draw it") from None
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        sound = False
    if not sound:
        raise UserError(f"the draw {path} is corrupt; delete the file and run again to draw it anew")
    return drawn


def encode(study: Study, job: EncodeJob, threads: int, say: Say) -> None:
    """Frozen features of the tasks of `job`; those that still hold are kept."""
    from promptatlas import backbone, devices, encoding

    model = backbone.load(study.backbone_folder, devices.chosen(study.config["device"], threads))
    progress = Progress("encode", len(job.tasks), "tasks", say)
    for name in job.tasks:
        task = PreparedTask.open(study.task_folder(name))
        marks = _encoding_marks(model.fingerprint, task)
        path = study.encoded(name)
        known, old = encoding.load(path) if path.exists() else ({}, {})
        if old != marks:
            stale = [array for array in marks if old.get(array) != marks[array]]
            encoding.save(path, known | encoding.encode_task(model, task, stale), marks)
        progress.step(name)


def comparable(study: Study, name: str) -> tuple[Task, dict[str, np.ndarray]]:
    """A task and its features, the training pictures reduced to those by which tasks are compared."""
    from promptatlas import encoding

    task, encoded = PreparedTask.open(study.task_folder(name)), encoding.load(study.encoded(name))[0]
    return task.task, encoded | {"features_train": encoded["features_train"][task.reference()]}


def index(path: Path, files: Iterable[str]) -> None:
    """Write the hash of every one of `files` to `path`: what many cells depend on, in one small file."""
    replace(path, json.dumps({file: _hash(file) for file in sorted(files)}, indent=1).encode())


def _hash(file: str) -> str:
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _encoding_marks(backbone: str, task: PreparedTask) -> dict[str, str]:
    """By array of an encoded task: the fingerprint of all that determines it."""
    inputs = {f"features_{split}": task.fingerprint(split) for split in SPLITS} | {"class_features": classes(task)}
    return {
        name: fingerprint({"backbone": backbone, "input": mark, "numerics": str(NUMERICS_VERSION)})
        for name, mark in inputs.items()
    }


def classes(task: PreparedTask) -> str:
    """Hash of the class names and templates of a task."""
    return digest([list(task.task.class_names), list(task.task.templates)])
