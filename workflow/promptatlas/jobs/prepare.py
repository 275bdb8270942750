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
from promptatlas.study import SPLITS, EncodeJob, Study
from promptatlas.tasks.draws import Draw, draw
from promptatlas.tasks.prepared import PreparedTask

ARRAYS = ("train", "validation", "train_labels", "validation_labels")


def draws(study: Study) -> None:
    """Write the few-shot draw of every task and seed; a draw that is the same stays as it is."""
    for name in study.tasks:
        task = PreparedTask.open(study.task_folder(name))
        train, validation = task.labels("train"), task.labels("validation")
        for seed in study.seeds:
            drawn = draw(train, validation, study.shots, seed, name, study.config["draw"])
            content = _draw_json(drawn)
            path = study.draw(name, seed)
            if not path.exists() or path.read_bytes() != content:
                replace(path, content)


def _draw_json(drawn: Draw) -> bytes:
    record = {name: getattr(drawn, name).tolist() for name in ARRAYS}
    return json.dumps({"validation_split": drawn.validation_split, "sha256": drawn.sha256, **record}).encode()


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
    except (ValueError, KeyError, TypeError):
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
        mark = fingerprint(_encoding_parts(model.fingerprint, task))
        path = study.encoded(name)
        if not (path.exists() and encoding.load(path)[1].get("fingerprint") == mark):
            encoding.save(path, encoding.encode_task(model, task), {"fingerprint": mark})
        progress.step(name)


def index(path: Path, files: Iterable[str]) -> None:
    """Write the hash of every one of `files` to `path`: what many cells depend on, in one small file."""
    replace(path, json.dumps({file: _hash(file) for file in sorted(files)}, indent=1).encode())


def _hash(file: str) -> str:
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _encoding_parts(backbone: str, task: PreparedTask) -> dict[str, str]:
    parts = {f"data_{split}": task.fingerprint(split) for split in SPLITS}
    return {"backbone": backbone, "classes": classes(task), "numerics": str(NUMERICS_VERSION), **parts}


def classes(task: PreparedTask) -> str:
    """Hash of the class names and templates of a task."""
    return digest([list(task.task.class_names), list(task.task.templates)])
