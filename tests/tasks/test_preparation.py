"""From a folder of images to arrays: what a study needs and no more, once, and honestly where images are broken."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from in_memory import make_image

from promptatlas.base.errors import UserError
from promptatlas.tasks import catalogue, preparation, readers, upright
from promptatlas.tasks.decoding import fitted
from promptatlas.tasks.draws import draw, nested_draw
from promptatlas.tasks.preparation import Needs, prepare
from promptatlas.tasks.prepared import PreparedTask

NEEDS = Needs(size=16, resize="crop", shots=4, seeds=(1, 2), scheme="coop")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Three classes of 12 training, 5 validation and 6 test images."""
    root, number = tmp_path / "pictures", 0
    for split, count in (("train", 12), ("val", 5), ("test", 6)):
        for name in ("red_cat", "dog", "a mouse"):
            folder = root / split / name
            folder.mkdir(parents=True)
            for k in range(count):
                make_image(number, 30, 20).save(folder / f"{k}.png")
                number += 1
    return root


@pytest.fixture(autouse=True)
def few_reference_images(monkeypatch) -> None:
    monkeypatch.setattr(preparation, "REFERENCE_IMAGES", 5)


def prepared(images: Path, folder: Path, needs: Needs = NEEDS, **about) -> tuple[PreparedTask, list[str]]:
    said: list[str] = []
    entry = catalogue.described("animals", {"folder": str(images)} | about)
    source = readers.find(entry.sources, images.parent)
    prepare(entry, source, images.parent, folder, needs, 1, said.append)
    return PreparedTask.open(folder), said


def test_a_folder_becomes_a_task(images: Path, tmp_path: Path) -> None:
    task, said = prepared(images, tmp_path / "task", title="Animals")
    assert task.task.title == "Animals" and sorted(task.task.class_names) == ["a mouse", "dog", "red cat"]
    assert len(task.pool_labels("train")) == 36 and len(task.images("test")) == 18
    assert any("16 px" in line and "MB of disk" in line for line in said)
    test = np.asarray(task.images("test"))
    files = sorted((images / "test" / "dog").iterdir())
    from PIL import Image

    wanted = fitted(Image.open(files[0]), 16, "crop")
    assert any((image == wanted).all() for image in test[task.labels("test") == task.task.class_names.index("dog")])


def test_only_images_that_are_drawn_or_compared_are_decoded(images: Path, tmp_path: Path) -> None:
    task, _ = prepared(images, tmp_path / "task")
    labels = task.pool_labels("train"), task.pool_labels("validation")
    draws = [draw(*labels, 4, seed, "animals") for seed in (1, 2)]
    index = np.load(tmp_path / "task" / "train_index.npy")
    drawn = np.union1d(draws[0].train, draws[1].train)
    assert set(drawn) <= set(index) and len(index) <= len(drawn) + 5 < 36
    assert len(task.reference()) == 5
    np.testing.assert_array_equal(task.labels("train")[task.rows("train", draws[0].train)], draws[0].train_labels)


def test_another_seed_leaves_the_test_images_alone(images: Path, tmp_path: Path) -> None:
    before, _ = prepared(images, tmp_path / "task")
    stamp = (tmp_path / "task" / "test_images.npy").stat().st_mtime_ns
    after, said = prepared(images, tmp_path / "task", replace(NEEDS, seeds=(1, 2, 3)))
    assert (tmp_path / "task" / "test_images.npy").stat().st_mtime_ns == stamp
    assert "test" not in said[0] and "train" in said[0]
    first = draw(before.pool_labels("train"), before.pool_labels("validation"), 4, 1, "animals").train
    assert before.fingerprint("train", first) == after.fingerprint("train", first)
    assert not (tmp_path / "task" / ".partial").exists()


def test_an_image_that_changes_is_decoded_again(images: Path, tmp_path: Path) -> None:
    before, _ = prepared(images, tmp_path / "task")
    mark = before.fingerprint("test")
    make_image(999, 30, 20).save(images / "test" / "dog" / "0.png")
    after, _ = prepared(images, tmp_path / "task")
    assert after.fingerprint("test") != mark


def test_elevaters_scheme_leaves_the_validation_pool_alone(images: Path, tmp_path: Path) -> None:
    task, _ = prepared(images, tmp_path / "task", replace(NEEDS, scheme="elevater", shots=5))
    assert len(task.images("validation")) == 0 and len(task.pool_labels("validation")) == 15


def test_without_validation_images_a_fifth_of_the_training_images_validates(images: Path, tmp_path: Path) -> None:
    import shutil

    shutil.rmtree(images / "val")
    task, _ = prepared(images, tmp_path / "task")
    assert len(task.pool_labels("train")) == 30 and len(task.pool_labels("validation")) == 6


def test_fewer_test_images_are_a_part_of_more(images: Path, tmp_path: Path) -> None:
    few, _ = prepared(images, tmp_path / "few", replace(NEEDS, test_pictures=4))
    prepared(images, tmp_path / "more", replace(NEEDS, test_pictures=9))
    numbers = [np.load(tmp_path / name / "test_index.npy") for name in ("few", "more")]
    assert len(numbers[0]) == 4 and len(numbers[1]) == 9 and set(numbers[0]) <= set(numbers[1])
    assert len(few.labels("test")) == 4


def test_a_truncated_image_stops_the_study_by_name(images: Path, tmp_path: Path) -> None:
    broken = images / "test" / "dog" / "3.png"
    broken.write_bytes(broken.read_bytes()[:200])
    with pytest.raises(UserError, match=r"1 image of task 'animals' cannot be read.*dog/3\.png.*broken_pictures: skip"):
        prepared(images, tmp_path / "task")
    task, said = prepared(images, tmp_path / "task", replace(NEEDS, broken_pictures="skip"))
    assert len(task.images("test")) == len(task.labels("test")) == 17 and len(task.skipped("test")) == 1
    assert any("dog/3.png" in line and line.endswith("skipped") for line in said)
    assert any(note.startswith("1 of ") and note.endswith("images cannot be read and are left out") for note in task.notes)


def test_a_drawn_image_that_is_broken_leaves_the_draw_one_shorter(images: Path, tmp_path: Path) -> None:
    whole, _ = prepared(images, tmp_path / "whole")
    pools = whole.pool_labels("train"), whole.pool_labels("validation")
    first = draw(*pools, 4, 1, "animals")
    source = readers.find(catalogue.described("animals", {"folder": str(images)}).sources, tmp_path)
    listing = readers.reader(source).read(source, tmp_path)
    name = listing.splits["train"].images.name(int(first.train[0]))
    (images.parent / name if (images.parent / name).exists() else images / name).write_bytes(b"broken")
    task, _ = prepared(images, tmp_path / "task", replace(NEEDS, broken_pictures="skip"))
    assert task.skipped("train") == [int(first.train[0])]
    shorter = first.without(task.skipped("train"), [])
    assert len(shorter.train) == len(first.train) - 1 and sorted(shorter.shots_per_class(3)) == [3, 4, 4]
    assert task.rows("train", shorter.train).shape == shorter.train.shape


def test_more_than_the_disk_holds_is_refused(images: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(preparation.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1000}))
    with pytest.raises(UserError, match=r"'animals' needs .* GB .* are free; make room"):
        prepared(images, tmp_path / "task")


def test_a_class_of_which_nothing_can_be_drawn_is_named(images: Path, tmp_path: Path) -> None:
    manifest = {"train": [["train/dog/0.png", 0, "dog"]], "test": [["test/a mouse/1.png", 1, "mouse"]]}
    import json

    (images / "split.json").write_text(json.dumps(manifest))
    with pytest.raises(UserError, match="mouse"):
        prepared(images / "split.json", tmp_path / "task")


def test_a_task_with_test_images_only_is_a_target_and_no_more(images: Path, tmp_path: Path) -> None:
    import shutil

    whole, _ = prepared(images, tmp_path / "whole")
    for split in ("train", "val"):
        shutil.rmtree(images / split)
    about = {"splits": {"test": "test"}}
    task, _ = prepared(images, tmp_path / "task", replace(NEEDS, shots=0), **about)
    assert len(task.images("test")) == 18 and len(task.images("train")) == len(task.pool_labels("validation")) == 0
    assert task.fingerprint("test") == whole.fingerprint("test") and len(task.reference()) == 0
    with pytest.raises(UserError, match=r"test images only.*`design: domain`"):
        prepared(images, tmp_path / "other", **about)


def test_a_target_needs_no_training_image_decoded(images: Path, tmp_path: Path) -> None:
    task, _ = prepared(images, tmp_path / "task", replace(NEEDS, shots=0))
    assert len(task.images("train")) == len(task.images("validation")) == 0 and len(task.images("test")) == 18


def test_what_a_reader_found_odd_is_said_and_noted(images: Path, tmp_path: Path, monkeypatch) -> None:
    read = readers.reader({"reader": "folder"}).read
    monkeypatch.setattr("promptatlas.tasks.readers.folder.read", lambda *given: replace(read(*given), notes=("2 files are no images",)))
    task, said = prepared(images, tmp_path / "task")
    assert task.notes[0] == "2 files are no images" and "task animals: 2 files are no images" in said


def test_what_was_prepared_when_images_were_read_in_another_way_is_prepared_again(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, _ = prepared(images, tmp_path / "task")
    kept, said = prepared(images, tmp_path / "task")
    assert any("no images to decode" in line for line in said)
    monkeypatch.setattr(upright, "VERSION", upright.VERSION + 1)
    again, said = prepared(images, tmp_path / "task")
    assert any("18 test images to decode" in line for line in said)
    for split in ("train", "validation", "test"):
        assert before.fingerprint(split) == kept.fingerprint(split) == again.fingerprint(split)


ONE_BROKEN = replace(NEEDS, broken_pictures="skip")


def break_all(folder: Path) -> None:
    for file in folder.rglob("*.png"):
        file.write_text("version https://git-lfs.github.com/spec/v1")


def test_a_task_without_a_readable_test_image_is_refused_by_name(images: Path, tmp_path: Path) -> None:
    break_all(images / "test")
    for _ in range(2):  # the same again, and nothing is decoded twice
        with pytest.raises(UserError, match="task 'animals': none of its 18 test images can be read; mend them"):
            prepared(images, tmp_path / "task", ONE_BROKEN)
    assert not (tmp_path / "task" / "task.json").exists()


def test_a_task_without_a_readable_training_image_is_refused_by_name(images: Path, tmp_path: Path) -> None:
    break_all(images / "train")
    with pytest.raises(UserError, match=r"task 'animals': none of the .* training images that are needed can be read"):
        prepared(images, tmp_path / "task", ONE_BROKEN)


def two_classes(root: Path, **counts: tuple[int, int]) -> Path:
    """Splits with so many images of `healthy` and of `tumour`."""
    for split, own in counts.items():
        for name, count in zip(("healthy", "tumour"), own, strict=True):
            (root / split / name).mkdir(parents=True)
            for number in range(count):
                make_image(number, 30, 20).save(root / split / name / f"{number}.png")
    return root


def test_a_metric_that_compares_classes_is_refused_where_the_test_has_one(tmp_path: Path) -> None:
    root = two_classes(tmp_path / "scan", train=(9, 9), val=(5, 5), test=(4, 3))
    break_all(root / "test" / "tumour")
    told = "all 4 test images that can be read are of class 'healthy', but roc_auc compares two classes; add test images of 'tumour', mend"
    with pytest.raises(UserError, match=f"task 'animals': {told}.*`metric: accuracy`"):
        prepared(root, tmp_path / "task", ONE_BROKEN, metric="roc_auc")
    task, said = prepared(root, tmp_path / "other", ONE_BROKEN)
    assert len(task.images("test")) == 4 and any("have no test image" in line and "tumour" in line for line in said)


def test_validation_images_of_one_class_are_said_with_the_remedy(tmp_path: Path) -> None:
    """The test images are sound, so prompts of other tasks may still be tried on them."""
    root = two_classes(tmp_path / "scan", train=(9, 9), val=(5, 0), test=(4, 3))
    (root / "val" / "tumour").rmdir()
    task, said = prepared(root, tmp_path / "task", metric="roc_auc")
    (told,) = [line for line in said if "no prompt can be trained" in line]
    assert "all 4 validation images that are drawn are of class 'healthy'" in told and "add validation images of 'tumour'" in told
    assert "`draw: elevater`" in told and "`metric: accuracy`" in told and len(task.images("test")) == 7
    assert not [line for line in prepared(root, tmp_path / "other")[1] if "no prompt can be trained" in line]


def test_too_few_training_images_to_validate_on_are_said_with_the_remedy(tmp_path: Path) -> None:
    root = two_classes(tmp_path / "oneshot", train=(1, 1), test=(4, 3))
    task, said = prepared(root, tmp_path / "task", replace(NEEDS, shots=1))
    (told,) = [line for line in said if "no prompt can be trained" in line]
    assert "has no validation images" in told and "`draw: elevater`" in told and "add a folder `val`" in told
    assert len(task.images("test")) == 7 and len(task.reference()) == 2
    said = prepared(root, tmp_path / "other", replace(NEEDS, shots=1, scheme="elevater"))[1]
    assert not [line for line in said if "no prompt can be trained" in line]


def test_images_on_which_prompts_are_tried_are_decoded_too(images: Path, tmp_path: Path) -> None:
    """They are in no draw that a prompt is trained on, so they only add to what is there."""
    plain, _ = prepared(images, tmp_path / "plain")
    task, _ = prepared(images, tmp_path / "tried", replace(NEEDS, tried_shots=6, tried_seeds=(3, 4)))
    labels = task.pool_labels("train")
    tried = [nested_draw(labels, (1, 6), seed, "animals").images for seed in (3, 4)]
    assert {*task.index("train")} == {*plain.index("train")}.union(*tried) > {*plain.index("train")}
    for split in ("validation", "test"):
        assert task.fingerprint(split) == plain.fingerprint(split)
    drawn = draw(labels, task.pool_labels("validation"), 4, 1, "animals").train
    assert task.fingerprint("train", drawn) == plain.fingerprint("train", drawn)
