"""What a task's readable images must be for a score and for a draw; told by task, split and remedy."""

import numpy as np
import pytest

from promptatlas.base.errors import UserError
from promptatlas.tasks.draws import Draw, draw
from promptatlas.tasks.sufficient import require_draw, require_test
from promptatlas.tasks.task import Task

TEMPLATES = ("a photo of a {}.",)


def task(metric: str = "accuracy", classes: int = 3) -> Task:
    names = ("cat", "dog", "owl")[:classes]
    return Task("pets", "Pets", "test", names, TEMPLATES, metric, metric == "map_11_point")


ALWAYS = [
    (task(), np.array([0, 0])),
    (task(), np.array([2])),
    (task("mean_per_class"), np.array([0, 0, 1])),
    (task("roc_auc", 2), np.array([1, 0])),
    (task("map_11_point"), np.array([[0, 0, 0], [0, 1, 0]])),
]


@pytest.mark.parametrize(("task", "labels"), ALWAYS)
def test_one_image_with_a_value_is_enough(task, labels):
    require_test(task, labels, 0)
    one = Draw(np.arange(1), np.arange(len(labels)), "validation", labels[:1], labels)
    require_draw(task, one, one)


@pytest.mark.parametrize("metric", ["accuracy", "mean_per_class", "map_11_point"])
@pytest.mark.parametrize(
    ("broken", "told"), [(0, "it has no test images; add some"), (7, "none of its 7 test images can be read; mend them")]
)
def test_an_empty_test_split_is_refused_whatever_the_metric(metric, broken, told):
    with pytest.raises(UserError, match=f"task 'pets': {told} or leave the task out"):
        require_test(task(metric), np.zeros((0, 3) if metric == "map_11_point" else 0, int), broken)


def test_images_without_any_label_have_no_mean_precision():
    with pytest.raises(
        UserError, match="task 'pets': none of the 4 test images has a label, so map_11_point has no value; add test images"
    ):
        require_test(task("map_11_point"), np.zeros((4, 3), int), 0)


@pytest.mark.parametrize("only", [0, 1])
def test_the_class_that_is_wanting_is_named(only):
    own, other = ("cat", "dog")[only], ("dog", "cat")[only]
    with pytest.raises(
        UserError, match=f"all 2 test images are of class '{own}', .*add test images of '{other}', or set `metric: accuracy`"
    ):
        require_test(task("roc_auc", 2), np.array([only, only]), 0)


def pools(count: int = 4, classes: int = 2) -> tuple[np.ndarray, np.ndarray]:
    return np.repeat(np.arange(classes), count), np.repeat(np.arange(classes), count)


def test_only_the_draw_that_lost_its_images_is_refused():
    """The same task with two seeds: what one of them drew of a class cannot be read."""
    labels = pools(12)
    first, second = (draw(*labels, 1, seed, "pets") for seed in (1, 2))
    broken = first.train[first.train_labels == 1].tolist()
    assert not set(broken) & {*second.train.tolist()}
    with pytest.raises(UserError, match="task 'pets': none of the training images drawn of 'dog' can be read; mend them"):
        require_draw(task("roc_auc", 2), first, first.without(broken, []))
    require_draw(task("roc_auc", 2), second, second.without(broken, []))


def test_a_draw_whose_validation_images_cannot_be_read_is_refused():
    drawn = draw(*pools(), 2, 1, "pets")
    with pytest.raises(UserError, match="none of the 4 validation images that are drawn can be read; mend them, or take other `seeds`"):
        require_draw(task(classes=2), drawn, drawn.without([], drawn.validation.tolist()))


@pytest.mark.parametrize("metric", ["accuracy", "mean_per_class", "roc_auc"])
def test_validation_images_of_one_class_are_enough_for_those_that_do_not_compare(metric):
    drawn = draw(*pools(), 2, 1, "pets")
    readable = drawn.without([], drawn.validation[drawn.validation_labels == 1].tolist())
    if metric != "roc_auc":
        require_draw(task(metric, 2), drawn, readable)
        return
    told = (
        "all 2 validation images that are drawn and can be read are of class 'cat', "
        ".*add validation images of 'dog', mend those .*`draw: elevater`"
    )
    with pytest.raises(UserError, match=told):
        require_draw(task(metric, 2), drawn, readable)


def test_a_multi_label_draw_that_marks_nothing_to_validate_on_is_refused():
    marks = np.eye(3, dtype=int)[[0, 1, 2, 0]]
    drawn = Draw(np.arange(4), np.arange(2), "validation", marks, np.zeros((2, 3), int))
    with pytest.raises(UserError, match="none of the 2 validation images that are drawn has a label"):
        require_draw(task("map_11_point"), drawn, drawn)
