"""The catalogue against what others say of the same data sets: papers, torchvision, open_clip and timm."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from promptatlas.base.errors import UserError
from promptatlas.tasks import catalogue
from promptatlas.tasks.catalogue.checking import check
from promptatlas.tasks.labels import normalise

# classes, templates, test images and metric of ELEVATER's tasks (Li et al. 2022 and the toolkit's prompts)
ELEVATER = {
    "caltech-101": (102, 34, 6084, "mean_per_class"),
    "cifar-10": (10, 18, 10000, "accuracy"),
    "cifar-100": (100, 18, 10000, "accuracy"),
    "country211": (211, 5, 21100, "accuracy"),
    "dtd": (47, 8, 1880, "accuracy"),
    "eurosat_clip": (10, 3, 5000, "accuracy"),
    "fer-2013": (7, 6, 3589, "accuracy"),
    "fgvc-aircraft-2013b-variants102": (100, 2, 3333, "mean_per_class"),
    "food-101": (101, 1, 25250, "accuracy"),
    "gtsrb": (43, 3, 12630, "accuracy"),
    "hateful-memes": (2, 1, 500, "roc_auc"),
    "kitti-distance": (4, 1, 711, "accuracy"),
    "mnist": (10, 1, 10000, "accuracy"),
    "oxford-flower-102": (102, 1, 6149, "mean_per_class"),
    "oxford-iiit-pets": (37, 1, 3669, "mean_per_class"),
    "patch-camelyon": (2, 1, 32768, "accuracy"),
    "rendered-sst2": (2, 1, 1821, "accuracy"),
    "resisc45_clip": (45, 18, 25200, "accuracy"),
    "stanford-cars": (196, 8, 8041, "accuracy"),
    "voc-2007-classification": (20, 1, 4952, "map_11_point"),
}
# classes and images for train, validation and test of CoOp's tasks (Zhou et al. 2022, statistics of the data sets)
COOP = {
    "coop-imagenet": (1000, 1281167, None, 50000),
    "coop-caltech101": (100, 4128, 1649, 2465),
    "coop-food101": (101, 50500, 20200, 30300),
    "coop-stanford-cars": (196, 6509, 1635, 8041),
    "coop-oxford-pets": (37, 2944, 736, 3669),
    "coop-oxford-flowers": (102, 4093, 1633, 2463),
    "coop-fgvc-aircraft": (100, 3334, 3333, 3333),
    "coop-sun397": (397, 15880, 3970, 19850),
    "coop-dtd": (47, 2820, 1128, 1692),
    "coop-eurosat": (10, 13500, 5400, 8100),
    "coop-ucf101": (101, 7639, 1898, 3783),
}
SAME_IMAGES = {
    "coop-food101": "food-101",
    "coop-stanford-cars": "stanford-cars",
    "coop-oxford-pets": "oxford-iiit-pets",
    "coop-oxford-flowers": "oxford-flower-102",
    "coop-fgvc-aircraft": "fgvc-aircraft-2013b-variants102",
    "coop-dtd": "dtd",
}


def package_file(package: str, *parts: str) -> Path:
    """A file of an installed package, which is not imported for it."""
    return Path(importlib.util.find_spec(package).submodule_search_locations[0]).joinpath(*parts)


def synsets(name: str) -> list[str]:
    return package_file("timm", "data", "_info", f"{name}_synsets.txt").read_text().split()


def pairs(entry: catalogue.TaskEntry) -> list[tuple[str, str]]:
    """Every name and spelling, with the class it stands for."""
    return [*((name, name) for name in entry.task.class_names), *entry.spellings.items()]


def called(entry: catalogue.TaskEntry) -> dict[str, str]:
    """Every name and spelling, normalised -> the class."""
    return {normalise(spelling): shown for spelling, shown in pairs(entry)}


def test_elevater_has_its_twenty_tasks_in_the_order_of_its_table() -> None:
    assert catalogue.names("elevater") == list(ELEVATER)


@pytest.mark.parametrize("name", ELEVATER)
def test_elevater_tasks_have_the_published_numbers_and_metric(name: str) -> None:
    entry = catalogue.entry(name)
    assert (len(entry.task.class_names), len(entry.task.templates), entry.sizes["test"], entry.task.metric) == ELEVATER[name]
    assert entry.benchmarks == ("elevater",)


def test_elevater_has_1151_classes_in_all() -> None:
    assert sum(len(catalogue.task(name).class_names) for name in catalogue.names("elevater")) == 1151


def test_coop_has_its_eleven_tasks_in_the_order_of_mvlpt() -> None:
    assert catalogue.names("coop") == list(COOP)


@pytest.mark.parametrize("name", COOP)
def test_coop_tasks_have_the_published_numbers_and_one_template(name: str) -> None:
    entry = catalogue.entry(name)
    sizes = entry.sizes.get("train"), entry.sizes.get("validation"), entry.sizes["test"]
    assert (len(entry.task.class_names), *sizes) == COOP[name]
    assert len(entry.task.templates) == 1 and entry.task.metric == "accuracy"


def test_only_voc_shows_several_classes_an_image_and_only_kitti_is_squashed() -> None:
    entries = [catalogue.entry(name) for name in catalogue.published()]
    assert [entry.task.name for entry in entries if entry.task.multilabel] == ["voc-2007-classification"]
    assert [entry.task.name for entry in entries if entry.resize] == ["kitti-distance"]


@pytest.mark.parametrize("name", catalogue.published())
def test_every_file_is_as_the_schema_says(name: str) -> None:
    record = yaml.safe_load((catalogue.FOLDER / f"{name}.yaml").read_text())
    check(record, "file", name)
    assert len(str(record["licence"])) > 1


@pytest.mark.parametrize("name", catalogue.published())
def test_no_two_classes_of_a_task_can_be_meant_by_one_spelling(name: str) -> None:
    entry = catalogue.entry(name)
    meanings = called(entry)
    assert all(meanings[normalise(spelling)] == shown for spelling, shown in pairs(entry))
    assert "" not in meanings


def test_benchmarks_and_files_know_each_other() -> None:
    embedded = catalogue.names("mini")
    listed = [name for benchmark in ("elevater", "coop", "plant-6", "fashion-20") for name in catalogue.names(benchmark)]
    assert set(catalogue.published()) - set(listed) == {"imagenet-v2", "imagenet-sketch", "imagenet-a", "imagenet-r"}
    assert set(listed) <= set(catalogue.published())
    assert len(catalogue.every()) == len(set(catalogue.every())) == len(embedded) + len(catalogue.published())


def test_torchvision_means_the_same_flowers_by_its_names() -> None:
    from torchvision.datasets import Flowers102

    for name in ("oxford-flower-102", "coop-oxford-flowers"):
        entry = catalogue.entry(name)
        known = called(entry)
        # torchvision lists the classes by their number, as both benchmarks do
        assert [known[normalise(title)] for title in Flowers102.classes] == list(entry.task.class_names)


def test_torchvisions_digits_are_the_digits_of_prompts() -> None:
    from torchvision.datasets import MNIST

    known = called(catalogue.entry("mnist"))
    assert [known[normalise(title)] for title in MNIST.classes] == [str(digit) for digit in range(10)]


def test_imagenet_names_are_clips_and_folders_are_its_synsets_in_order() -> None:
    file = package_file("open_clip", "zero_shot_metadata.py")
    spec = importlib.util.spec_from_file_location("zero_shot_metadata", file)
    spec.loader.exec_module(metadata := importlib.util.module_from_spec(spec))
    folders = synsets("imagenet")
    for name in ("coop-imagenet", "imagenet-v2", "imagenet-sketch"):
        entry = catalogue.entry(name)
        compared = zip(entry.task.class_names, metadata.IMAGENET_CLASSNAMES, strict=True)
        different = {here: there for here, there in compared if here != there}
        assert different == {"projectile missile": "missile", "sunglass": "sunglasses"}
        assert [entry.spellings[folder] for folder in folders] == list(entry.task.class_names)
    assert catalogue.entry("imagenet-v2").spellings["999"] == "toilet paper"


@pytest.mark.parametrize("name", ["imagenet-a", "imagenet-r"])
def test_subsets_of_imagenet_have_the_right_200_of_its_classes(name: str) -> None:
    entry, whole = catalogue.entry(name), catalogue.entry("coop-imagenet").spellings
    folders = synsets(name.replace("-", "_"))
    assert [entry.spellings[folder] for folder in folders] == [whole[folder] for folder in folders]
    assert list(entry.task.class_names) == [whole[folder] for folder in folders]


@pytest.mark.parametrize("coop", SAME_IMAGES)
def test_both_benchmarks_name_the_same_classes_of_the_same_data_set(coop: str) -> None:
    ours, theirs = catalogue.entry(coop), called(catalogue.entry(SAME_IMAGES[coop]))
    sources = {shown: [shown] for shown in ours.task.class_names}
    for spelling, shown in ours.spellings.items():
        sources[shown].append(spelling)
    found = {next(theirs[normalise(title)] for title in titles if normalise(title) in theirs) for titles in sources.values()}
    assert found == set(catalogue.task(SAME_IMAGES[coop]).class_names)


def test_caltech_faces_are_named_after_their_images() -> None:
    spellings = catalogue.entry("caltech-101").spellings
    assert spellings["Faces_easy"] == "centered face"
    assert spellings["Faces"] == "off-center face"
    assert catalogue.task("coop-caltech101").class_names[:4] == ("face", "leopard", "motorbike", "accordion")


def test_orders_are_the_benchmarks_own() -> None:
    assert catalogue.task("cifar-100").class_names[:3] == ("chimpanzee", "trout", "skunk")
    food = catalogue.task("food-101").class_names
    assert food.index("cheesecake") < food.index("cheese plate")
    food = catalogue.task("coop-food101").class_names
    assert food.index("cheese plate") < food.index("cheesecake")
    assert catalogue.task("coop-stanford-cars").class_names[:2] == ("2000 AM General Hummer SUV", "2012 Acura RL Sedan")
    assert catalogue.task("coop-ucf101").class_names[34:37] == ("Hammering", "Hammer Throw", "Handstand Pushups")
    assert "outdoor apartment building" in catalogue.task("coop-sun397").class_names


def test_emotions_are_named_by_the_first_synonym_only() -> None:
    emotions = ("angry", "disgusted", "fearful", "happy", "neutral", "sad", "surprised")
    assert catalogue.task("fer-2013").class_names == emotions


def test_fer_2013_is_tested_on_the_private_images() -> None:
    assert catalogue.entry("fer-2013").sources[0]["splits"]["test"] == {"split": "test", "usage": "PrivateTest"}


def test_numbered_folders_and_country_codes_are_known() -> None:
    assert catalogue.entry("gtsrb").spellings["00014"] == catalogue.entry("gtsrb").spellings["14"] == "stop"
    countries = catalogue.entry("country211").spellings
    assert len(countries) == 211 and list(countries) == sorted(countries)
    known = {"CH": "Switzerland", "NO": "Norway", "ZA": "South Africa", "XK": "Kosovo", "SX": "Sint Maarten", "KP": "North Korea"}
    assert {code: countries[code] for code in known} == known


def test_scores_of_others_are_kept_only_where_they_compare() -> None:
    without = [name for name in catalogue.names("elevater") if not catalogue.entry(name).expected_zero_shot]
    assert without == ["eurosat_clip", "hateful-memes", "patch-camelyon", "resisc45_clip"]
    pets = catalogue.entry("oxford-iiit-pets").expected_zero_shot
    assert pets["ViT-B-32/openai"] == {"score": 0.87, "source": "CLIP_benchmark"}
    coop = [catalogue.entry(name).expected_zero_shot for name in catalogue.names("coop")]
    # the means that the same table prints
    assert round(100 * sum(scores["ViT-B-16/openai"]["score"] for scores in coop) / 11, 1) == 65.1
    assert round(100 * sum(scores["ViT-B-32/openai"]["score"] for scores in coop) / 11, 1) == 61.8


def test_a_source_that_only_numbers_its_classes_is_told_their_names() -> None:
    source = next(source for source in catalogue.entry("patch-camelyon").sources if source["reader"] == "huggingface")
    assert source["classes"] == ["lymph node", "lymph node containing metastatic tumor tissue"]


def test_an_unknown_task_is_named_with_the_nearest_of_all() -> None:
    with pytest.raises(UserError, match="'coop-food' is unknown; did you mean 'coop-food101'"):
        catalogue.entry("coop-food")
    with pytest.raises(UserError, match="'minst' is unknown; did you mean 'mnist'"):
        catalogue.task("minst")
    with pytest.raises(UserError, match="'qqqqqq' is unknown; known: the tasks of mini, elevater, coop"):
        catalogue.task("qqqqqq")


@pytest.mark.imports
def test_an_entry_is_loaded_without_torch() -> None:
    code = "import sys; from promptatlas.tasks import catalogue; catalogue.entry('dtd'); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
