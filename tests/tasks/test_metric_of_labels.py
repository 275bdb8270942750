"""A task is scored by a metric that its labels allow: chosen by itself where nobody chose, else refused before anything is decoded."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from promptatlas.base.errors import UserError
from promptatlas.tasks import catalogue, readers
from promptatlas.tasks.labels import with_metric
from promptatlas.tasks.listing import Listing, Split
from promptatlas.tasks.preparation import Needs, prepare
from promptatlas.tasks.prepared import PreparedTask

NEEDS = Needs(size=8, resize="crop", shots=2, seeds=(1,), scheme="coop")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("cat", "dog"):
        for number in range(8):
            Image.new("RGB", (8, 8), (number * 9, 0, 0)).save(tmp_path / f"{name}{number}.png")
    return tmp_path


def rows(several: bool, numbers: range) -> list:
    each = [(f"{name}{number}.png", label, name) for number in numbers for label, name in enumerate(("cat", "dog"))]
    return [[path, [label], [name]] if several else [path, label, name] for path, label, name in each]


def made(root: Path, several: bool, **about) -> tuple[PreparedTask, list[str]]:
    content = {"train": rows(several, range(4)), "val": rows(several, range(4, 6)), "test": rows(several, range(6, 8))}
    if several:
        content["train"][0] = ["cat0.png", [0, 1], ["cat", "dog"]]
    (root / "list.json").write_text(json.dumps(content))
    said: list[str] = []
    entry = catalogue.described("pets", {"folder": "list.json"} | about)
    source = readers.find(entry.sources, root)
    prepare(entry, source, root, root / "task", NEEDS, 1, said.append)
    return PreparedTask.open(root / "task"), said


def test_a_list_with_several_labels_is_scored_by_mean_average_precision_and_says_so_once(root: Path) -> None:
    task, said = made(root, True)
    assert (task.task.metric, task.task.multilabel) == ("map_11_point", True)
    assert task.labels("train").tolist()[0] == [1, 1]
    assert [line for line in said if "map_11_point" in line] == [
        "task pets: its images are of several classes each, so it is scored by map_11_point"
    ]
    assert made(root, True, metric="map_11_point")[0].fingerprint("test") == task.fingerprint("test")
    assert made(root, True, classes=["dog", "cat"])[0].labels("train").tolist()[1] == [1, 0]


@pytest.mark.parametrize("metric", [None, "accuracy", "mean_per_class", "roc_auc"])
def test_a_list_with_one_label_each_keeps_its_metric(root: Path, metric: str | None) -> None:
    task, said = made(root, False, **({"metric": metric} if metric else {}))
    assert (task.task.metric, task.task.multilabel) == (metric or "accuracy", False)
    assert not any("scored by" in line for line in said)


@pytest.mark.parametrize(
    ("several", "metric", "words"),
    [
        (False, "map_11_point", "'pets' has one class per image, and the metric map_11_point is for .*; take accuracy"),
        (True, "accuracy", "'pets' has images of several classes, and the metric accuracy is .*; take map_11_point"),
        (True, "mean_per_class", "'pets' has images of several classes, and the metric mean_per_class is .*; take map_11_point"),
        (True, "roc_auc", "'pets' has images of several classes, and the metric roc_auc is .*; take map_11_point"),
    ],
)
def test_a_metric_that_cannot_score_the_labels_is_refused_before_decoding(root: Path, several: bool, metric: str, words: str) -> None:
    for path in root.glob("*.png"):
        path.write_bytes(b"not to be decoded")
    with pytest.raises(UserError, match=words) as error:
        made(root, several, metric=metric)
    assert "\n" not in str(error.value) and not (root / "task").exists()


def test_a_published_task_keeps_its_metric_whatever_the_labels(root: Path) -> None:
    entry = catalogue.entry("mnist")
    marks = Split((), np.eye(10, dtype=np.uint8), "")
    with pytest.raises(UserError, match="'mnist' has images of several classes"):
        with_metric(entry, Listing(tuple("0123456789"), {"train": marks, "test": marks}, "official"))


def test_splits_that_are_labelled_in_two_ways_are_refused() -> None:
    marks, numbers = Split((), np.eye(2, dtype=np.uint8), ""), Split((), np.arange(2), "")
    with pytest.raises(UserError, match=r"not all splits are labelled alike \(train lists of classes, test one class"):
        with_metric(catalogue.own("pets", {"folder": "x"}), Listing(("a", "b"), {"train": marks, "test": numbers}, "own"))


def test_roc_auc_for_three_classes_says_what_to_take(root: Path) -> None:
    for name in ("ant", "cat", "dog"):
        for number in range(8):
            (root / "own" / name).mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 8)).save(root / "own" / name / f"{number}.png")
    entry = catalogue.described("pets", {"folder": "own", "metric": "roc_auc"})
    with pytest.raises(UserError, match="'pets': roc_auc needs exactly two classes, not 3; take accuracy or mean_per_class"):
        prepare(entry, readers.find(entry.sources, root), root, root / "task", NEEDS, 1, print)
