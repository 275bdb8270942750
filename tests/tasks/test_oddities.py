"""What is odd about a task's data is said in one sentence per kind, with right numbers, and is no error; sound data get no word."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from in_memory import make_image
from PIL import Image

from promptatlas.tasks import catalogue, metrics, preparation, readers
from promptatlas.tasks.preparation import Needs, prepare
from promptatlas.tasks.prepared import Pool, PreparedTask
from promptatlas.tasks.twins import UNKNOWN, same_images

NEEDS = Needs(size=16, resize="crop", shots=2, seeds=(1,), scheme="coop")
CLASSES = ("cat", "dog", "owl")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Three classes of 12 training, 5 validation and 10 test images, no two alike."""
    root, number = tmp_path / "pictures", 0
    for split, count in (("train", 12), ("val", 5), ("test", 10)):
        for name in CLASSES:
            (root / split / name).mkdir(parents=True)
            for k in range(count):
                make_image(number, 30, 20).save(root / split / name / f"{k}.png")
                number += 1
    return root


def notes(images: Path, needs: Needs = NEEDS, **about) -> list[str]:
    """Of the task that `images` make; what is noted is said too."""
    said: list[str] = []
    entry = catalogue.described("animals", {"folder": str(images)} | about)
    folder = images.parent / "task"
    prepare(entry, readers.find(entry.sources, images.parent), images.parent, folder, needs, 1, said.append)
    found = PreparedTask.open(folder).notes
    assert [line for line in said if line.startswith("task animals: ")] == [f"task animals: {note}" for note in found]
    return found


def copy(images: Path, source: str, target: str) -> None:
    shutil.copy(images / f"{source}.png", images / f"{target}.png")


def test_sound_data_get_no_word(images: Path) -> None:
    assert notes(images) == []


def test_test_images_that_are_training_images_are_counted(images: Path) -> None:
    for k in range(3):
        copy(images, f"train/cat/{k}", f"test/cat/{k}")
    assert notes(images) == ["3 of 30 test images are training images too"]
    copy(images, "val/dog/0", "test/dog/9")
    copy(images, "train/owl/1", "val/owl/4")
    assert notes(images) == [
        "3 of 30 test images are training images too",
        "1 of 30 test images is a validation image too",
        "1 of 15 validation images is a training image too",
    ]


def test_training_images_that_nobody_decodes_are_compared_as_files(images: Path, monkeypatch) -> None:
    """Ten copies of one class: two are drawn, one is a reference, the others are only found by their bytes."""
    monkeypatch.setattr(preparation, "REFERENCE_IMAGES", 1)
    for k in range(10):
        copy(images, f"train/cat/{k}", f"test/cat/{k}")
    assert notes(images) == ["10 of 30 test images are training images too"]
    assert len(PreparedTask.open(images.parent / "task").index("train")) < 10


def test_the_same_values_in_another_file_are_the_same_image(images: Path) -> None:
    Image.open(images / "train/dog/3.png").save(images / "test/dog/3.png", compress_level=0)
    assert notes(images) == ["1 of 30 test images is a training image too"]


def test_images_that_are_no_files_are_compared_as_far_as_they_are_prepared(images: Path, monkeypatch) -> None:
    monkeypatch.setattr(preparation, "REFERENCE_IMAGES", 1)
    monkeypatch.setattr("promptatlas.tasks.twins._size", lambda path: None)
    for k in range(10):
        copy(images, f"train/cat/{k}", f"test/cat/{k}")
    index = len([row for row in (notes(images), PreparedTask.open(images.parent / "task").index("train"))[1] if row < 12])
    (note,) = notes(images)
    assert note.startswith("at least ") and int(note.split()[2]) <= index < 10


def test_files_of_one_size_and_one_end_are_told_apart(tmp_path: Path) -> None:
    """Uncompressed images with a white border: only their beginning differs."""
    values = np.full((4, 80, 80, 3), 255, dtype=np.uint8)
    values[:, 70:73] = np.arange(4)[:, None, None, None] // 2  # the lower part stands first in such a file
    paths = [tmp_path / f"{k}.bmp" for k in range(4)]
    for path, one in zip(paths, values, strict=True):
        Image.fromarray(one).save(path)

    class Listed:
        def name(self, index: int) -> str:
            return str(paths[index])

    some = Pool(np.zeros(4, int), np.array([0]), np.zeros((1, 16), np.uint8), np.array([0]))
    none = Pool(np.zeros(0, int), np.arange(0), np.zeros((0, 16), np.uint8), np.arange(0))
    found = same_images({"train": some, "test": none}, {"train": Listed(), "test": Listed()})["train"]
    assert found[0] == found[1] != found[2] == found[3] and UNKNOWN not in found


def test_broken_and_empty_files_are_no_copies_of_each_other(images: Path, monkeypatch) -> None:
    monkeypatch.setattr(preparation, "REFERENCE_IMAGES", 1)
    for k in range(12):
        (images / f"train/cat/x{k}.png").write_bytes(b"")
    assert notes(images, replace(NEEDS, broken_pictures="skip", shots=1)) == []


def test_copies_within_a_split_are_counted(images: Path) -> None:
    for k in range(1, 12):
        copy(images, "train/cat/0", f"train/cat/{k}")
    copy(images, "test/dog/0", "test/dog/1")
    assert notes(images) == ["11 of 36 training images and 1 of 30 test images are copies of others in the same split"]


def test_an_image_in_two_classes_is_told_with_both(images: Path) -> None:
    copy(images, "train/cat/0", "train/dog/0")
    found = notes(images)
    assert "1 image stands in more than one class, in cat and dog" in found and len(found) == 2
    copy(images, "train/owl/1", "test/cat/1")
    assert any(note.startswith("2 images stand in more than one class, such as in cat and ") for note in notes(images))


def test_small_splits_are_told(images: Path) -> None:
    shutil.rmtree(images / "test" / "owl")
    for k in range(3):
        (images / f"test/cat/{k}.png").unlink()
    assert notes(images, replace(NEEDS, shots=16)) == [
        "it has only 17 test images, chance alone moves a score by up to 12 points (one standard error)",
        "1 of 3 classes have no test image (owl)",
        "3 of 3 classes have fewer than 16 training images (cat, dog, owl)",
        "59 % of the test images are of class dog, so to answer it always scores that much; "
        "`metric: mean_per_class` counts all classes alike",
    ]


def test_a_mean_over_classes_says_which_it_leaves_out_and_what_to_do(images: Path) -> None:
    shutil.rmtree(images / "test" / "owl")
    shutil.rmtree(images / "val" / "dog")
    found = notes(images, metric="mean_per_class")
    assert "1 of 3 classes have no test image (owl), so mean_per_class is a mean over the others: add test images" in found
    assert "1 of 3 classes have no validation image (dog), so epochs are chosen by the others" in found
    assert not [note for note in notes(images, replace(NEEDS, scheme="elevater"), metric="mean_per_class") if "validation" in note]


def test_images_of_one_colour_are_counted(images: Path) -> None:
    for k in range(4):
        Image.new("RGB", (30, 20), (k * 20, 7, 255)).save(images / f"train/cat/{k}.png")
    assert notes(images) == ["4 of 72 images that were looked at are of one colour"]


def test_classes_that_are_called_by_numbers_are_told_unless_the_template_says_number(images: Path) -> None:
    for split in images.iterdir():
        for number, name in enumerate(CLASSES):
            (split / name).rename(split / str(number))
    (note,) = notes(images)
    assert "0, 1, 2" in note and "`classes`" in note
    assert notes(images, templates=["a photo of the number {}."]) == []


def test_a_class_called_like_several_others_together_is_told(images: Path) -> None:
    for split in images.iterdir():
        (split / "owl").rename(split / "cat, dog")
    (note,) = notes(images)
    assert note.startswith("1 of 3 classes is called like several others together ('cat, dog')") and "docs/data.md" in note
    for split in images.iterdir():
        (split / "cat, dog").rename(split / "cat, owl")  # no class is called owl
    assert notes(images) == []


def test_a_mere_target_has_no_training_images_to_be_told_of(images: Path) -> None:
    copy(images, "train/cat/0", "test/cat/0")
    assert notes(images, replace(NEEDS, shots=0, seeds=())) == []


def test_validation_images_that_promptatlas_set_aside_count_as_the_training_images_they_were_given_as(images: Path) -> None:
    shutil.rmtree(images / "val")
    for k in range(12):
        copy(images, f"train/cat/{k}", f"test/cat/{k}")
    copy(images, "train/dog/0", "train/dog/1")
    assert notes(images) == [
        "12 of 32 test images are training images too",
        "1 of 36 training images are copies of others in the same split",
    ]


def test_a_class_of_most_test_images_is_told_with_the_remedy(images: Path) -> None:
    for k in range(1, 10):
        (images / f"test/dog/{k}.png").unlink()
        (images / f"test/owl/{k}.png").unlink()
    for k in range(30):
        make_image(1000 + k, 30, 20).save(images / f"test/cat/more{k}.png")
    (note,) = notes(images)
    assert note.startswith("95 % of the test images are of class cat") and "`metric: mean_per_class`" in note
    assert notes(images, metric="mean_per_class") == []


def test_numbers_of_12_bits_in_files_of_16_are_told_and_not_rescaled(images: Path) -> None:
    for path in images.rglob("*.png"):
        grey = np.asarray(Image.open(path).convert("L")).astype(np.uint16)
        Image.fromarray(grey * 16).save(path)
    (note,) = [one for one in notes(images) if "black" in one]
    assert note.startswith("the brightest value in 72 images that were looked at is 15 of 255") and "those of 12 bits by 16" in note
    assert np.load(images.parent / "task" / "test_images.npy").max() < 17
    for path in images.rglob("*.png"):
        Image.fromarray(np.asarray(Image.open(path)) * 16).save(path)
    assert not [one for one in notes(images) if "black" in one]


@pytest.mark.parametrize(
    ("metric", "labels", "error"),
    [
        ("accuracy", [0] * 9 + [1] * 16, 0.1),
        ("roc_auc", [0] * 10 + [1] * 10, np.sqrt(21 / 1200)),  # where the scores say nothing: (m + n + 1) / (12 m n)
        ("mean_per_class", [0, 1] * 5, None),
        ("roc_auc", [0] * 10, None),
    ],
)
def test_a_standard_error_is_that_of_the_metric_or_none(metric, labels, error) -> None:
    of = metrics.lookup(metric).standard_error
    found = of(np.array(labels)) if of else None
    assert found == (None if error is None else pytest.approx(error, rel=1e-3))
