"""Annotations of objects, as COCO and VOC publish them and tools export them: which classes an image shows."""

import json
import os
import re
import shutil

import numpy as np
import pytest
from PIL import Image

import formats
from promptatlas.base.errors import UserError
from promptatlas.tasks import catalogue
from promptatlas.tasks.readers import folder as reader, labelled

NAMES = ["zebra", "apple", "bus stop"]
SHOWN = {"train": [[0, 1], [1, 1, 2], [0], [2, 0]], "val": [[0], [1, 2]], "test": [[2], [0, 1], [1]]}
SPLIT = {"train": "train", "val": "validation", "test": "test"}


def source(path, **described):
    return catalogue.own("street", {"folder": str(path), **described}).sources[0]


def read(path, **described):
    return reader.read(source(path, **described), path)


def marks(things, names=3):
    """What the annotations mean, written down apart from the code: one row per image, a one for each class it shows."""
    return np.array([[int(number in shown) for number in range(names)] for shown in things], np.uint8)


def assert_right(listing, order=(0, 1, 2), shown=SHOWN):
    assert list(listing.class_names) == [NAMES[number] for number in order] and listing.split_source == "own data"
    assert {*listing.splits} == {SPLIT[split] for split in shown}
    for split, things in shown.items():
        part = listing.splits[SPLIT[split]]
        np.testing.assert_array_equal(part.labels, marks(things)[:, list(order)])
        assert all(formats.shows(part.images.open(row), row, split, 0) for row in range(len(things)))


def instances(root, splits=SHOWN, year="2017", below="{split}2017/"):
    for split, shown in splits.items():
        file = root / f"annotations/instances_{split}{year}.json"
        formats.coco(file, root / below.format(split=split), split, NAMES, shown)
    return root


def test_coco_as_published(tmp_path):
    assert_right(read(instances(tmp_path)))
    (tmp_path / "annotations/captions_train2017.json").write_text('{"info": {}, "images": []}')
    assert_right(read(tmp_path))


@pytest.mark.parametrize("below", ["images/{split}2017/", "images/", ""])
def test_coco_with_its_images_elsewhere(tmp_path, below):
    assert_right(read(instances(tmp_path, below=below)))


def test_coco_with_its_images_in_a_place_of_their_own(tmp_path):
    instances(tmp_path / "a", below="../b/")
    assert_right(read(tmp_path / "a", root=str(tmp_path / "b")))
    with pytest.raises(UserError, match=r"lists 4 images that are not in .* say with `root` where they are"):
        read(tmp_path / "a")


def test_coco_as_tools_export_it(tmp_path):
    for split, shown in SHOWN.items():
        folder = tmp_path / {"val": "valid"}.get(split, split)
        formats.coco(folder / "_annotations.coco.json", folder, split, NAMES, shown)
    assert_right(read(tmp_path))
    single = tmp_path / "train"
    (one := tmp_path / "one").mkdir()
    shutil.copytree(single, one / "images")
    shutil.move(one / "images/_annotations.coco.json", one / "result.json")
    listing = read(one / "result.json", redraw={"train": 0.5})
    assert {split: len(part.labels) for split, part in listing.splits.items()} == {"train": 2, "test": 2}
    assert listing.split_source == "promptatlas"
    assert len(reader.look(source(one / "result.json"), one)) == 5


def test_coco_as_fiftyone_exports_it(tmp_path):
    for split, shown in SHOWN.items():
        formats.coco(tmp_path / split / "labels.json", tmp_path / split / "data", split, NAMES, shown)
    assert_right(read(tmp_path))
    assert len(read(tmp_path / "train", redraw={"train": 0.5}).splits["train"].labels) == 2


@pytest.mark.parametrize("below", ["{split}2017/", "images/{split}2017/", "images/"])
def test_images_that_are_missing_are_counted_in_the_folder_that_has_the_others(tmp_path, below):
    instances(tmp_path, below=below)
    (tmp_path / "other").mkdir()
    folder = tmp_path / below.format(split="train")
    for name in ("train_000000.jpg", "train_000002.jpg"):
        (folder / name).unlink()
    Image.new("RGB", (4, 4)).save(tmp_path / "train_000000.jpg")  # a folder that has one of them is not the folder of them
    Image.new("RGB", (4, 4)).save(folder / "unlisted.jpg")
    with pytest.raises(UserError, match=rf"lists 2 images that are not in {re.escape(str(folder))}: train_000000.jpg, train_000002.jpg;"):
        read(tmp_path)


def test_whole_paths_of_coco_below_its_folder_are_read(tmp_path):
    for file in (instances(tmp_path) / "annotations").glob("*.json"):
        content = json.loads(file.read_text())
        for one in content["images"]:
            one["file_name"] = str(tmp_path / file.stem.removeprefix("instances_") / one["file_name"])
        file.write_text(json.dumps(content))
    assert_right(read(tmp_path))


def test_a_split_without_test_images_is_named_with_what_to_write(tmp_path):
    instances(tmp_path, {split: SHOWN[split] for split in ("train", "val")})
    with pytest.raises(UserError, match=r"nothing to test on; .*`splits: {train: train2017, test: val2017}`"):
        read(tmp_path)
    with pytest.raises(UserError, match="nothing to test on"):
        reader.glance(source(tmp_path), tmp_path)
    given = read(tmp_path, splits={"train": "train2017", "test": "val2017"})
    np.testing.assert_array_equal(given.splits["test"].labels, marks(SHOWN["val"]))
    with pytest.raises(UserError, match="has no 'train2014', which `splits` names; did you mean 'train2017'"):
        read(tmp_path, splits={"train": "train2014", "test": "val2017"})
    assert {*labelled(source(tmp_path), tmp_path).splits} == {"train", "validation"}


def test_training_images_alone_are_divided_and_that_is_said(tmp_path):
    instances(tmp_path, {"train": [[number % 3, (number + 1) % 3] for number in range(10)]})
    listing = read(tmp_path)
    assert {split: len(part.labels) for split, part in listing.splits.items()} == {"train": 5, "validation": 2, "test": 3}
    assert "all its images are in train2017, so they are divided" in listing.notes


def test_what_no_image_shows_is_no_class_and_what_shows_nothing_counts(tmp_path):
    formats.coco(tmp_path / "instances.json", tmp_path, "train", [*NAMES, "unused"], [[0, 1], [], [2], [1, 2]])
    listing = read(tmp_path / "instances.json", redraw={"train": 0.5})
    assert list(listing.class_names) == NAMES
    assert "no image shows unused, so it is no class" in listing.notes
    assert "1 image without any object counts as showing none of the classes" in listing.notes


def test_one_class_in_every_image_is_a_label_of_one_class(tmp_path):
    shown = {"train": [[0], [1, 1], [2]], "test": [[2], [1], [0]]}
    listing = read(instances(tmp_path, shown))
    assert listing.splits["train"].labels.tolist() == [0, 1, 2] and listing.splits["test"].labels.tolist() == [2, 1, 0]
    assert listing.notes == ("every image shows exactly one class, so each has one label",)
    instances(tmp_path, {"test": [[2], [1], [0, 1]]})
    assert read(tmp_path).splits["train"].labels.ndim == 2


def broken(tmp_path, change):
    """What is said of a file after `change` to its content, or with the text that this gives."""
    file = instances(tmp_path) / "annotations/instances_train2017.json"
    content = json.loads(file.read_text())
    text = change(content)
    file.write_text(text if isinstance(text, str) and text.startswith("{") else json.dumps(content))
    with pytest.raises(UserError) as error:
        read(tmp_path)
    assert "\n" not in str(error.value)
    return str(error.value).replace(str(file), "FILE")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda one: one["annotations"][2].update(image_id=7), "annotations[2] has the image_id 7, which the file does not list"),
        (lambda one: one["annotations"][1].update(category_id=2), "annotations[1] has the category_id 2"),
        (lambda one: one["annotations"].append(4), "annotations[8] has the image_id nothing"),
        (lambda one: one["images"][1].update(id=500), "images[1] has the id 500 of another"),
        (lambda one: one["images"][1].pop("file_name"), "images[1] has no `file_name`") ,
        (lambda one: one["images"][1].update(file_name=one["images"][0]["file_name"]), "lists \"train_000000.jpg\" twice"),
        (lambda one: one["images"][1].update(file_name="gone.jpg"), "lists 1 image that is not in"),
        (lambda one: one["images"][1].update(file_name="../secret.jpg"), "lists \"../secret.jpg\", which is outside of"),
        (lambda one: one["images"][1].update(file_name="/etc/hostname"), "lists \"/etc/hostname\", which is outside of"),
        (lambda one: one["categories"][1].update(name=" "), "categories[1] has no `name`"),
        (lambda one: one["categories"][1].update(name="Zebra"), "has a class twice, 'zebra' and 'Zebra'"),
        (lambda one: one.pop("annotations") and None, "has no list `annotations`"),
        (lambda one: '{"images": [\n{"id": }', "is no JSON file from line 2 on"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_annotations_of_coco_is_one_sentence_with_file_and_key(tmp_path, change, words):
    said = broken(tmp_path, change)
    assert words in said and ("FILE" in said or "class twice" in said)


def objects(shown):
    return {split: [{NAMES[thing]: "0" for thing in things} for things in several] for split, several in shown.items()}


ORDER = (1, 2, 0)  # of VOC, whose files have no list of classes: by name


@pytest.mark.parametrize("below", ["", "VOC2012", "VOCdevkit/VOC2007"])
def test_voc_as_published(tmp_path, below):
    formats.voc(tmp_path / below, objects(SHOWN))
    (tmp_path / below / "ImageSets/Main/zebra_train.txt").write_text("000000  1\n000001 -1\n")
    (tmp_path / below / "ImageSets/Main/trainval.txt").write_text("000000\n000001\n100000\n")
    assert_right(read(tmp_path), ORDER)


def test_train_and_validation_in_one_list_are_for_training(tmp_path):
    formats.voc(tmp_path, {"trainval": objects(SHOWN)["train"], "test": objects(SHOWN)["test"]})
    np.testing.assert_array_equal(read(tmp_path).splits["train"].labels, marks(SHOWN["train"])[:, list(ORDER)])


def test_voc_as_tools_export_it(tmp_path):
    exported = {{"val": "valid"}.get(split, split): several for split, several in objects(SHOWN).items()}
    formats.voc(tmp_path / "a", exported, exported=True)
    assert {split: part.labels.tolist() for split, part in read(tmp_path / "a").splits.items()} == {
        SPLIT[split]: marks(things)[:, list(ORDER)].tolist() for split, things in SHOWN.items()
    }
    listing = read(tmp_path / "a/train", redraw={"train": 0.5})
    assert sum(len(part.labels) for part in listing.splits.values()) == 4
    formats.save(tmp_path / "a/train/bare.jpg", formats.make_image(0, "train", 0))
    assert "1 image without an annotation is left out: bare" in read(tmp_path / "a").notes


def test_difficult_objects_do_not_count(tmp_path):
    formats.voc(
        tmp_path, {"train": [{"cat": "0", "dog": "1"}, {"dog": "0"}, {"cat": "0", "dog": "0"}], "test": [{"dog": "1"}, {"cat": "0"}]}
    )
    listing = read(tmp_path)
    assert listing.splits["train"].labels.tolist() == [[1, 0], [0, 1], [1, 1]] and listing.splits["test"].labels.tolist() == [
        [0, 0],
        [1, 0],
    ]


ENTITIES = "".join(f'<!ENTITY b{number} "{f"&b{number - 1};" * 30}">' for number in range(1, 9))
BOMB = f'<!DOCTYPE a [<!ENTITY b0 "bbbbbbbbbb">{ENTITIES}]><annotation><object><name>&b8;</name></object></annotation>'


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("Annotations/000001.xml", "<annotation><object>", "is no XML file"),
        ("Annotations/000001.xml", BOMB, "is no XML file"),
        ("Annotations/000001.xml", "<annotation><object><pose>Left</pose></object></annotation>", "has an object without a `name`"),
        ("Annotations/000009.xml", "<annotation/>", ""),
        ("ImageSets/Main/train.txt", "000000\nnone\n", "line 2: there is no annotation none.xml"),
        ("ImageSets/Main/train.txt", "000000\n../../secret\n", "line 2: there is no annotation ../../secret.xml"),
        ("ImageSets/Main/train.txt", "000000\n\n000000\n", "lines 1 and 3 are both 000000"),
        ("ImageSets/Main/train.txt", "", "has no images for train"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_annotations_of_voc_is_one_sentence_with_file_and_line(tmp_path, file, text, words):
    formats.voc(tmp_path, objects(SHOWN))
    (tmp_path / file).write_text(text)
    if not words:  # an annotation that no list names
        assert_right(read(tmp_path), ORDER)
        return
    with pytest.raises(UserError) as error:
        read(tmp_path)
    assert words in str(error.value) and "\n" not in str(error.value)


def test_an_annotation_without_its_image_is_named(tmp_path):
    formats.voc(tmp_path, objects(SHOWN))
    os.remove(tmp_path / "JPEGImages/000002.jpg")
    with pytest.raises(UserError, match=r"000002\.xml has no image in .*JPEGImages"):
        read(tmp_path)
