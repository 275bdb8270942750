"""The jobs that prepare tasks: images and labels as arrays.

A task that cannot be prepared is recorded as failed; the others are prepared all the same. The engine is not asked: a look at the
sources decided that the job starts, and what is kept is decided split by split, where arrays are too large to be written twice.
"""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from promptatlas.base.errors import Failed, UserError
from promptatlas.base.progress import Say
from promptatlas.runs import changes
from promptatlas.runs.attempts import alone
from promptatlas.runs.failures import FailedResults
from promptatlas.study.study import Study
from promptatlas.tasks import base_new, preparation, seen
from promptatlas.tasks.prepared import PreparedTask, write_failed


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
    failures = FailedResults(study, study.jobs.named(f"prepare_{name}"), say)
    try:
        alone(attempt)
    except Failed as failed:
        (record,) = study.paths.task_records([name])
        record.parent.mkdir(parents=True, exist_ok=True)
        failures.note(record, failed)
        write_failed(record.parent, str(failed))
        for path in study.paths.prepared_files(name):
            path.touch()
    failures.settle()


def _prepare(study: Study, name: str, workers: int, say: Say, mark: str) -> None:
    if study.data.is_embedded(name):
        preparation.prepare_embedded(name, study.paths.task_folder(name))
        return
    needs = needs_of(study, name, json.loads(study.paths.architecture.read_text())["image_size"])
    source = study.data.source(name)
    if source is None:
        raise UserError(f"where the data of task {name!r} are is not known any more; delete {study.paths.fetched} and run again")
    study.paths.made_from(name).unlink(missing_ok=True)
    before = changes.look(source, study.data.root) or {}
    images = preparation.prepare(study.data.entry(name), source, study.data.root, study.paths.task_folder(name), needs, workers, say)
    described, files = changes.description(study, name, source), _with_unpacked(study, source, before)
    seen.write(study.paths.made_from(name), changes.noted(files, images.names, described, changes.place(study, name), mark))


def needs_of(study: Study, name: str, size: int) -> preparation.Needs:
    """What a study wants of a task whose images are fitted to `size` pixels."""
    return preparation.Needs(
        size=size,
        resize=study.config["resize"],
        interpolation=study.backbone.interpolation,
        shots=study.shots_of(name),
        seeds=study.seeds,
        scheme=study.config["draw"],
        test_pictures=study.config["test_pictures"],
        broken_pictures=study.config["broken_pictures"],
        tried_shots=max(study.choice.shots, default=0),
        tried_seeds=study.choice.draws,
    )


def _with_unpacked(study: Study, source: dict[str, Any], before: seen.Look) -> seen.Look:
    """What was there before the files were read, and what the reader itself unpacked from archives."""
    after = changes.look(source, study.data.root) or {}
    return before | {name: file for name, file in after.items() if name not in before and not changes.is_image(name)}


def _prepare_part(study: Study, name: str) -> None:
    whole = PreparedTask.open(study.paths.task_folder(base_new.whole_of(name)))
    base_new.write_subset(whole, base_new.subset_of(name), study.paths.task_folder(name))
