"""How close a study's tasks are, by the measures that its configuration lists."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from promptatlas.backbone import feature_file
from promptatlas.base.errors import Failed, of_the_disk
from promptatlas.base.progress import Say
from promptatlas.evaluation import similarity
from promptatlas.evaluation.similarity import Behaviour
from promptatlas.records.prompt_file import TunedPrompt
from promptatlas.runs import attempts, comparable
from promptatlas.runs.context import Context
from promptatlas.runs.failures import FailedResults
from promptatlas.study.study import Study
from promptatlas.tasks.prepared import PreparedTask

if TYPE_CHECKING:
    import pandas as pd


IMAGES = 50  # of each task, on which the behaviour of prompts is compared


class Measuring(NamedTuple):
    """The job that makes the table, whose results are the rows of each measure."""

    name: str
    outputs: list[Path]


def table(study: Study, say: Say = lambda line: None) -> pd.DataFrame:
    """The table `similarity`; a task that failed has no rows, a measure that fails no values, and it is noted why; what a task has too
    little of is said. Labels, prompts and the model are read if a measure needs them."""
    names = study.config["similarity"]
    needs, tasks = similarity.needs(names), comparable.all_comparable(study)
    if "labels" in needs:
        tasks = {name: (task, encoded | {"labels_train": _labels(study, name)}) for name, (task, encoded) in tasks.items()}
    for gap in similarity.gaps(tasks, names):
        say(gap)
    prompts = _prompts(study) if "prompts" in needs else {}
    arrays = {at: {task: _arrays(one) for task, one in own.items()} for at, own in prompts.items()}
    starts = _starts(study) if "start" in needs else None
    behaviours = _behaviours(study, prompts, [*tasks]) if "behaviours" in needs else None
    failures = FailedResults(study, Measuring("similarity", study.measures), say)

    def failed(measure: similarity.Measure, error: Exception) -> None:
        if of_the_disk(error):
            raise error
        failures.note(study.paths.measure(measure.name), attempts.failed(error))

    found = similarity.compute(tasks, names, arrays if "prompts" in needs else None, starts, behaviours, failed)
    failures.settle()
    return found


def _labels(study: Study, name: str) -> np.ndarray:
    """Of the training images by which tasks are compared: class numbers (N,) or marks (N, C)."""
    task = PreparedTask.open(study.paths.task_folder(name))
    return task.labels("train")[task.reference()]


def _arrays(prompt: TunedPrompt) -> dict[str, np.ndarray]:
    """What enters the towers, by name."""
    return {name: tensor.cpu().numpy() for name, tensor in prompt.prompts.tensors().items()}


def _prompts(study: Study) -> dict[tuple[str, int], dict[str, TunedPrompt]]:
    """(method, seed) -> task -> the prompt, of those that were trained."""
    found: dict[tuple[str, int], dict[str, TunedPrompt]] = defaultdict(dict)
    for job in study.jobs.tune:
        for seed in job.seeds:
            for task in job.tasks:
                with suppress(Failed):
                    found[job.method, seed][task] = TunedPrompt.load(study.paths.prompt(job.method, seed, task))[0]
    return dict(found)


def _starts(study: Study) -> dict[tuple[str, int], dict[str, np.ndarray]]:
    """(method, seed) -> the arrays of the untrained prompt."""
    from promptatlas.training import single_task

    at = Context(study)
    untrained = {(method, seed): (method, study.settings(method), seed) for method in study.methods for seed in study.seeds}
    return {key: _arrays(single_task.scratch(at.model, *given)) for key, given in untrained.items()}


def _behaviours(
    study: Study, prompts: Mapping[tuple[str, int], Mapping[str, TunedPrompt]], tasks: Sequence[str]
) -> dict[tuple[str, int], dict[str, Behaviour]]:
    """(method, seed) -> task -> what the model does under its prompt, with some of the images by which tasks are compared."""
    from promptatlas.evaluation import behaviour

    at = Context(study)
    rows = {name: at.tasks[name].reference()[:IMAGES] for name in tasks}
    names = {name: at.tasks[name].task.class_names for name in tasks}
    images = {name: np.asarray(at.tasks[name].images("train")[own]) for name, own in rows.items()}
    features = {name: feature_file.load(study.paths.encoded(name))[0]["features_train"][own] for name, own in rows.items()}
    return {
        key: dict(zip(own, behaviour.behaviours(at.model, names, images, features, [one.prompts for one in own.values()]), strict=True))
        for key, own in prompts.items()
    }
