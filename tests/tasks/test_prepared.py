"""Prepared folders: what is written is read back, damage is named, a failed write leaves nothing."""

import json
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd
import pytest

from promptatlas.base.errors import UserError
from promptatlas.tasks import catalogue, prepared
from promptatlas.tasks.base_new import write_subset
from promptatlas.tasks.mini import MINI_TASKS
from promptatlas.tasks.preparation import prepare_embedded
from promptatlas.tasks.prepared import Pool, PreparedTask, digests, fingerprint
from promptatlas.tasks.task import Task


@pytest.fixture(scope="module")
def glasses(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tasks") / "glasses"
    prepare_embedded("glasses", folder)
    return folder


def test_a_prepared_task_reads_back_what_was_drawn(glasses: Path) -> None:
    task = PreparedTask.open(glasses)
    assert task.task == catalogue.task("glasses")
    mini = MINI_TASKS["glasses"]
    for split in prepared.SPLITS:
        images, factors = mini.images.split(split, mini.sizes[split])
        np.testing.assert_array_equal(task.images(split), images)
        np.testing.assert_array_equal(task.labels(split), mini.labels(factors))
        np.testing.assert_array_equal(task.pool_labels(split), mini.labels(factors))
        assert task.fingerprint(split) == fingerprint(digests(images), mini.labels(factors))
    assert isinstance(task.images("test"), np.memmap)


def test_factors_are_kept_as_a_table_over_all_splits(glasses: Path) -> None:
    factors = pd.read_parquet(glasses / "factors.parquet")
    assert factors.groupby("split").size().to_dict() == MINI_TASKS["glasses"].sizes
    test = factors[factors.split == "test"]
    np.testing.assert_array_equal(test.glasses.astype(int), PreparedTask.open(glasses).labels("test"))


def test_preparing_leaves_only_whole_files_under_their_names(glasses: Path) -> None:
    expected = {f"{split}_{kind}.npy" for split in prepared.SPLITS for kind in prepared.ARRAYS}
    assert {path.name for path in glasses.iterdir()} == expected | {"factors.parquet", "task.json"}


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "a.npy"
    prepared.save_array(target, np.arange(3))

    def fail(file: BinaryIO, array: np.ndarray) -> None:
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "save", fail)
    with pytest.raises(KeyboardInterrupt):
        prepared.save_array(target, np.arange(4))
    assert [path.name for path in tmp_path.iterdir()] == ["a.npy"]
    np.testing.assert_array_equal(np.load(target), np.arange(3))


def test_images_are_found_by_their_number_in_the_pool(tmp_path: Path) -> None:
    """Of ten images four are prepared: asked for by number they come in the order asked for, and others are refused."""
    everything = np.random.default_rng(0).integers(256, size=(10, 4, 4, 3), dtype=np.uint8)
    labels, index = np.arange(10) % 2, np.array([1, 4, 5, 9])
    pool = Pool(labels, index, digests(everything[index]), np.array([0, 2]))
    whole = Pool.whole(everything, labels)
    task = Task(name="t", title="T", family="f", class_names=("a", "b"), templates=("{}",))
    images = {"train": everything[index], "validation": everything, "test": everything}
    prepared.write(tmp_path, task, {"train": pool, "validation": whole, "test": whole}, [{"split": "train"}], images)
    opened = PreparedTask.open(tmp_path)
    rows = opened.rows("train", np.array([9, 1]))
    np.testing.assert_array_equal(opened.images("train")[rows], everything[[9, 1]])
    np.testing.assert_array_equal(opened.labels("train")[rows], labels[[9, 1]])
    np.testing.assert_array_equal(opened.pool_labels("train"), labels)
    np.testing.assert_array_equal(opened.images("train")[opened.reference()], everything[[1, 5]])
    assert opened.fingerprint("train", np.array([9, 1])) == opened.fingerprint("test", np.array([9, 1]))
    assert opened.fingerprint("train", np.array([9, 4])) != opened.fingerprint("train", np.array([9, 1]))
    with pytest.raises(UserError, match="not prepared"):
        opened.rows("train", np.array([1, 2]))


def test_missing_and_damaged_files_are_named(tmp_path: Path, glasses: Path) -> None:
    with pytest.raises(UserError, match=r"task\.json is missing"):
        PreparedTask.open(tmp_path)
    (tmp_path / "task.json").write_text("{")
    with pytest.raises(UserError, match=r"task\.json is not a task description"):
        PreparedTask.open(tmp_path)
    (tmp_path / "task.json").write_text((glasses / "task.json").read_text())
    task = PreparedTask.open(tmp_path)
    with pytest.raises(UserError, match=r"test_images\.npy is missing; prepare task 'glasses' again"):
        task.images("test")
    (tmp_path / "test_images.npy").write_bytes((glasses / "test_images.npy").read_bytes()[:5000])
    with pytest.raises(UserError, match=r"test_images\.npy is damaged"):
        task.images("test")


def test_a_task_survives_json() -> None:
    for name in catalogue.names():
        task = catalogue.task(name)
        assert Task.from_dict(json.loads(json.dumps(task.to_dict()))) == task


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"class_names": ("one",)}, "class_names"),
        ({"templates": ("a photo",)}, "must contain {}"),
        ({"metric": "f1"}, "'f1' is not one of"),
        ({"multilabel": True}, "map_11_point"),
        ({"metric": "roc_auc", "class_names": ("a", "b", "c")}, "exactly two"),
    ],
)
def test_an_impossible_task_is_refused_in_words(change: dict, words: str) -> None:
    good = {"name": "t", "title": "T", "family": "f", "class_names": ("a", "b"), "templates": ("{}",)}
    with pytest.raises(UserError, match=words):
        Task(**(good | change))


def test_what_is_odd_about_a_task_is_kept_and_enters_no_fingerprint(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(256, size=(8, 4, 4, 3), dtype=np.uint8)
    task = Task(name="t", title="T", family="f", class_names=("a", "b", "c", "d"), templates=("{}",))
    pools = dict.fromkeys(prepared.SPLITS, Pool.whole(images, np.arange(8) % 4))
    noted = []
    for folder, notes in (("plain", []), ("odd", ["2 files are no images: notes.txt, b.csv", "all alike"])):
        prepared.write(tmp_path / folder, task, pools, [{"split": "train"}], dict.fromkeys(prepared.SPLITS, images), notes=notes)
        noted.append(PreparedTask.open(tmp_path / folder))
    assert [one.notes for one in noted] == [[], ["2 files are no images: notes.txt, b.csv", "all alike"]]
    assert noted[0].fingerprint("test") == noted[1].fingerprint("test")
    assert "notes" not in json.loads((tmp_path / "plain" / "task.json").read_text())
    write_subset(noted[1], "base", tmp_path / "odd@base")
    assert PreparedTask.open(tmp_path / "odd@base").notes == noted[1].notes
    record = json.loads((tmp_path / "odd" / "task.json").read_text())
    (tmp_path / "odd" / "task.json").write_text(json.dumps(record | {"notes": [3]}))
    with pytest.raises(UserError, match="is not a task description"):
        PreparedTask.open(tmp_path / "odd")
