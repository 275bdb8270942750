"""Labels are mapped by the names of classes: the traps of real data sets, each with what would go wrong by number."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from promptatlas.base.errors import UserError
from promptatlas.tasks import catalogue
from promptatlas.tasks.labels import normalise, relabel
from promptatlas.tasks.listing import Listing, Split

REALDATA = Path(__file__).resolve().parents[3] / "shared" / "realdata"


@dataclass(frozen=True)
class Named:
    """Images that are never opened."""

    count: int

    def __len__(self) -> int:
        return self.count

    def open(self, index: int):
        raise AssertionError("labels are mapped without looking at images")

    def name(self, index: int) -> str:
        return str(index)


def listing(names: list[str], labels=None) -> Listing:
    labels = np.arange(len(names)) if labels is None else np.asarray(labels)
    return Listing(tuple(names), {"train": Split(Named(len(labels)), labels, "stamp")}, "official")


def meanings(names: list[str], task: str) -> list[str]:
    """What each of the source's classes becomes."""
    found = relabel(listing(names), catalogue.entry(task))
    return [found.class_names[label] for label in found.splits["train"].labels]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Apply_Eye_Makeup", "apply eye makeup"),
        ("F/A-18", "F-A-18"),
        ("Ram C/V Cargo Van", "ram c v cargo van"),
        ("Crème brûlée", "creme_brulee"),
        ("colt's  foot", "colts foot"),
        ("pink-yellow dahlia?", "pink yellow dahlia"),
        ("Straße", "STRASSE"),
    ],
)
def test_spellings_of_one_name_are_normalised_to_the_same(one: str, other: str) -> None:
    assert normalise(one) == normalise(other) != ""


def test_names_in_other_scripts_stay_apart() -> None:
    assert len({normalise(name) for name in ("猫", "犬", "кошка", "собака")}) == 4


def test_classes_in_another_order_are_renumbered_by_name() -> None:
    alphabetical = sorted(catalogue.task("cifar-100").class_names)
    assert alphabetical != list(catalogue.task("cifar-100").class_names)
    assert meanings([name.replace(" ", "_") for name in alphabetical], "cifar-100") == alphabetical
    mirror = ["cra" if name == "crab" else name for name in alphabetical]
    assert meanings(mirror, "cifar-100") == alphabetical


def test_cheesecake_is_not_a_cheese_plate() -> None:
    folders = sorted(name.replace(" ", "_") for name in catalogue.task("food-101").class_names)
    assert folders.index("cheese_plate") < folders.index("cheesecake")
    assert meanings(folders, "food-101") == [folder.replace("_", " ") for folder in folders]


def test_kaggles_emotions_are_mapped_although_it_counts_them_otherwise() -> None:
    kaggle = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
    assert meanings(kaggle, "fer-2013") == ["angry", "disgusted", "fearful", "happy", "sad", "surprised", "neutral"]


def test_digits_of_torchvision_are_digits() -> None:
    words = "zero one two three four five six seven eight nine".split()
    assert meanings([f"{digit} - {word}" for digit, word in enumerate(words)], "mnist") == [str(digit) for digit in range(10)]


def test_names_of_flowers_that_drift_are_the_same_flowers() -> None:
    drifted = {"globe flower": "globe-flower", "pink and yellow dahlia": "pink-yellow dahlia?", "air plant": "ball moss"}
    names = list(catalogue.task("oxford-flower-102").class_names)
    assert meanings([drifted.get(name, name) for name in names], "oxford-flower-102") == names
    ours = list(catalogue.task("coop-oxford-flowers").class_names)
    assert meanings(names, "coop-oxford-flowers") == ours


def test_eurosats_folders_are_known_to_both_benchmarks() -> None:
    folders = "AnnualCrop Forest HerbaceousVegetation Highway Industrial Pasture PermanentCrop Residential River SeaLake".split()
    prompts = meanings(folders, "eurosat_clip")
    assert prompts[0] == "annual crop land" and prompts[2] == "brushland or shrubland" and prompts[9] == "lake or sea"
    assert meanings(folders, "coop-eurosat")[2] == "Herbaceous Vegetation Land"
    assert meanings(prompts, "eurosat_clip") == prompts


def test_numbers_of_signs_and_distances_are_their_names() -> None:
    signs = list(catalogue.task("gtsrb").class_names)
    assert meanings([f"{number:05d}" for number in range(43)], "gtsrb") == signs
    assert meanings([str(number) for number in range(43)], "gtsrb") == signs
    assert meanings(list("0123"), "kitti-distance")[3] == "a photo i took with no car."


def test_coops_manifest_names_are_the_catalogues() -> None:
    actions = list(catalogue.task("coop-ucf101").class_names)
    assert meanings([action.replace(" ", "_") for action in actions], "coop-ucf101") == actions
    assert actions[0] == "Apply Eye Makeup"
    cars = list(catalogue.task("coop-stanford-cars").class_names)
    assert "2012 Ram C/V Cargo Van Minivan" in cars
    by_year_last = [" ".join([*car.split()[1:], car.split()[0]]) for car in cars]
    assert meanings(by_year_last, "coop-stanford-cars") == cars


@pytest.mark.skipif(not (REALDATA / "caltech101").is_dir(), reason="needs ../shared/realdata/caltech101")
def test_the_folders_of_caltech_are_its_102_classes() -> None:
    folders = sorted(path.name for path in (REALDATA / "caltech101" / "caltech101" / "101_ObjectCategories").iterdir())
    found = dict(zip(folders, meanings(folders, "caltech-101"), strict=True))
    assert len(found) == 102
    assert (found["BACKGROUND_Google"], found["Faces_easy"], found["Leopards"]) == ("background", "centered face", "leopard")
    coop = [folder for folder in folders if folder not in ("BACKGROUND_Google", "Faces_easy")]
    assert meanings(coop, "coop-caltech101")[:3] == ["face", "leopard", "motorbike"]


def test_marks_of_several_classes_move_with_their_classes() -> None:
    names = list(catalogue.task("voc-2007-classification").class_names)
    shuffled = names[::-1]
    labels = np.zeros((2, 20), dtype=np.uint8)
    labels[0, shuffled.index("dog")] = labels[0, shuffled.index("sofa")] = labels[1, shuffled.index("person")] = 1
    moved = relabel(listing(shuffled, labels), catalogue.entry("voc-2007-classification")).splits["train"].labels
    shown = [[names[column] for column in np.flatnonzero(row)] for row in moved]
    assert shown == [["dog", "sofa"], ["person"]] and moved.dtype == np.uint8


def test_all_else_of_a_listing_stays() -> None:
    before = listing(["AnnualCrop", "Forest"], [1, 1, 0])
    entry = catalogue.own("fields", {"folder": "f", "classes": ["forest", ["annual crops", "AnnualCrop"]]})
    after = relabel(before, entry)
    assert after.class_names == ("forest", "annual crops") and after.splits["train"].labels.tolist() == [0, 0, 1]
    assert after.split_source == "official"
    assert after.splits["train"].stamp == "stamp" and after.splits["train"].images is before.splits["train"].images


def test_folders_of_ones_own_are_matched_after_their_names_were_read() -> None:
    names = ["Red_Rose", "C++", "C#", "elder"]
    entry = catalogue.own("own", {"folder": "f"}).with_classes(names)
    assert relabel(listing(names), entry).splits["train"].labels.tolist() == [0, 1, 2, 3]


def test_a_mismatch_shows_both_lists() -> None:
    names = [*catalogue.task("cifar-10").class_names[:8], "boat", "lorry"]
    with pytest.raises(UserError, match="only the data have 'boat', 'lorry'; only the task has 'ship', 'truck'"):
        relabel(listing(names), catalogue.entry("cifar-10"))


def test_a_long_mismatch_is_cut_short() -> None:
    with pytest.raises(UserError, match=r"only the task has 'banded'.* and 39 more;"):
        relabel(listing([]), catalogue.entry("dtd"))


def test_a_class_twice_is_refused() -> None:
    entry = catalogue.own("own", {"folder": "f", "classes": [["face", "Faces"], "dog"]})
    with pytest.raises(UserError, match="the data have 'Faces', 'face' for the one class 'face'; only the task has 'dog'"):
        relabel(listing(["Faces", "face"]), entry)


def test_three_breeds_of_pets_with_labels_up_to_five_are_refused() -> None:
    three = listing(["Abyssinian", "American Bulldog", "Bengal"], [0, 1, 5])
    with pytest.raises(UserError, match="'oxford-iiit-pets', split train: an image has label 5, but the data name 3 classes"):
        relabel(three, catalogue.entry("oxford-iiit-pets"))


@pytest.mark.parametrize("labels", [np.zeros((2, 3), np.uint8), np.full((2, 20), 2, np.uint8), [-1, 0]])
def test_labels_that_count_no_classes_are_refused(labels) -> None:
    entry = catalogue.entry("voc-2007-classification")
    with pytest.raises(UserError, match=r"class names|label -1"):
        relabel(listing(list(entry.task.class_names), labels), entry)
