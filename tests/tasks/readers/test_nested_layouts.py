"""Folders in folders, as data of several years, sites and tools come: read as they are meant, or asked about, never taken for classes."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import formats
from promptatlas.base.errors import UserError
from promptatlas.tasks import catalogue
from promptatlas.tasks.readers import folder as reader

NAMES = ["ant", "bee"]
OBJECTS = [{"ant": "0"}, {"bee": "0"}, {"ant": "0", "bee": "0"}]
SHOWN = [[0], [1], [0, 1]]
SPLITS = ("train", "test")


def source(path, **described):
    return catalogue.own("things", {"folder": str(path), **described}).sources[0]


def read(path, **described):
    return reader.read(source(path, **described), path)


def assert_asked(path, words, **described):
    """Whether both the look before any job and the reading end in one sentence with these words."""
    for call in (reader.glance, reader.read):
        with pytest.raises(UserError, match=words):
            call(source(path, **described), path)


@pytest.mark.parametrize("years", [("VOCdevkit/VOC2007", "VOCdevkit/VOC2012"), ("VOC2007", "VOC2007_test")])
def test_several_years_of_voc_are_asked_about_and_one_is_read(tmp_path, years):
    for year in years:
        formats.voc(tmp_path / year, dict.fromkeys(SPLITS, OBJECTS))
    for above in {tmp_path, (tmp_path / years[0]).parent}:
        assert_asked(above, "has VOC2007 and VOC20.*, each with annotations and lists of its own; name one of them")
    assert read(tmp_path / years[0]).splits["test"].labels.tolist() == [[1, 0], [0, 1], [1, 1]]


@pytest.mark.parametrize("below", ["a/b/", "{split}2017/", "images/{split}2017/", "images/a/{split}/"])
def test_names_of_files_in_coco_may_have_folders(tmp_path, below):
    for split in SPLITS:
        root = tmp_path / (f"{split}2017" if below == "a/b/" else "")
        formats.coco(tmp_path / f"annotations/instances_{split}2017.json", root, split, NAMES, SHOWN, below.format(split=split))
    listing = read(tmp_path)
    assert listing.splits["train"].labels.tolist() == [[1, 0], [0, 1], [1, 1]]
    assert all(formats.shows(listing.splits["test"].images.open(row), row, "test", 0) for row in range(3))


def test_folders_that_are_all_called_like_splits_and_hold_images_are_no_classes(tmp_path):
    for split in SPLITS:
        formats.coco(tmp_path / f"{split}.json", tmp_path / split, split, NAMES, SHOWN)
    assert_asked(tmp_path, r"holds 'test' and 'train' with no folders in them, so splits without classes; .*`format: folders`")
    assert_asked(tmp_path, "splits without classes", redraw={"train": 1})
    assert read(tmp_path, format="folders", redraw={"train": 1}).class_names == ("test", "train")


def listed(folder, name, split, images=6):
    """A folder of images of one class with a metadata.parquet."""
    for number in range(images):
        formats.save(folder / f"{number}.png", formats.make_image(NAMES.index(name), split, number))
    pq.write_table(
        pa.table({"file_name": [f"{number}.png" for number in range(images)], "label": [name] * images}), folder / "metadata.parquet"
    )


def test_metadata_in_folders_that_are_no_splits_is_asked_about(tmp_path):
    for name in NAMES:
        listed(tmp_path / name, name, "train")
    assert_asked(tmp_path, "has ant and bee, and which is for what is not known; .* or `format: folders` if they are classes")
    assert read(tmp_path, format="folders").class_names == ("ant", "bee")


def test_metadata_in_class_folders_of_splits_leaves_them_class_folders(tmp_path):
    for split in SPLITS:
        for name in NAMES:
            listed(tmp_path / split / name, name, split)
    listing = read(tmp_path)
    assert listing.class_names == ("ant", "bee") and {split: len(part.labels) for split, part in listing.splits.items()} == {
        "train": 12,
        "test": 12,
    }


@pytest.mark.parametrize("labels", [["ant", "bee"], [["ant"], ["ant", "bee"]]], ids=["one", "several"])
def test_metadata_in_parquet_is_that_of_the_images_beside_it(tmp_path, labels):
    for split in SPLITS:
        for number in range(2):
            formats.save(tmp_path / split / f"a/{number}.png", formats.make_image(number, split, number))
        pq.write_table(pa.table({"file_name": ["a/0.png", "a/1.png"], "label": labels}), tmp_path / split / "metadata.parquet")
    listing = read(tmp_path)
    assert listing.class_names == ("ant", "bee")
    assert listing.splits["train"].labels.tolist() == ([0, 1] if labels[0] == "ant" else [[1, 0], [1, 1]])
    assert all(formats.shows(listing.splits["test"].images.open(row), row, "test", row) for row in range(2))


@pytest.mark.parametrize(
    ("files", "labels", "words"),
    [
        (["0.png", "0.png"], ["ant", "bee"], r"metadata\.parquet: rows 1 and 2 are both of 0\.png"),
        (["0.png", "9.png"], ["ant", "bee"], r"that is not in .*: 9\.png \(row 2\)"),
        (["0.png", "../1.png"], ["ant", "bee"], r"metadata\.parquet, row 2, lists .*outside of"),
        (["0.png", "1.png"], ["ant", None], r"metadata\.parquet, row 2: 1\.png has no `label`"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_metadata_in_parquet_is_one_sentence_with_file_and_row(tmp_path, files, labels, words):
    for number in range(2):
        formats.save(tmp_path / f"{number}.png", formats.make_image(number, "train", number))
    pq.write_table(pa.table({"file_name": files, "label": labels}), tmp_path / "metadata.parquet")
    with pytest.raises(UserError, match=words) as error:
        read(tmp_path)
    assert "\n" not in str(error.value)
