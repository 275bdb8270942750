"""Splits drawn by promptatlas are class-wise, the same everywhere, and hold no image twice."""

import pickle

import numpy as np
import pytest
from PIL import Image

from promptatlas.base.errors import UserError
from promptatlas.tasks.listing import Split
from promptatlas.tasks.splits import hold_out, join, redraw, subset


class Numbered:
    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def open(self, index: int) -> Image.Image:
        return Image.new("L", (1, 1), index % 256)

    def name(self, index: int) -> str:
        return f"image {index}"


def pool(labels) -> Split:
    return Split(Numbered(len(labels)), np.asarray(labels), "stamp")


def numbers(split: Split) -> list[int]:
    return [int(split.images.name(row).split()[1]) for row in range(len(split.images))]


LABELS = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [10, 25, 40]))


def test_a_redraw_gives_every_class_what_the_rule_says() -> None:
    drawn = redraw(pool(LABELS), {"train": 5, "validation": 0.2}, "task")
    counts = {split: np.bincount(part.labels).tolist() for split, part in drawn.items()}
    assert counts == {"train": [5, 5, 5], "validation": [2, 5, 8], "test": [3, 15, 27]}
    capped = redraw(pool(LABELS), {"train": 3, "test": 2}, "task")
    counts = {split: np.bincount(part.labels).tolist() for split, part in capped.items()}
    assert counts == {"train": [3] * 3, "test": [2] * 3}


def test_every_image_lands_in_one_split_with_its_own_label_and_in_order() -> None:
    drawn = redraw(pool(LABELS), {"train": 0.5, "validation": 0.2}, "task")
    found = [number for part in drawn.values() for number in numbers(part)]
    assert sorted(found) == list(range(75))
    for part in drawn.values():
        assert numbers(part) == sorted(numbers(part))
        np.testing.assert_array_equal(part.labels, LABELS[numbers(part)])
        assert part.images.open(1).getpixel((0, 0)) == numbers(part)[1]


def test_a_redraw_depends_on_the_task_but_not_on_the_numbers_of_classes_or_other_classes() -> None:
    rule = {"train": 5}
    first = numbers(redraw(pool(LABELS), rule, "task")["train"])
    assert numbers(redraw(pool(LABELS), rule, "task")["train"]) == first
    assert numbers(redraw(pool(LABELS), rule, "other")["train"]) != first
    assert numbers(redraw(pool(np.array([2, 0, 1])[LABELS]), rule, "task")["train"]) == first
    last = LABELS[np.sort(np.unique(LABELS, return_index=True)[1])[-1]]
    extended = numbers(redraw(pool(np.append(LABELS, [last] * 9)), rule, "task")["train"])
    assert [n for n in extended if n < 75 and LABELS[n] != last] == [n for n in first if LABELS[n] != last]


def test_stamps_tell_redraws_apart() -> None:
    stamps = {redraw(pool(LABELS), {"train": n}, task)["train"].stamp for n in (3, 4) for task in ("a", "b")}
    assert len(stamps) == 4
    assert redraw(pool(LABELS), {"train": 3}, "a")["train"].stamp in stamps


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"validation": 1}, "`redraw` is"),
        ({"train": 1, "tset": 1}, "`redraw` is"),
        ({"train": 1.5}, "`redraw` is"),
        ({"train": True}, "`redraw` is"),
        ({"train": -1}, "`redraw` is"),
        ({"train": "half"}, "`redraw` is"),
        ({"train": 0}, "too few to set some apart"),
        ({"train": 10}, "class 'cat' has 10 images, too few to set some apart for each of train, test where `redraw` is {'train': 10};"),
        ({"train": 5, "validation": 0.01}, "too few to set some apart for each of train, validation, test"),
    ],
)
def test_a_redraw_that_cannot_be_done_is_refused(rule: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        redraw(pool(LABELS), rule, "task", ["cat", "dog", "cow"])


def test_a_multilabel_pool_is_cut_by_shares() -> None:
    marks = (np.random.default_rng(1).random((50, 4)) < 0.3).astype(np.uint8)
    drawn = redraw(pool(marks), {"train": 0.5}, "task")
    assert {split: part.labels.shape for split, part in drawn.items()} == {"train": (25, 4), "test": (25, 4)}
    with pytest.raises(UserError, match="shares only"):
        redraw(pool(marks), {"train": 5}, "task")


def test_held_out_images_are_a_share_of_every_class_and_leave_some() -> None:
    train = pool(np.append(LABELS, [3, 4, 4]))
    stays, held = hold_out(train, 0.2, "task")
    assert np.bincount(held.labels).tolist() == [2, 5, 8, 0, 1]
    assert np.bincount(stays.labels).tolist() == [8, 20, 32, 1, 1]
    assert sorted(numbers(stays) + numbers(held)) == list(range(78))
    assert numbers(hold_out(train, 0.2, "task")[1]) == numbers(held)
    assert numbers(hold_out(train, 0.2, "other")[1]) != numbers(held)


def test_subsets_of_subsets_and_joined_pools_find_their_images() -> None:
    whole = join([subset(pool(LABELS), np.arange(50, 75)), pool(LABELS[:5])])
    assert numbers(whole) == [*range(50, 75), *range(5)]
    assert whole.labels.tolist() == [*LABELS[50:], *LABELS[:5]]
    part = subset(subset(whole, np.arange(10, 30)), np.array([19, 0]))
    assert numbers(part) == [4, 60]
    copy = pickle.loads(pickle.dumps(part.images))
    assert copy.open(1).getpixel((0, 0)) == 60
