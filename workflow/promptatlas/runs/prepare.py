"""The jobs before any learning: pictures and labels, few-shot draws and frozen features.

A task of which any of this cannot be had is recorded as failed; the others have theirs all the same. Knows nothing of prompts.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from promptatlas.backbone import feature_file
from promptatlas.base.errors import FAILED, Failed, UserError
from promptatlas.base.files import replace
from promptatlas.base.json_record import require_known
from promptatlas.base.progress import Progress, Say
from promptatlas.base.version import NUMERICS_VERSION
from promptatlas.evaluation import doubts
from promptatlas.records.cells import digest, fingerprint
from promptatlas.runs import changes
from promptatlas.runs.attempts import alone, each
from promptatlas.runs.failures import Holes, is_hole
from promptatlas.study.jobs import EncodeJob
from promptatlas.study.study import Study
from promptatlas.tasks import halves, preparation, seen
from promptatlas.tasks.draws import Draw, draw
from promptatlas.tasks.prepared import SPLITS, PreparedTask, write_failed
from promptatlas.tasks.sufficient import require_draw
from promptatlas.tasks.task import Task

ARRAYS = ("train", "validation", "train_labels", "validation_labels")


def prepare(study: Study, name: str, workers: int, say: Say, mark: str = "") -> None:
    """Write the arrays of a task, or why there are none. mark: of the look at its sources that asked for it."""
    for earlier in study.paths.looks(name).glob("*"):
        if earlier.name != mark:
            earlier.unlink(missing_ok=True)
    _prepared(study, name, partial(_prepare, study, name, workers, say, mark), say)


def prepare_part(study: Study, name: str, say: Say) -> None:
    """Write the base or the new classes of a task that is prepared, or why there are none."""
    _prepared(study, name, partial(_prepare_part, study, name), say)


def _prepared(study: Study, name: str, attempt: Callable[[], None], say: Say) -> None:
    """See to it that the files of a task are there; if `attempt` cannot make them, its record says why and nobody reads the others."""
    holes, failed = Holes(study, study.jobs.named(f"prepare_{name}"), say), alone(attempt)
    if isinstance(failed, Failed):
        (record,) = study.paths.task_records([name])
        record.parent.mkdir(parents=True, exist_ok=True)
        holes.note(record, failed)
        write_failed(record.parent, str(failed))
        for path in study.paths.prepared_files(name):
            path.touch()
    holes.settle()


def _prepare(study: Study, name: str, workers: int, say: Say, mark: str) -> None:
    if study.data.is_embedded(name):
        preparation.prepare_embedded(name, study.paths.task_folder(name))
        return
    needs = preparation.Needs(
        size=json.loads(study.paths.architecture.read_text())["image_size"],
        resize=study.config["resize"],
        shots=study.shots_of(name),
        seeds=study.seeds,
        scheme=study.config["draw"],
        test_pictures=study.config["test_pictures"],
        broken_pictures=study.config["broken_pictures"],
    )
    source = study.data.source(name)
    if source is None:
        raise UserError(f"where the data of task {name!r} are is not known any more; delete {study.paths.fetched} and run again")
    study.paths.made_from(name).unlink(missing_ok=True)
    before = changes.look(source, study.data.root) or {}
    images = preparation.prepare(study.data.entry(name), source, study.data.root, study.paths.task_folder(name), needs, workers, say)
    described, files = changes.description(study, name, source), _with_unpacked(study, source, before)
    seen.write(study.paths.made_from(name), changes.noted(files, images, described, changes.place(study, name), mark))


def _with_unpacked(study: Study, source: dict[str, Any], before: seen.Look) -> seen.Look:
    """What was there before the files were read, and what the reader itself unpacked from archives."""
    after = changes.look(source, study.data.root) or {}
    return before | {name: file for name, file in after.items() if name not in before and not changes.is_image(name)}


def _prepare_part(study: Study, name: str) -> None:
    whole = PreparedTask.open(study.paths.task_folder(halves.whole_of(name)))
    halves.write_part(whole, halves.part_of(name), study.paths.task_folder(name))


def draws(study: Study, say: Say) -> None:
    """Write the few-shot draw of every task that is learned on and every seed; a draw that is the same stays as it is."""
    holes = Holes(study, study.jobs.draw, say)
    for name in study.learners:
        for seed, failed in zip(study.seeds, each(partial(_draws, study, name), study.seeds), strict=True):
            if isinstance(failed, Failed):
                path = study.paths.draw(name, seed)
                holes.note(path, failed)
                replace(path, json.dumps({FAILED: str(failed)}).encode())
    holes.settle()


def _draws(study: Study, name: str, seeds: Sequence[int]) -> list[None]:
    task = PreparedTask.open(study.paths.task_folder(name))
    for seed in seeds:
        content, path = draw_content(study, task, seed), study.paths.draw(name, seed)
        if not path.exists() or path.read_bytes() != content:
            replace(path, content)
    return [None] * len(seeds)


def draw_content(study: Study, task: PreparedTask, seed: int) -> bytes:
    """What the file of a draw holds."""
    labels = task.pool_labels("train"), task.pool_labels("validation")
    pools = digest([hashlib.sha256(np.ascontiguousarray(some).data).hexdigest() for some in labels])
    name = task.task.name
    if part := halves.part_of(name):
        whole = PreparedTask.open(study.paths.task_folder(halves.whole_of(name)))
        drawn = halves.draw_part(whole, part, study.shots, seed, study.config["draw"])
    else:
        drawn = draw(*labels, study.shots, seed, name, study.config["draw"])
    readable = drawn.without(task.skipped("train"), task.skipped("validation"))
    require_draw(task.task, drawn, readable)
    return _draw_json(readable, len(task.task.class_names), pools)


def _draw_json(drawn: Draw, classes: int, pools: str) -> bytes:
    record = {name: getattr(drawn, name).tolist() for name in ARRAYS}
    about = {"validation_split": drawn.validation_split, "sha256": drawn.sha256, "pool_labels_sha256": pools}
    return json.dumps(about | {"shots_per_class": drawn.shots_per_class(classes)} | record).encode()


def read_draw(path: Path) -> Draw:
    """The draw stored at `path`; UserError if it is missing or damaged, Failed if it says why there is none."""
    try:
        record = json.loads(path.read_bytes())
        require_known(record, path)
        if FAILED in record:
            raise Failed(f"draw failed: {record[FAILED]}")
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
    from promptatlas import backbone
    from promptatlas.runs import devices

    model = backbone.load(study.paths.backbone_folder, devices.chosen(study.config["device"], threads))
    holes, progress = Holes(study, job, say), Progress("encode", len(job.tasks), "tasks", say)
    for name in job.tasks:
        failed = alone(partial(_encode, study, model, name))
        if isinstance(failed, Failed):
            holes.note(study.paths.encoded(name), failed)
            feature_file.save(study.paths.encoded(name), {}, {FAILED: str(failed)})
        elif told := indistinct(study, name):
            say(f"task {name}: {told}")
        progress.step(name)
    holes.settle()


def _encode(study: Study, model: Any, name: str) -> None:
    from promptatlas.backbone import encode as encoding

    task, path = PreparedTask.open(study.paths.task_folder(name)), study.paths.encoded(name)
    task.task = study.hand_written(task.task)
    marks = encoding_marks(model.fingerprint, task)
    known, old = feature_file.load(path) if path.exists() and not is_hole(path) else ({}, {})
    if old != marks:
        stale = [array for array in marks if old.get(array) != marks[array]]
        feature_file.save(path, known | encoding.encode_task(model, task, stale), marks)


def indistinct(study: Study, name: str) -> str:
    """A sentence on the class names of an encoded task that the model cannot tell apart; empty if it can, or nothing is known."""
    try:
        names = PreparedTask.open(study.paths.task_folder(name)).task.class_names
    except Failed:
        return ""
    found = feature_file.class_features(study.paths.encoded(name))
    return doubts.alike(names, found) if len(found) == len(names) else ""


def all_comparable(study: Study) -> dict[str, tuple[Task, dict[str, np.ndarray]]]:
    """By name what `comparable` gives of every task that did not fail."""
    found = {}
    for name in study.tasks:
        with suppress(Failed):
            found[name] = comparable(study, name)
    return found


def comparable(study: Study, name: str) -> tuple[Task, dict[str, np.ndarray]]:
    """A task and its features, the training pictures reduced to those by which tasks are compared."""
    task, encoded = PreparedTask.open(study.paths.task_folder(name)), feature_file.load(study.paths.encoded(name))[0]
    return task.task, encoded | {"features_train": encoded["features_train"][task.reference()]}


class OnDemand(dict):
    """What `make` makes of a key, when it is first asked for: of tasks and draws a job needs only those of its sound results."""

    def __init__(self, make: Callable[[Any], Any]) -> None:
        self.make = make

    def __missing__(self, key: Any) -> Any:
        self[key] = self.make(key)
        return self[key]


def opened(study: Study) -> dict[str, PreparedTask]:
    """The prepared tasks by name; Failed for one that could not be prepared."""
    return OnDemand(lambda name: PreparedTask.open(study.paths.task_folder(name)))


def drawn(study: Study) -> dict[tuple[str, int], Draw]:
    """The draws by task and seed; Failed for one that could not be drawn."""
    return OnDemand(lambda at: read_draw(study.paths.draw(*at)))


def metric_of(tasks: Mapping[str, PreparedTask], name: str) -> str:
    """The metric of one of the `opened` tasks; none is known of one that could not be prepared."""
    try:
        return tasks[name].task.metric
    except Failed:
        return ""


def index(path: Path, files: Iterable[str]) -> None:
    """Write the hash of every one of `files` to `path`: what many cells depend on, in one small file."""
    replace(path, json.dumps({file: _hash(file) for file in sorted(files)}, indent=1).encode())


def _hash(file: str) -> str:
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def encoding_marks(backbone: str, task: PreparedTask) -> dict[str, str]:
    """By array of an encoded task: the fingerprint of all that determines it."""
    inputs = {f"features_{split}": task.fingerprint(split) for split in SPLITS} | {"class_features": classes(task)}
    return {name: fingerprint({"backbone": backbone, "input": mark, "numerics": str(NUMERICS_VERSION)}) for name, mark in inputs.items()}


def classes(task: PreparedTask) -> str:
    """Hash of the class names and templates of a task."""
    return digest([list(task.task.class_names), list(task.task.templates)])
