"""The job that fits linear probes: what the few-shot pictures alone give without any prompt. Knows nothing of transfer."""

import json
from collections.abc import Mapping
from functools import partial

import numpy as np

from promptatlas.backbone import feature_file
from promptatlas.base.errors import Failed
from promptatlas.base.files import replace
from promptatlas.base.progress import Progress, Say
from promptatlas.base.version import NUMERICS_VERSION
from promptatlas.records.cells import digest, fingerprint
from promptatlas.runs import score_record
from promptatlas.runs.attempts import alone
from promptatlas.runs.failures import Holes
from promptatlas.runs.prepare import read_draw
from promptatlas.study.jobs import ProbeJob
from promptatlas.study.study import Study
from promptatlas.tasks.draws import Draw
from promptatlas.tasks.prepared import PreparedTask
from promptatlas.training.linear_probe import linear_probe


def fit(study: Study, job: ProbeJob, say: Say) -> None:
    """Write the probe scores of the tasks of `job`, all seeds; those that still hold are kept."""
    holes, progress = Holes(study, job, say), Progress("linear probe", len(job.tasks), "tasks", say)
    for name in job.tasks:
        _fit(study, name, holes)
        progress.step(name)
    holes.settle()


def _fit(study: Study, name: str, holes: Holes) -> None:
    """See to it that the probes of a task are there; in the place of one that cannot be had stands why."""
    known = alone(lambda: (PreparedTask.open(study.paths.task_folder(name)), *feature_file.load(study.paths.encoded(name))))
    if isinstance(known, Failed):
        _write(study, name, dict.fromkeys(study.seeds, known), "", holes)
        return
    task, encoded, about = known
    draws = {seed: alone(partial(read_draw, study.paths.draw(name, seed))) for seed in study.seeds}
    settings, sound = study.settings("linear_probe"), {seed: drawn for seed, drawn in draws.items() if isinstance(drawn, Draw)}
    path, mark = study.paths.probe(name), fingerprint(parts(about, task, sound, settings))
    if len(sound) == len(draws) and path.exists() and score_record.read_probes(path)["fingerprint"] == mark:
        return
    rows = {seed: alone(partial(_scores, task, encoded, drawn, settings)) for seed, drawn in sound.items()}
    left = {seed: why for seed, why in draws.items() if isinstance(why, Failed)}
    _write(study, name, {seed: rows[seed] if seed in rows else left[seed] for seed in draws}, mark, holes)


def parts(encoded: Mapping[str, str], task: PreparedTask, draws: dict[int, Draw], settings: dict[str, int]) -> dict[str, str]:
    """Everything that determines the probes of a task, by name. encoded: what their file says of itself."""
    return {
        "features": digest(encoded),
        "metric": task.task.metric,
        "draws": digest({str(seed): drawn.sha256 for seed, drawn in draws.items()}),
        "settings": digest(settings),
        "numerics": str(NUMERICS_VERSION),
    }


def _write(study: Study, name: str, found: dict[int, dict[str, float] | Failed], mark: str, holes: Holes) -> None:
    """found: what is known of the probe of each seed. A file that lacks one is to be tried again, so it has no fingerprint."""
    failed = [one for one in found.values() if isinstance(one, Failed)]
    rows = [{"seed": seed} | ({"score": None, "failed": str(one)} if isinstance(one, Failed) else one) for seed, one in found.items()]
    whole = {"fingerprint": "", "probes": rows, "failed": str(failed[0])} if failed else {"fingerprint": mark, "probes": rows}
    if failed:
        holes.note(study.paths.probe(name), failed[0])
    replace(study.paths.probe(name), json.dumps(whole, indent=1).encode())


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
