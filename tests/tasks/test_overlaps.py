"""Which tasks share images: counted both ways, told in one sentence per task, empty where there is nothing to tell."""

from pathlib import Path

import numpy as np
import pytest

from promptatlas.tasks.base_new import write_subset
from promptatlas.tasks.overlaps import COLUMNS, notes, overlaps
from promptatlas.tasks.prepared import Pool, PreparedTask, digests, write
from promptatlas.tasks.task import Task

POOL = np.random.default_rng(0).integers(256, size=(40, 4, 4, 3), dtype=np.uint8)


def task(folder: Path, train, test, validation=(), left_out: int = 0) -> PreparedTask:
    """A task of images of POOL by number; `left_out` more training images are not prepared."""
    numbers = {"train": list(train), "validation": list(validation), "test": list(test)}
    pools = {}
    for split, chosen in numbers.items():
        labels = np.arange(len(chosen) + left_out * (split == "train")) % 4
        pools[split] = Pool(labels, np.arange(len(chosen)), digests(POOL[chosen]), np.arange(len(chosen)))
    about = Task(name=folder.name, title="T", family="f", class_names=("a", "b", "c", "d"), templates=("{}",))
    write(folder, about, pools, [{"split": "train"}], {split: POOL[chosen] for split, chosen in numbers.items()})
    return PreparedTask.open(folder)


@pytest.fixture
def tasks(tmp_path: Path) -> dict[str, PreparedTask]:
    return {
        "dups": task(tmp_path / "dups", [0, 1, 2, 3], [2, 3, 4, 5]),
        "twin": task(tmp_path / "twin", [0, 1, 2, 3], [2, 3, 4, 5]),
        "other": task(tmp_path / "other", [10, 11, 4], [12, 13, 0], validation=[13]),
        "alone": task(tmp_path / "alone", [20, 21], [22, 23]),
    }


def test_pairs_are_counted_from_source_to_target(tasks) -> None:
    table = overlaps(tasks)
    assert tuple(table.columns) == COLUMNS
    rows = {(row.source, row.target): tuple(row)[3:] for row in table.itertuples()}
    assert rows == {
        ("dups", "twin"): (6, 6, 2, 4, True, True),
        ("twin", "dups"): (6, 6, 2, 4, True, True),
        ("other", "dups"): (2, 6, 1, 4, True, True),  # 0 and 4, of which 4 is trained on there and tested here
        ("other", "twin"): (2, 6, 1, 4, True, True),
        ("dups", "other"): (2, 6, 1, 3, True, True),
        ("twin", "other"): (2, 6, 1, 3, True, True),
    }


def test_each_task_has_one_sentence_or_none(tasks) -> None:
    table = overlaps(tasks)
    tested = "(2 of its 4 test images are training or validation images there)"
    assert notes(table, "twin") == [
        f"shares all its images with dups {tested}, 2 of its 6 images with other "
        "(1 of its 4 test images are training or validation images there)"
    ]
    assert notes(table, "alone") == []


def test_what_is_not_prepared_is_no_proof_of_the_contrary(tmp_path: Path) -> None:
    both = {name: task(tmp_path / name, [0, 1], [2], left_out=5) for name in ("one", "two")}
    assert notes(overlaps(both), "one") == ["shares all its 3 prepared images with two"]
    table = overlaps(both | {"whole": task(tmp_path / "whole", [0, 1], [2]), "more": task(tmp_path / "more", [0, 5], [6])})
    assert notes(table, "whole")[0].startswith("shares all its images with one, all its images with two, 1 of its 3 images with more")
    assert notes(table[table["source"] == "more"], "one") == ["shares at least 1 of its images with more"]


def test_many_partners_are_counted_not_listed(tmp_path: Path) -> None:
    many = {f"t{k}": task(tmp_path / f"t{k}", [0, k], [20 + k]) for k in range(1, 8)}
    (note,) = notes(overlaps(many), "t1")
    assert note.endswith(", and images with 3 more tasks") and note.count("1 of its 3 images") == 3


def test_halves_of_one_task_are_no_pair(tasks, tmp_path: Path) -> None:
    parts = {}
    for name in ("dups", "twin"):
        for part in ("base", "new"):
            write_subset(tasks[name], part, tmp_path / f"{name}@{part}")
            parts[f"{name}@{part}"] = PreparedTask.open(tmp_path / f"{name}@{part}")
    table = overlaps(parts)
    assert {(row.source, row.target) for row in table.itertuples()} and all(
        row.source.split("@")[0] != row.target.split("@")[0] for row in table.itertuples()
    )


def test_no_task_and_no_shared_image_make_an_empty_table(tasks) -> None:
    assert len(overlaps({})) == len(overlaps({"alone": tasks["alone"]})) == 0
    assert tuple(overlaps({}).columns) == COLUMNS
