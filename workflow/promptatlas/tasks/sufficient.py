"""Whether the images of a task that can be read suffice: for a score on its test split, and for a prompt to be trained on a draw and
to be chosen by it. Knows labels only, nothing of files.

What does not suffice is told in one sentence that names task and split, and says what to do.
"""

import numpy as np

from promptatlas.base.errors import UserError
from promptatlas.base.messages import some
from promptatlas.tasks import metrics
from promptatlas.tasks.draws import Draw, by_class
from promptatlas.tasks.task import Task

FEW = 5


def require_test(task: Task, labels: np.ndarray, broken: int) -> None:
    """UserError if the metric has no value on the test images, of which `broken` more cannot be read. labels (N,) or marks (N, C)."""
    if not len(labels):
        found = f"none of its {broken} test images can be read; mend them" if broken else "it has no test images; add some"
        raise UserError(f"task {task.name!r}: {found} or leave the task out")
    if metrics.undefined(task.metric, labels):
        raise UserError(f"task {task.name!r}: {_alike(task, labels, broken, 'test')}")


def require_train(task: Task, count: int, broken: int) -> None:
    """UserError if none of the training images that a study needs can be read."""
    if not count:
        raise UserError(
            f"task {task.name!r}: none of the {broken} training images that are needed can be read; mend them or leave the task out"
        )


def require_draw(task: Task, drawn: Draw, readable: Draw) -> None:
    """UserError if nothing can be trained or chosen from a draw, or `readable`, what is left of it, lost a class."""
    classes = len(task.class_names)
    lost = (by_class(drawn.train_labels, classes) > 0) & (by_class(readable.train_labels, classes) == 0)
    if lost.any():
        names = some((repr(task.class_names[number]) for number in np.flatnonzero(lost)), FEW)
        raise UserError(
            f"task {task.name!r}: none of the training images drawn of {names} can be read; "
            "mend them, leave the class out or take other `seeds`"
        )
    labels, broken = readable.validation_labels, len(drawn.validation) - len(readable.validation)
    if not len(labels):
        found = (
            f"none of the {broken} validation images that are drawn can be read; mend them"
            if broken
            else "no validation image is drawn; add some"
        )
        raise UserError(f"task {task.name!r}: {found}, or take other `seeds`")
    if metrics.undefined(task.metric, labels):
        raise UserError(f"task {task.name!r}: {_alike(task, labels, broken, 'validation')}")


def _alike(task: Task, labels: np.ndarray, broken: int, split: str) -> str:
    """Why the metric has no value on images of which there are some, and the remedy."""
    mend = ", mend those that cannot be read" if broken else ""
    if split == "validation":
        mend += ", write `draw: elevater`, which validates on training images"
    readable = (" and can be read" if split == "validation" else " that can be read") if broken else ""
    those = f"{len(labels)} {split} images{' that are drawn' if split == 'validation' else ''}{readable}"
    if labels.ndim == 2 and not labels.any():
        return (
            f"none of the {those} has a label, so {task.metric} has no value; add {split} images with labels{mend}, or leave the task out"
        )
    known = metrics.lookup(task.metric)
    if known.classes != 2 or len(np.unique(labels)) > 1:
        why = known.undefined(labels)
        return f"{task.metric} has no value on the {those}: {why}; add {split} images{mend}, set another `metric` or leave the task out"
    own, other = (task.class_names[number] for number in (labels[0], 1 - labels[0]))
    return (
        f"all {those} are of class {own!r}, but {task.metric} compares two classes; "
        f"add {split} images of {other!r}{mend}, or set `metric: accuracy`"
    )
