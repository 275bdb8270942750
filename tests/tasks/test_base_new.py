"""Base and new classes are exactly the two halves of a task's classes, drawn as CoOp draws them, without a second copy of an image."""

import random
from pathlib import Path

import numpy as np
import pytest

from promptatlas.base.errors import UserError
from promptatlas.tasks.base_new import (
    BASE,
    NEW,
    SUBSETS,
    classes,
    draw_subset,
    require_base_and_new,
    subset_name,
    subset_of,
    whole_of,
    write_subset,
)
from promptatlas.tasks.draws import SCHEMES, draw
from promptatlas.tasks.prepared import SPLITS, Pool, PreparedTask, write
from promptatlas.tasks.task import Task

NAMES = ("ant", "bee", "cat", "dog", "eel")
SIZES = {"train": 60, "validation": 30, "test": 40}


@pytest.fixture
def whole(tmp_path: Path) -> PreparedTask:
    """Five classes in shuffled order. Of the training pool only every second image is prepared, and one is broken."""
    rng = np.random.default_rng(3)
    task = Task("pets", "Pets", "animals", NAMES, ("a photo of a {}.",))
    images, pools = {}, {}
    for split, size in SIZES.items():
        labels = rng.permutation(np.arange(size) % len(NAMES))
        index = np.arange(0, size, 2) if split == "train" else np.arange(size)
        images[split] = rng.integers(256, size=(len(index), 4, 4, 3), dtype=np.uint8)
        shown = Pool.whole(images[split], labels[index])
        pools[split] = Pool(labels, index, shown.digests, np.arange(0, len(index), 3), [1] if split == "train" else [])
    write(tmp_path / "pets", task, pools, [], images)
    return PreparedTask.open(tmp_path / "pets")


@pytest.fixture
def parts(whole: PreparedTask, tmp_path: Path) -> dict[str, PreparedTask]:
    for part in SUBSETS:
        write_subset(whole, part, tmp_path / subset_name("pets", part))
    return {part: PreparedTask.open(tmp_path / subset_name("pets", part)) for part in SUBSETS}


def test_the_first_half_rounded_up_is_base(parts: dict[str, PreparedTask]) -> None:
    assert parts[BASE].task.class_names == ("ant", "bee", "cat") and parts[NEW].task.class_names == ("dog", "eel")
    assert [*classes(10, BASE)] == [0, 1, 2, 3, 4] and [*classes(7, NEW)] == [4, 5, 6]
    assert (whole_of("pets@new"), subset_of("pets@new"), whole_of("pets"), subset_of("pets")) == ("pets", "new", "pets", "")


@pytest.mark.parametrize("split", SPLITS)
def test_every_image_is_in_the_part_of_its_class(whole, parts, split: str) -> None:
    images, labels = np.asarray(whole.images(split)), whole.labels(split)
    for part, first in ((BASE, 0), (NEW, 3)):
        mine = [k for k in range(len(labels)) if (labels[k] >= 3) == (part == NEW)]
        np.testing.assert_array_equal(np.asarray(parts[part].images(split)), images[mine])
        np.testing.assert_array_equal(parts[part].labels(split), labels[mine] - first)
        assert len(parts[part].images(split)) == len(mine) and parts[part].images(split).shape == (len(mine), 4, 4, 3)
    assert sum(len(parts[part].pool_labels(split)) for part in SUBSETS) == SIZES[split]


def test_a_part_has_no_image_of_its_own(parts, tmp_path: Path) -> None:
    for part in SUBSETS:
        assert not [*(tmp_path / f"pets@{part}").glob("*images*")]
        np.testing.assert_array_equal(parts[part].images("test")[2:4], np.asarray(parts[part].images("test"))[2:4])


def test_numbers_in_the_pool_lead_to_the_same_images(whole, parts) -> None:
    pool = whole.pool_labels("train")
    for part in SUBSETS:
        members = [n for n in range(len(pool)) if pool[n] in classes(5, part)]
        even = [k for k, n in enumerate(members) if n % 2 == 0]
        mine = np.asarray(parts[part].images("train"))[parts[part].rows("train", np.array(even))]
        theirs = np.asarray(whole.images("train"))[whole.rows("train", np.array([members[k] for k in even]))]
        np.testing.assert_array_equal(mine, theirs)
        reference = set(whole.index("train")[whole.reference()]) & set(members)
        assert {members[n] for n in parts[part].index("train")[parts[part].reference()]} == reference
        assert [members[n] for n in parts[part].skipped("train")] == [n for n in [1] if n in members]
        with pytest.raises(UserError, match="not prepared"):
            parts[part].rows("train", np.array([k for k in range(len(members)) if k not in even][:1]))


def coop_base_to_new(train: np.ndarray, validation: np.ndarray, shots: int, seed: int, kept: range) -> dict:
    """CoOp's `generate_fewshot_dataset` for both pools, then `subsample_classes`: (number in the whole pool, new label)."""
    random.seed(seed)
    drawn = {}
    for name, labels, count in (("train", train, shots), ("validation", validation, min(shots, 4))):
        tracker: dict[int, list[int]] = {}
        for item, label in enumerate(labels):
            tracker.setdefault(int(label), []).append(item)
        chosen = []
        for items in tracker.values():
            chosen += random.sample(items, count) if len(items) >= count else items
        relabelled = {label: new for new, label in enumerate(kept)}
        drawn[name] = [(item, relabelled[int(labels[item])]) for item in chosen if int(labels[item]) in relabelled]
    return drawn


@pytest.mark.parametrize("shots", [1, 4, 16])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_draw_from_the_base_classes_is_coops(whole, parts, shots: int, seed: int) -> None:
    pools = {split: whole.pool_labels(split) for split in ("train", "validation")}
    for part in SUBSETS:
        wanted = coop_base_to_new(pools["train"], pools["validation"], shots, seed, classes(5, part))
        drawn = draw_subset(whole, part, shots, seed, "coop")
        for split, labels in pools.items():
            members = np.array([n for n in range(len(labels)) if labels[n] in classes(5, part)])
            numbers, own = getattr(drawn, split), getattr(drawn, f"{split}_labels")
            assert [*zip(members[numbers].tolist(), own.tolist(), strict=True)] == wanted[split]
            np.testing.assert_array_equal(parts[part].pool_labels(split)[numbers], own)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_draws_of_both_parts_are_the_draw_of_the_whole(whole, scheme: str) -> None:
    pool = whole.pool_labels("train")
    members = {part: np.flatnonzero(np.isin(pool, classes(5, part))) for part in SUBSETS}
    both = [members[part][draw_subset(whole, part, 4, 2, scheme).train] for part in SUBSETS]
    drawn = draw(pool, whole.pool_labels("validation"), 4, 2, "pets", scheme)
    assert sorted(np.concatenate(both)) == sorted(drawn.train)


def test_a_task_whose_halves_are_no_tasks_is_refused() -> None:
    with pytest.raises(UserError, match=r"`voc` marks several classes.*leave it out"):
        require_base_and_new("voc", NAMES, True)
    with pytest.raises(UserError, match=r"`trio` has 3 classes.*two each"):
        require_base_and_new("trio", NAMES[:3], False)
    require_base_and_new("quartet", NAMES[:4], False)
