"""Folders of images and manifests become listings, and what cannot be a task is refused in one sentence."""

import json
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import formats
from promptatlas.base.errors import UserError
from promptatlas.tasks.readers import find, folder, reader

NAMES = ["cat 2", 'dog\'s "best"', "-dash", "Äpfel", "cat 10"]
TREE = {"reader": "folder", "path": "own"}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    formats.tree(tmp_path / "own", NAMES, {"train": "train", "validation": "val", "test": "test"})
    return tmp_path


def shown(listing, split: str) -> list[str]:
    part = listing.splits[split]
    return [os.path.relpath(part.images.name(row), part.images.root) for row in range(len(part.images))]


def refused(source: dict, data_root: Path, words: str) -> bool:
    """Whether reading ends in one short sentence with these words."""
    with pytest.raises(UserError, match=words) as error:
        reader(source).read(source, data_root)
    return "\n" not in str(error.value) and len(str(error.value)) < 600


@pytest.mark.parametrize("name", ["val", "valid", "validation", "Validation"])
def test_a_tree_with_split_folders_keeps_its_splits(tmp_path: Path, name: str) -> None:
    formats.tree(tmp_path / "own", NAMES, {"train": "train", "validation": name, "test": "test"})
    listing = folder.read(TREE, tmp_path)
    assert listing.class_names == ("-dash", "cat 2", "cat 10", 'dog\'s "best"', "Äpfel")
    assert list(listing.splits) == ["train", "validation", "test"]
    assert listing.split_source == "own folders"
    for split, part in listing.splits.items():
        assert len(part.images) == len(part.labels) == 5 * formats.PER_CLASS[split]
        assert part.labels.dtype == np.int64
        for row, label in enumerate(part.labels):
            path = Path(part.images.name(row))
            assert path.parent.name == listing.class_names[label]
            assert formats.shows(part.images.open(row), NAMES.index(path.parent.name), split, int(path.stem))


def test_a_tree_without_validation_has_no_validation_split(tmp_path: Path) -> None:
    formats.tree(tmp_path / "own", NAMES, {"train": "train", "test": "test"})
    assert list(folder.read(TREE, tmp_path).splits) == ["train", "test"]


def test_class_folders_alone_are_split_by_halves_and_fifths_of_every_class(tmp_path: Path) -> None:
    for name, count in (("a", 10), ("b", 25)):
        for number in range(count):
            formats.save(tmp_path / "own" / name / f"{number}.png", formats.make_image(0, "all", number))
    listing = folder.read(TREE, tmp_path)
    counts = {split: np.bincount(part.labels).tolist() for split, part in listing.splits.items()}
    assert counts == {"train": [5, 12], "validation": [2, 5], "test": [3, 8]}
    assert listing.split_source == "promptatlas"
    names = [part.images.name(row) for part in listing.splits.values() for row in range(len(part.images))]
    assert len(set(names)) == 35


def test_the_split_of_class_folders_does_not_depend_on_where_they_lie(tmp_path: Path) -> None:
    formats.tree(tmp_path / "one" / "own", NAMES, {"train": "."})
    shutil.copytree(tmp_path / "one", tmp_path / "other")
    first = folder.read(TREE | {"redraw": {"train": 1}}, tmp_path / "one")
    elsewhere = {"path": str(tmp_path / "other" / "own"), "redraw": {"train": 1}}
    second = folder.read(TREE | elsewhere, tmp_path)
    for split in first.splits:
        np.testing.assert_array_equal(first.splits[split].images.rows, second.splits[split].images.rows)


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    formats.tree(tmp_path / "own", ["bus", "train", "test"], {"train": "."})
    assert folder.read(TREE | {"redraw": {"train": 1}}, tmp_path).class_names == ("bus", "test", "train")


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("training", "validation", "Test"), "'Test' and 'training' and 'validation'"),
        (("dev", "eval"), "'dev' and 'eval'"),
        (("Training", "images", "labels"), "'Training'"),
        (("testing", "Holdout"), "'Holdout' and 'testing'"),
    ],
)
def test_folders_of_folders_that_are_called_like_splits_are_never_classes(tmp_path: Path, names, told: str) -> None:
    for name in names:
        formats.tree(tmp_path / "own", NAMES, {"train": name})
    assert refused(TREE, tmp_path, f"{told} with folders in them.*splits: {{train: ..., test: ...}}")
    with pytest.raises(UserError, match=told):
        folder.glance(TREE, tmp_path)


def test_a_tree_that_is_split_already_is_not_redrawn_as_if_its_splits_were_classes(tree: Path) -> None:
    assert refused(TREE | {"redraw": {"train": 0.5}}, tree, "splits: {all: .test, train, val.}")
    whole = folder.read(TREE | {"redraw": {"train": 0.5}, "splits": {"all": ["train", "val", "test"]}}, tree)
    assert sorted(whole.class_names) == sorted(NAMES)


def test_class_folders_that_hold_folders_only_are_noted(tmp_path: Path, tree: Path) -> None:
    for year in ("2023", "2024"):
        formats.tree(tmp_path / "years", NAMES, {"train": year})
    assert any("no class folder (2023, 2024) holds images itself" in note for note in folder.read(TREE | {"path": "years"}, tmp_path).notes)
    assert not any("holds images itself" in note for note in folder.read(TREE, tree).notes)


def test_images_of_a_class_are_in_natural_order_and_found_in_its_sub_folders(tmp_path: Path) -> None:
    for path in ("a/10.png", "a/9.png", "a/sub 2/1.PNG", "a/sub 10/1.jpeg", "b/1.png"):
        for split in ("train", "test"):
            (tmp_path / "own" / split / path).parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (4, 4)).save(tmp_path / "own" / split / path)
    natural = ["a/9.png", "a/10.png", "a/sub 2/1.PNG", "a/sub 10/1.jpeg", "b/1.png"]
    assert shown(folder.read(TREE, tmp_path), "train") == natural


def test_hidden_and_other_files_are_ignored(tree: Path) -> None:
    before = folder.read(TREE, tree)
    others = ["notes.txt", "train/.hidden/1.jpg", "train/cat 2/Thumbs.db", "train/cat 2/._0.jpg", "train/list.csv"]
    for path in (".DS_Store", *others):
        (tree / "own" / path).parent.mkdir(exist_ok=True)
        (tree / "own" / path).write_bytes(b"x")
    after = folder.read(TREE, tree)
    assert after.class_names == before.class_names
    assert after.splits["train"].stamp == before.splits["train"].stamp


def test_linked_folders_and_files_are_followed(tree: Path) -> None:
    elsewhere = tree / "elsewhere"
    (tree / "own/train/cat 2").rename(elsewhere)
    (tree / "own/train/cat 2").symlink_to(elsewhere)
    (tree / "linked").symlink_to(tree / "own")
    listing = folder.read(TREE | {"path": "linked"}, tree)
    assert np.bincount(listing.splits["train"].labels).tolist() == [3] * 5


def test_splits_may_be_named_by_the_source(tmp_path: Path) -> None:
    formats.tree(tmp_path / "own", NAMES, {"train": "train", "test": "val"})
    listing = folder.read(TREE | {"splits": {"train": "train", "test": "val"}, "split_source": "official"}, tmp_path)
    assert list(listing.splits) == ["train", "test"] and listing.split_source == "official"
    only = folder.read(TREE | {"splits": {"test": "val"}}, tmp_path)
    assert list(only.splits) == ["test"]


def test_the_stamp_changes_with_names_sizes_and_times_of_files(tree: Path) -> None:
    stamps = [folder.read(TREE, tree).splits["train"].stamp]
    file = tree / "own/train/cat 2/0.jpg"
    os.utime(file, ns=(1, 1))
    stamps.append(folder.read(TREE, tree).splits["train"].stamp)
    file.rename(file.with_name("7.jpg"))
    stamps.append(folder.read(TREE, tree).splits["train"].stamp)
    file.with_name("7.jpg").write_bytes(b"longer than before" * 100)
    os.utime(file.with_name("7.jpg"), ns=(1, 1))
    stamps.append(folder.read(TREE, tree).splits["train"].stamp)
    assert len(set(stamps)) == 4
    assert folder.read(TREE, tree).splits["train"].stamp == stamps[-1]


@pytest.mark.slow
def test_a_hundred_thousand_files_are_listed(tmp_path: Path) -> None:
    """Through links: a class of a thousand is written once."""
    (tmp_path / "thousand").mkdir()
    for number in range(1000):
        (tmp_path / "thousand" / f"image_{number}.jpg").touch()
    (tmp_path / "own").mkdir()
    for name in range(100):
        (tmp_path / "own" / str(name)).symlink_to(tmp_path / "thousand")
    listing = folder.read(TREE, tmp_path)
    assert sum(len(part.labels) for part in listing.splits.values()) == 100_000
    assert len(pickle.dumps(listing.splits["train"].images)) < 10e6


def test_an_image_can_be_opened_in_another_process(tree: Path) -> None:
    images = folder.read(TREE, tree).splits["test"].images
    copy = pickle.loads(pickle.dumps(images))
    assert copy.open(3).tobytes() == images.open(3).tobytes()


def test_a_truncated_image_raises_when_it_is_opened(tree: Path) -> None:
    file = tree / "own/test/-dash/0.jpg"
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(OSError, match=r"(?i)truncated|cannot identify"):
        folder.read(TREE, tree).splits["test"].images.open(0)


def test_an_empty_class_folder_is_named(tree: Path) -> None:
    (tree / "own/train/zebra").mkdir()
    (tree / "own/train/zebra/readme.txt").write_text("none yet")
    assert refused(TREE, tree, "class folder .*own/train/zebra has no images; fill it or remove it")


@pytest.mark.parametrize(("one", "other"), [("Cat", "cat"), ("big_cat", "big cat"), ("big-cat", "Big  Cat"), ("caf\u00e9", "cafe\u0301")])
def test_a_class_twice_is_refused(tmp_path: Path, one: str, other: str) -> None:
    formats.tree(tmp_path / "own", [one, other, "dog"], {"train": "train", "test": "test"})
    assert refused(TREE, tmp_path, "has a class twice")


def test_the_same_class_spelt_differently_in_train_and_test_is_refused(tmp_path: Path) -> None:
    formats.tree(tmp_path / "own", ["Cat", "dog"], {"train": "train"})
    formats.tree(tmp_path / "own", ["cat", "dog"], {"test": "test"})
    assert refused(TREE, tmp_path, "has a class twice, 'Cat' and 'cat'")


def test_a_class_that_only_the_test_shows_is_refused(tree: Path) -> None:
    shutil.copytree(tree / "own/test/cat 2", tree / "own/test/zebra")
    assert refused(TREE, tree, "no train image of 'zebra', but test images")


def test_a_missing_test_folder_is_named(tree: Path) -> None:
    shutil.rmtree(tree / "own/test")
    assert refused(TREE, tree, "has a train folder but no test folder")


def test_two_validation_folders_are_refused(tree: Path) -> None:
    shutil.copytree(tree / "own/val", tree / "own/validation")
    assert refused(TREE, tree, "two folders for validation")


def test_no_images_at_all_is_said(tmp_path: Path) -> None:
    assert refused(TREE, tmp_path, "no images at .*own: put one folder of images per class")
    (tmp_path / "own").mkdir()
    assert refused(TREE, tmp_path, "has no folders named by class")
    Image.new("RGB", (4, 4)).save(tmp_path / "own/loose.png")
    assert refused(TREE, tmp_path, "images directly in it belong to no class")


def test_a_link_to_nothing_and_a_link_in_a_circle_are_named(tree: Path) -> None:
    link = tree / "own/train/cat 2/gone.jpg"
    link.symlink_to(tree / "gone.jpg")
    assert refused(TREE, tree, "gone.jpg is a link to a file that is not there")
    link.unlink()
    (tree / "own/train/cat 2/round").symlink_to(tree / "own/train/cat 2")
    assert refused(TREE, tree, "is a link to a folder that contains it")


def test_a_class_with_too_few_images_to_split_is_named(tmp_path: Path) -> None:
    formats.tree(tmp_path / "own", ["cat", "dog"], {"test": "."})
    assert refused(TREE, tmp_path, "class 'cat' has 2 images, too few")


def test_readers_and_sources_are_found_by_name(tree: Path) -> None:
    missing = {"reader": "folder", "path": "elsewhere"}
    assert find([missing, TREE], tree) == TREE
    assert find([missing], tree) is None
    assert "elsewhere/train" in folder.advice(missing, tree)
    with pytest.raises(UserError, match="elsewhere"):
        folder.download(missing, tree)
    with pytest.raises(UserError, match="did you mean 'folder'"):
        reader({"reader": "foldr"})


@pytest.mark.parametrize("splits", [{"trian": "train"}, {"all": "."}, {}, ["train"]])
def test_splits_that_do_not_exist_are_refused(tree: Path, splits) -> None:
    source = TREE | {"splits": splits}
    if splits == {}:
        assert list(folder.read(source | {"redraw": {"train": 1}}, tree).splits) == ["train", "test"]
    else:
        assert refused(source, tree, "`splits` of source own")


MANIFEST = {"reader": "folder", "manifest": "split_zhou_own.json", "path": "own"}


def write(tmp_path: Path, content, images: bool = True) -> None:
    """A manifest, and an image for each of its rows that has a harmless path."""
    text = content if isinstance(content, str) else json.dumps(content)
    (tmp_path / "split_zhou_own.json").write_text(text)
    (tmp_path / "own").mkdir(exist_ok=True)
    for row in [row for rows in content.values() for row in rows] if images else []:
        formats.save(tmp_path / "own" / row[0], formats.make_image(0, "all", 0))


GOOD = {
    "train": [["b/2.jpg", 5, "two"], ["b/1.jpg", 5, "two"], ["a.jpg", 0, "one"]],
    "val": [["c.jpg", 0, "one"]],
    "test": [["d.jpg", 5, "two"]],
}


def test_a_manifest_keeps_its_order_and_its_gaps_in_numbers_close(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    listing = folder.read(MANIFEST, tmp_path)
    assert listing.class_names == ("one", "two") and listing.split_source == "manifest"
    assert shown(listing, "train") == ["b/2.jpg", "b/1.jpg", "a.jpg"]
    assert {split: part.labels.tolist() for split, part in listing.splits.items()} == {
        "train": [1, 1, 0],
        "validation": [0],
        "test": [1],
    }


def test_a_published_style_manifest_gives_every_image_its_class(tmp_path: Path) -> None:
    formats.manifest(tmp_path / "split_zhou_own.json", tmp_path / "own", NAMES)
    listing = folder.read(MANIFEST, tmp_path)
    assert list(listing.class_names) == NAMES
    for split, part in listing.splits.items():
        for row, label in enumerate(part.labels):
            number = int(Path(part.images.name(row)).stem.split("_")[1])
            assert formats.shows(part.images.open(row), label, split, number)


def test_a_manifest_row_may_have_several_classes_or_none(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "train": [["a.jpg", [0, 2], ["cat", "dog"]], ["b.jpg", [1], ["cow"]], ["c.jpg", [], []]],
            "test": [["d.jpg", [2], ["dog"]]],
        },
    )
    listing = folder.read(MANIFEST, tmp_path)
    assert listing.class_names == ("cat", "cow", "dog")
    assert listing.splits["train"].labels.dtype == np.uint8
    assert listing.splits["train"].labels.tolist() == [[1, 0, 1], [0, 1, 0], [0, 0, 0]]
    assert "validation" not in listing.splits


def test_a_manifest_alone_has_its_images_beside_it(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    (tmp_path / "split_zhou_own.json").rename(tmp_path / "own/split_zhou_own.json")
    source = {"reader": "folder", "manifest": "own/split_zhou_own.json"}
    assert folder.present(source, tmp_path)
    assert len(folder.read(source, tmp_path).splits["train"].labels) == 3


def test_links_that_stay_inside_the_root_are_fine(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    (tmp_path / "own/a.jpg").unlink()
    (tmp_path / "own/a.jpg").symlink_to(tmp_path / "own/b/1.jpg")
    (tmp_path / "linked").symlink_to(tmp_path / "own")
    assert len(folder.read(MANIFEST | {"path": "linked"}, tmp_path).splits["train"].labels) == 3


@pytest.mark.parametrize("path", ["/etc/hostname", "../secret.jpg", "b/../../secret.jpg", "link.jpg", "away/secret.jpg", "..\\secret.jpg"])
def test_a_path_out_of_the_root_is_refused(tmp_path: Path, path: str) -> None:
    write(tmp_path, GOOD)
    formats.save(tmp_path / "secret.jpg", formats.make_image(0, "all", 0))
    (tmp_path / "own/link.jpg").symlink_to(tmp_path / "secret.jpg")
    (tmp_path / "own/away").symlink_to(tmp_path)
    write(tmp_path, GOOD | {"test": [[path, 0, "one"]]}, images=False)
    assert refused(MANIFEST, tmp_path, "which is outside of")


def changed(split: str, rows: list) -> dict:
    return GOOD | {split: rows}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{not json", "is not a JSON file"),
        ("[" * 100_000, "is not a JSON file"),
        ([], 'must be an object with "train", "test"'),
        ({"train": GOOD["train"]}, 'must be an object with "train", "test"'),
        (GOOD | {"tset": []}, 'must be an object with "train", "test"'),
        (GOOD | {"validation": []}, 'both "val" and "validation"'),
        (changed("test", {}), "'test' must be a list of rows"),
        (changed("test", []), "has no test images at all"),
        (changed("test", [["d.jpg", 5]]), r"row 0 of 'test' is \[\"d.jpg\", 5\]"),
        (changed("test", ["d.jpg"]), "row 0 of 'test' is \"d.jpg\""),
        (changed("test", [[3, 5, "two"]]), "row 0 of 'test'"),
        (changed("test", [["", 5, "two"]]), "row 0 of 'test'"),
        (changed("test", [["d.jpg", 1.5, "two"]]), "label 1.5, which is no whole number"),
        (changed("test", [["d.jpg", "5", "two"]]), 'label "5", which is no whole number'),
        (changed("test", [["d.jpg", True, "two"]]), "label true, which is no whole number"),
        (changed("test", [["d.jpg", -1, "two"]]), "label -1, which is no whole number"),
        (changed("test", [["d.jpg", None, "two"]]), "label null, which is no whole number"),
        (changed("test", [["d.jpg", 5, ""]]), 'class name ""'),
        (changed("test", [["d.jpg", 5, 5]]), "class name 5"),
        (changed("test", [["d.jpg", 5, "three"]]), "calls label 5 'three', but it was 'two' before"),
        (changed("test", [["d.jpg", 6, "two"]]), "has a class twice, 'two' and 'two'"),
        (changed("test", [["d.jpg", 6, "Two"]]), "has a class twice, 'two' and 'Two'"),
        (changed("test", [["d.jpg", 6, "six"]]), "no train image of 'six'"),
        (changed("test", [["d.jpg", [5], ["two"]]]), "do not mix"),
        ({"train": [["a.jpg", [0, 1], ["one"]]], "test": [["b.jpg", [0], ["one"]]]}, "2 labels but 1 class names"),
    ],
)
def test_a_manifest_that_cannot_be_understood_is_refused(tmp_path: Path, content, words: str) -> None:
    write(tmp_path, GOOD)
    write(tmp_path, content, images=False)
    assert refused(MANIFEST, tmp_path, words)


def test_missing_files_of_a_manifest_are_counted_and_the_first_named(tmp_path: Path) -> None:
    rows = [[f"gone{number}.jpg", 0, "one"] for number in range(7)]
    write(tmp_path, GOOD | {"test": rows}, images=False)
    formats.save(tmp_path / "own/a.jpg", formats.make_image(0, "all", 0))
    assert refused(MANIFEST, tmp_path, "lists 10 images that are not in .*: b/2.jpg, b/1.jpg, c.jpg and 7 more")
    write(tmp_path, GOOD)
    write(tmp_path, GOOD | {"test": rows}, images=False)
    assert refused(MANIFEST, tmp_path, "7 images that are not in .*: gone0.jpg, gone1.jpg, gone2.jpg and 4 more")
