"""Tasks as a configuration describes them: one's own, and what differs from the catalogue."""

import pytest

from promptatlas.base.errors import UserError
from promptatlas.tasks import catalogue


def test_a_task_of_ones_own_needs_a_folder_only() -> None:
    entry = catalogue.own("garden", {"folder": "pictures/garden"})
    assert entry.sources == ({"reader": "folder", "path": "pictures/garden"},)
    assert (entry.task.title, entry.task.family, entry.task.metric) == ("garden", "own", "accuracy")
    assert entry.task.templates == ("a photo of a {}.",)
    assert entry.task.class_names == ()


def test_a_task_of_ones_own_can_be_a_manifest_with_its_root() -> None:
    entry = catalogue.own("x", {"folder": "/lists/x.json", "root": "/pictures", "metric": "map_11_point"})
    assert entry.sources == ({"reader": "folder", "manifest": "/lists/x.json", "path": "/pictures"},)
    assert entry.task.multilabel
    assert catalogue.own("x", {"folder": "/lists/x.json"}).sources == ({"reader": "folder", "manifest": "/lists/x.json"},)


def test_a_task_of_ones_own_can_come_from_any_reader() -> None:
    source = {"reader": "torchvision", "dataset": "SVHN", "splits": {"train": {"split": "train"}, "test": {"split": "test"}}}
    entry = catalogue.own("numbers", {"source": source, "classes": ["zero", ["one", "1"]]})
    assert entry.sources == (source,) and entry.spellings == {"1": "one"}


def test_class_names_that_are_read_lose_their_underscores_and_keep_their_spelling() -> None:
    entry = catalogue.own("garden", {"folder": "g"}).with_classes(["Red_Rose", "elder", "lily_of_the_valley"])
    assert entry.task.class_names == ("Red Rose", "elder", "lily of the valley")
    assert entry.spellings == {"Red_Rose": "Red Rose", "lily_of_the_valley": "lily of the valley"}


@pytest.mark.parametrize(
    ("names", "message"),
    [(["a_b", "a b"], "two classes called 'a b'"), (["rose"], "only the class 'rose'"), ([], "no class")],
)
def test_class_names_that_make_no_task_are_refused(names: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        catalogue.own("garden", {"folder": "g"}).with_classes(names)


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ({}, "the description of task `garden` needs either `folder` .* or `source`"),
        ({"source": {"reader": "torchvison"}}, "`source.reader` in .* must be one of torchvision, huggingface, folder"),
        ({"source": {"reader": "torchvision"}}, "`source` in .* lacks the key `dataset`: class of torchvision.datasets"),
        ({"source": {"reader": "folder", "pth": "g"}}, "unknown key `pth` in `source` in .*; did you mean `path`"),
        ({"foldr": "g"}, "unknown key `foldr` in the description of task `garden`; did you mean `folder`"),
        ({"folder": "g", "metric": "accurracy"}, "`metric` in .* must be one of accuracy, .* not 'accurracy'"),
        ({"folder": "g", "templates": ["a"]}, "`templates.0` in .* must contain {} where the class name goes, not 'a'"),
        ({"folder": "g", "classes": ["rose"]}, "`classes` in .* must list at least 2"),
        ({"folder": "g", "classes": ["rose", 3]}, "`classes.1` in .* must be a name, or a list of"),
        ({"folder": "g", "redraw": {"train": 1.5}}, "`redraw.train` in .* must be images per class .* not 1.5"),
        ({"folder": "g", "classes": ["a", "b", "c"], "metric": "roc_auc"}, "roc_auc needs exactly two classes"),
    ],
)
def test_mistakes_in_a_description_are_one_sentence(description: dict, message: str) -> None:
    with pytest.raises(UserError, match=message) as mistake:
        catalogue.own("garden", description)
    assert "\n" not in str(mistake.value)


def test_a_study_can_choose_among_the_sources_of_a_task() -> None:
    for reader in ("torchvision", "huggingface", "folder"):
        sources = catalogue.described("mnist", {"source": reader}).sources
        assert sources and {source["reader"] for source in sources} == {reader}
    with pytest.raises(UserError, match="`coop-dtd` has no source of reader torchvision; known are folder"):
        catalogue.described("coop-dtd", {"source": "torchvision"})


def test_a_study_can_say_where_the_data_of_a_task_are() -> None:
    assert catalogue.described("mnist", {"folder": "/d"}).sources == ({"reader": "folder", "path": "/d"},)
    # the catalogue knows how a tree of Caltech-101 is divided
    caltech = {"reader": "folder", "path": "/d", "redraw": {"train": 30, "validation": 0}}
    assert catalogue.described("caltech-101", {"folder": "/d"}).sources == (caltech,)
    divided = {"reader": "folder", "path": "/d", "splits": {"train": "a", "test": "b"}}
    assert catalogue.described("caltech-101", {"folder": "/d", "splits": {"train": "a", "test": "b"}}).sources == (divided,)
    listed = {"reader": "folder", "manifest": "/d/s.json", "path": "/p"}
    assert catalogue.described("coop-dtd", {"folder": "/d/s.json", "root": "/p"}).sources == (listed,)
    (source,) = catalogue.described("mnist", {"root": "torch"}).sources
    assert source["root"] == "torch" and source["dataset"] == "MNIST"


def test_a_study_can_take_another_mirror_or_revision() -> None:
    (source,) = catalogue.described("mnist", {"repository": "me/digits"}).sources
    assert (source["repository"], source["revision"], source["image"]) == ("me/digits", "main", "image")
    (source,) = catalogue.described("mnist", {"revision": "abc"}).sources
    assert (source["repository"], source["revision"]) == ("mteb/mnist", "abc")


def test_templates_of_ones_own_have_no_expected_score() -> None:
    entry = catalogue.described("mnist", {"templates": ["{}"], "resize": "squash"})
    assert (entry.task.templates, entry.resize, entry.expected_zero_shot) == (("{}",), "squash", {})
    assert catalogue.described("mnist", {}) == catalogue.entry("mnist")


def test_some_of_the_classes_are_a_task_of_their_own() -> None:
    entry = catalogue.described("oxford-iiit-pets", {"classes": ["Bengal", "Abyssinian"]})
    assert entry.task.class_names == ("Bengal", "Abyssinian") and not entry.expected_zero_shot and not entry.sizes
    assert set(entry.spellings.values()) <= {"Bengal", "Abyssinian"}
    with pytest.raises(UserError, match="'Bengall' is none of its classes; did you mean 'Bengal'"):
        catalogue.described("oxford-iiit-pets", {"classes": ["Bengall", "Abyssinian"]})


def test_a_name_that_the_catalogue_does_not_know_is_a_task_of_ones_own() -> None:
    assert catalogue.described("garden", {"folder": "g"}).task.family == "own"
    with pytest.raises(UserError, match="'shapes' is drawn by promptatlas"):
        catalogue.described("shapes", {"folder": "g"})
