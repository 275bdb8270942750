"""The encoded tasks of a study as far as tasks are compared with each other."""

from contextlib import suppress

import numpy as np

from promptatlas.backbone import feature_file
from promptatlas.base.errors import Failed
from promptatlas.evaluation import doubts
from promptatlas.study.paths import Paths
from promptatlas.study.study import Study
from promptatlas.tasks.prepared import PreparedTask
from promptatlas.tasks.task import Task


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
            found[name] = comparable(study.paths, name)
    return found


def comparable(paths: Paths, name: str) -> tuple[Task, dict[str, np.ndarray]]:
    """A task of the study at `paths` and its features, the training images reduced to those by which tasks are compared."""
    task, encoded = PreparedTask.open(paths.task_folder(name)), feature_file.load(paths.encoded(name))[0]
    return task.task, encoded | {"features_train": encoded["features_train"][task.reference()]}
