"""The job that fits linear probes: what the few-shot pictures alone give without any prompt. Knows nothing of transfer."""

import json
from pathlib import Path

import numpy as np

from promptatlas import NUMERICS_VERSION, features
from promptatlas.baselines import linear_probe
from promptatlas.cells import digest, fingerprint, replace
from promptatlas.errors import Failed
from promptatlas.failures import Holes
from promptatlas.jobs.attempts import alone
from promptatlas.jobs.prepare import read_draw
from promptatlas.reporting import Progress, Say
from promptatlas.study import Study
from promptatlas.tasks.draws import Draw
from promptatlas.tasks.prepared import PreparedTask
from promptatlas.work import ProbeJob


def fit(study: Study, job: ProbeJob, say: Say) -> None:
    """Write the probe scores of the tasks of `job`, all seeds; those that still hold are kept."""
    holes, progress = Holes(study, job, say), Progress("linear probe", len(job.tasks), "tasks", say)
    for name in job.tasks:
        failed = alone(lambda name=name: _fit(study, name))
        if isinstance(failed, Failed):
            holes.note(study.probe(name), failed)
            rows = [{"seed": seed, "score": None, "failed": str(failed)} for seed in study.seeds]
            _write(study.probe(name), {"fingerprint": "", "probes": rows, "failed": str(failed)})
        progress.step(name)
    holes.settle()


def _fit(study: Study, name: str) -> None:
    task = PreparedTask.open(study.task_folder(name))
    encoded, about = features.load(study.encoded(name))
    draws = {seed: read_draw(study.draw(name, seed)) for seed in study.seeds}
    settings = study.settings("linear_probe")
    path, mark = study.probe(name), fingerprint(parts(about, task, draws, settings))
    if not (path.exists() and json.loads(path.read_bytes())["fingerprint"] == mark):
        rows = [{"seed": seed, **_scores(task, encoded, drawn, settings)} for seed, drawn in draws.items()]
        _write(path, {"fingerprint": mark, "probes": rows})


def parts(encoded: dict[str, str], task: PreparedTask, draws: dict[int, Draw], settings: dict[str, int]) -> dict[str, str]:
    """Everything that determines the probes of a task, by name. encoded: what their file says of itself."""
    return {
        "features": digest(encoded),
        "metric": task.task.metric,
        "draws": digest({str(seed): drawn.sha256 for seed, drawn in draws.items()}),
        "settings": digest(settings),
        "numerics": str(NUMERICS_VERSION),
    }


def _write(path: Path, record: dict) -> None:
    replace(path, json.dumps(record, indent=1).encode())


def _scores(task: PreparedTask, encoded: dict[str, np.ndarray], drawn: Draw, settings: dict[str, int]) -> dict[str, float]:
    train = task.rows("train", drawn.train)
    held = task.rows(drawn.validation_split, drawn.validation)
    score, strength = linear_probe(
        encoded["features_train"][train],
        drawn.train_labels,
        encoded[f"features_{drawn.validation_split}"][held],
        drawn.validation_labels,
        encoded["features_test"],
        task.labels("test"),
        task.task.metric,
        **settings,
    )
    return {"score": score, "inverse_regularisation": strength}
