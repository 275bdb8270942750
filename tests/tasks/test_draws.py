"""Few-shot draws equal the published algorithms, and depend on the seed and the images alone."""

import gzip
import json
import random
from pathlib import Path

import numpy as np
import pytest

from promptatlas.base.errors import UserError
from promptatlas.tasks.draws import draw, first_fifth, greedy

SHARED = Path(__file__).parents[3] / "shared"
GOLDEN = SHARED / "reference" / "elevater_fewshot_golden.json"
MNIST = SHARED / "realdata" / "mnist" / "MNIST" / "raw" / "train-labels-idx1-ubyte.gz"


def labels(images: int, classes: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(classes, size=images)


def coops_own_words(train: list[int], validation: list[int], shots: int, seed: int) -> tuple[list[int], list[int]]:
    """CoOp's published procedure, restated naively: one generator, first train, then at most 4 from validation."""
    generator = random.Random(seed)

    def sample(pool: list[int], k: int) -> list[int]:
        tracker: dict[int, list[int]] = {}
        for index, label in enumerate(pool):
            tracker[label] = [*tracker.get(label, []), index]
        chosen = []
        for items in tracker.values():
            chosen.extend(generator.sample(items, k) if len(items) >= k else items)
        return chosen

    return sample(train, shots), sample(validation, min(shots, 4))


@pytest.mark.parametrize("shots", [1, 3, 16, 40])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_coop_draws_follow_the_published_procedure(shots: int, seed: int) -> None:
    train, validation = labels(300, 9), labels(60, 9, 1)
    drawn = draw(train, validation, shots, seed, "task")
    expected_train, expected_validation = coops_own_words(train.tolist(), validation.tolist(), shots, seed)
    assert drawn.train.tolist() == expected_train
    assert drawn.validation.tolist() == expected_validation
    assert drawn.validation_split == "validation"
    np.testing.assert_array_equal(drawn.train_labels, train[drawn.train])
    np.testing.assert_array_equal(drawn.validation_labels, validation[drawn.validation])


@pytest.mark.skipif(not (GOLDEN.exists() and MNIST.exists()), reason="the golden draws or MNIST's labels are not here")
@pytest.mark.parametrize("shots", [1, 5, 20, 50])
@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_elevater_draws_equal_the_golden_file(shots: int, seed: int) -> None:
    golden = json.loads(GOLDEN.read_text())["mnist_train"][f"k{shots}_seed{seed}"]
    mnist = np.frombuffer(gzip.decompress(MNIST.read_bytes())[8:], dtype=np.uint8).astype(np.int64)
    indices = greedy(mnist, shots, seed)
    assert indices.tolist() == golden["indices"]
    assert first_fifth(mnist[indices]).tolist() == golden["val_positions"]
    drawn = draw(mnist, mnist[:0], shots, seed, "mnist", scheme="elevater")
    held_out = [golden["indices"][position] for position in golden["val_positions"]]
    assert drawn.validation.tolist() == held_out
    if shots > 1:
        assert drawn.train.tolist() == [index for index in golden["indices"] if index not in set(held_out)]


def test_one_elevater_shot_serves_as_train_and_validation() -> None:
    drawn = draw(labels(100, 5), labels(0, 5), 1, 0, "task", scheme="elevater")
    assert len(drawn.train) == 5
    np.testing.assert_array_equal(drawn.train, drawn.validation)
    assert drawn.validation_split == "train"


@pytest.mark.parametrize("scheme", ["coop", "elevater"])
def test_the_order_of_class_names_does_not_change_what_is_drawn(scheme: str) -> None:
    train, validation = labels(400, 7), labels(100, 7, 1)
    renamed = np.random.default_rng(5).permutation(7)
    one = draw(train, validation, 8, 3, "task", scheme)
    other = draw(renamed[train], renamed[validation], 8, 3, "task", scheme)
    np.testing.assert_array_equal(one.train, other.train)
    np.testing.assert_array_equal(one.validation, other.validation)


def test_a_greedy_multilabel_draw_gives_each_class_enough_and_no_class_far_too_much() -> None:
    marks = (np.random.default_rng(0).random((500, 6)) < 0.3).astype(np.uint8)
    drawn = draw(marks, marks[:200], 16, 1, "task")
    counts = drawn.train_labels.sum(axis=0)
    assert (counts >= 16).all() and (counts <= 1.5 * 16 + 1).all()
    assert (drawn.validation_labels.sum(axis=0) >= 4).all()
    assert len(set(drawn.train.tolist())) == len(drawn.train)


def test_the_hash_tells_draws_apart() -> None:
    train, validation = labels(100, 4), labels(40, 4)
    drawn = draw(train, validation, 4, 1, "task")
    assert drawn.sha256 == draw(train, validation, 4, 1, "another name").sha256
    assert drawn.sha256 != draw(train, validation, 4, 2, "task").sha256
    other_labels = (train + 1) % 4
    assert drawn.sha256 != draw(other_labels, validation, 4, 1, "task").sha256


def test_a_draw_leaves_the_global_generators_alone() -> None:
    random.seed(0)
    expected = random.random()
    random.seed(0)
    draw(labels(100, 4), labels(40, 4), 4, 1, "task")
    assert random.random() == expected


@pytest.mark.parametrize(
    ("shots", "scheme", "words"),
    [(0, "coop", "shots is 0"), (-3, "coop", "shots is -3"), (4, "cop", "'cop' is unknown")],
)
def test_bad_settings_are_named(shots: int, scheme: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        draw(labels(100, 4), labels(40, 4), shots, 1, "task", scheme)


def test_an_empty_pool_is_named() -> None:
    with pytest.raises(
        UserError, match=r"'flowers' has no validation images to draw from; write `draw: elevater.*folder `val.*training images"
    ):
        draw(labels(100, 4), labels(0, 4), 4, 1, "flowers")


@pytest.mark.parametrize(("scheme", "shots"), [("elevater", 1), ("elevater", 2), ("coop", 1)])
def test_where_images_validate_themselves_the_plan_says_so(scheme: str, shots: int, capsys) -> None:
    """MVLPT's code trains and validates on the same image when ELEVATER's scheme has one to give."""
    from promptatlas.runs import session
    from promptatlas.study.study import Study

    drawn = draw(labels(200, 10), labels(200, 10, seed=1), shots, 1, "made up", scheme)
    itself = drawn.validation_split == "train" and bool({*drawn.train.tolist()} & {*drawn.validation.tolist()})
    session.announce(Study({"study": "never_run", "draw": scheme, "shots": shots}))
    assert ("validates, as in MVLPT's code" in capsys.readouterr().err) == itself == ((scheme, shots) == ("elevater", 1))
