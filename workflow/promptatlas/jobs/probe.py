"""The job that fits linear probes: what the few-shot pictures alone give without any prompt. Knows nothing of transfer."""

import json

import numpy as np

from promptatlas import NUMERICS_VERSION, encoding
from promptatlas.baselines import linear_probe
from promptatlas.cells import digest, fingerprint, replace
from promptatlas.jobs.prepare import read_draw
from promptatlas.reporting import Progress, Say
from promptatlas.study import Study
from promptatlas.tasks.prepared import PreparedTask
from promptatlas.work import ProbeJob


def fit(study: Study, job: ProbeJob, say: Say) -> None:
    """Write the probe scores of the tasks of `job`, all seeds; those that still hold are kept."""
    progress = Progress("linear probe", len(job.tasks), "tasks", say)
    for name in job.tasks:
        encoded, about = encoding.load(study.encoded(name))
        task = PreparedTask.open(study.task_folder(name))
        draws = {seed: read_draw(study.draw(name, seed)) for seed in study.seeds}
        mark = fingerprint(
            {
                "features": digest(about),
                "metric": task.task.metric,
                "draws": digest({str(seed): drawn.sha256 for seed, drawn in draws.items()}),
                "numerics": str(NUMERICS_VERSION),
            }
        )
        path = study.probe(name)
        if not (path.exists() and json.loads(path.read_bytes())["fingerprint"] == mark):
            rows = [{"seed": seed, **_scores(task, encoded, drawn)} for seed, drawn in draws.items()]
            replace(path, json.dumps({"fingerprint": mark, "probes": rows}, indent=1).encode())
        progress.step(name)


def _scores(task: PreparedTask, encoded: dict[str, np.ndarray], drawn) -> dict[str, float]:
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
    )
    return {"score": score, "inverse_regularisation": strength}
