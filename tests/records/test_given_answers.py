"""Which class a prompt gave to each test image, in its cell: as few bytes as it takes, and none where they cannot be of the cell."""

import base64
import json
import zlib

import numpy as np
import pytest

from promptatlas.records import cells
from promptatlas.records.given_answers import answered_classes, packed_classes
from stored_results import CELL


def cell_of(answers: str | None, images: int, classes: int) -> dict:
    return {"answers": answers, "n_test": images, "per_class": {f"class {number}": 0.5 for number in range(classes)}}


@pytest.mark.parametrize(("classes", "width"), [(2, 1), (256, 1), (257, 2), (1000, 2), (65_536, 2), (65_537, 4)])
def test_class_numbers_are_kept_in_as_few_bytes_as_the_largest_needs(classes, width):
    answers = np.random.default_rng(classes).integers(0, classes, 500)
    answers[7] = classes - 1
    packed = packed_classes(answers)
    raw = zlib.decompress(base64.b64decode(packed))
    assert len(raw) == 500 * width and [int.from_bytes(raw[k : k + width], "little") for k in range(0, len(raw), width)] == answers.tolist()
    assert answered_classes(cell_of(packed, 500, classes)).tolist() == answers.tolist()


def packed(content: bytes) -> str:
    return base64.b64encode(zlib.compress(content)).decode()


@pytest.mark.parametrize(
    "answers",
    [
        None, 7, "", "no base 64", base64.b64encode(b"not zlib").decode(), packed(b""), packed(bytes(3)), packed(bytes(5)),
        packed(bytes(12)), packed(bytes(10**6)), packed(bytes([0, 1, 2, 3])), packed(bytes(range(3)) + b"\xff"),
    ],
)  # fmt: skip
def test_answers_that_cannot_be_of_these_images_and_classes_are_none(answers):
    assert answered_classes(cell_of(answers, 4, 3)) is None


@pytest.mark.parametrize("count", [0, -1, None, "x", 1e400])
def test_answers_of_no_images_are_none(count):
    assert answered_classes(cell_of(packed(b""), 4, 3) | {"n_test": count}) is None


def test_a_cell_from_before_there_were_answers_is_whole_and_says_none(tmp_path):
    (tmp_path / "cell.json").write_text(json.dumps({key: value for key, value in CELL.items() if key != "answers"}))
    found = cells.read(tmp_path / "cell.json")
    assert found["answers"] is None and answered_classes(found) is None and found["score"] == CELL["score"]
