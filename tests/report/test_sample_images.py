"""Small images on the page: which they are, of which classes, and that the same task has the same ones."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from promptatlas.report.page import sample_images
from promptatlas.report.page.cell_evidence import CellFacts
from promptatlas.report.page.study_data import StudyData
from promptatlas.tasks.prepared import PreparedTask
from small_tasks import write_task


@pytest.fixture
def task(tmp_path):
    return write_task(tmp_path / "colours")


def measured(right: np.ndarray) -> CellFacts:
    return CellFacts(1, np.zeros(4), right, None, "", "")


def image_of(address: str) -> np.ndarray:
    kind, _, content = address.partition(";base64,")
    assert kind in ("data:image/webp", "data:image/jpeg")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))).convert("RGB"))


def test_samples_are_training_images_of_as_many_classes_as_there_are(task):
    told = sample_images.of_task(task, 4, np.array([], dtype=int))
    assert told["split"] == "train" and told["tested"] == [] and sorted(classes for _, classes in told["samples"]) == [[0], [1], [2], [3]]
    again = sample_images.of_task(PreparedTask.open(task.folder), 4, np.array([], dtype=int))
    assert told == again and len(sample_images.of_task(task, 7, np.array([], dtype=int))["samples"]) == 7


def test_an_image_is_that_of_its_class(task):
    """The classes of this task differ in mean colour."""
    told = sample_images.of_task(task, 4, np.array([2, 5]))
    for address, (number,) in told["samples"]:
        mean = image_of(address).reshape(-1, 3).mean(axis=0)
        assert number == 3 or mean.argmax() == number
    assert [classes for _, classes in told["tested"]] == [[int(task.labels("test")[row])] for row in (2, 5)]
    assert image_of(told["tested"][0][0]).mean() == pytest.approx(np.asarray(task.images("test")[2]).mean(), abs=6)


def test_large_images_are_made_small():
    large = np.random.default_rng(0).integers(0, 255, (224, 224, 3), dtype=np.uint8)
    assert image_of(sample_images.address(large)).shape == (64, 64, 3) and len(sample_images.address(large)) < 8000


def test_images_of_several_classes_say_all_of_them(tmp_path):
    task = write_task(tmp_path / "many", multilabel=True)
    for _, classes in sample_images.of_task(task, 6, np.array([], dtype=int))["samples"]:
        assert classes and set(classes) <= {0, 1, 2, 3}
    assert sample_images.labels_of({"many": task}) == {}


def test_test_images_are_half_and_half_by_the_hand_written_prompt_and_those_about_which_cells_disagree():
    labels, rng = np.arange(40) % 4, np.random.default_rng(3)
    hand = np.arange(40) < 20
    divided = {1, 2, 7, 22, 27, 32}  # half of the cells get these right, most of them the others
    cells = [measured(np.array([(number % 2 == 0) if row in divided else number > 0 for row in range(40)])) for number in range(10)]
    rows = sample_images.disputed(cells, [measured(hand)], labels, 6, "a")
    assert {*rows.tolist()} == divided and hand[rows].sum() == 3
    assert sample_images.disputed(cells, [measured(hand)], labels, 6, "a").tolist() == rows.tolist()
    everybody = [measured(rng.random(40) < 2)] * 3
    assert sample_images.disputed(everybody, [measured(hand)], labels, 6, "a").size == 0
    assert (
        sample_images.disputed(cells, [], labels, 6, "a").size == sample_images.disputed(cells, [measured(hand)], labels, 0, "a").size == 0
    )


def test_among_equals_the_lot_decides_by_the_name_of_the_task_and_no_class_comes_twice_before_another():
    labels = np.arange(40) % 4
    cells, hand = [measured(np.ones(40, dtype=bool)), measured(np.zeros(40, dtype=bool))], [measured(np.arange(40) < 20)]
    first, second = (sample_images.disputed(cells, hand, labels, 8, name) for name in ("a", "b"))
    assert first.tolist() != second.tolist()
    for rows in (first, second):
        assert sorted(labels[rows[rows < 20]]) == sorted(labels[rows[rows >= 20]]) == [0, 1, 2, 3]


def test_without_images_or_prepared_data_there_are_none(task):
    nothing = np.array([], dtype=int)
    assert StudyData({"colours": task}, 0).thumbnails({"colours": nothing}) == {} and StudyData().thumbnails({}) == {}
    (task.folder / "train_images.npy").unlink()
    assert StudyData({"colours": task}, 4).thumbnails({"colours": nothing}) == {} and [*StudyData({"colours": task}, 4).labels()] == [
        "colours"
    ]
    (task.folder / "test_labels.npy").unlink()
    assert StudyData({"colours": task}, 4).labels() == {}
