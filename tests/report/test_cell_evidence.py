"""What the page tells of single cells, counted here from made-up answers by plain loops."""

import base64
import zlib
from collections import Counter

import numpy as np
import pytest

from promptatlas.records.cells import packed_answers
from promptatlas.records.given_answers import packed_classes
from promptatlas.report.page import cell_evidence
from promptatlas.report.page.packed import packed, unpacked

CLASSES, IMAGES, SEEDS = 5, 60, (1, 2, 3)
NAMES = [f"class {number}" for number in range(CLASSES)]


@pytest.fixture
def labels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, CLASSES, IMAGES)


def cell(source: str, seed: int, given: np.ndarray, labels: np.ndarray, **other) -> dict:
    right = given == labels
    return {
        "protocol": "frozen", "method": "coop", "source": source, "target": "a", "seed": seed, "n_test": len(labels),
        "per_class": {name: float(right[labels == number].mean()) for number, name in enumerate(NAMES)},
        "correct": packed_answers(right), "answers": packed_classes(given),
        "fingerprint": f"{seed}{source}" + 64 * "f", "parts": {"prompt": f"{source}{seed}" + 64 * "e"},
    } | other  # fmt: skip


@pytest.fixture
def made(labels) -> list[dict]:
    """Cells of a source and of the zero-shot prompt, wrong here and there."""
    rng = np.random.default_rng(1)
    hand = np.where(rng.random(IMAGES) < 0.6, labels, rng.integers(0, CLASSES, IMAGES))
    some = [cell("b", seed, np.where(rng.random(IMAGES) < 0.5, labels, rng.integers(0, CLASSES, IMAGES)), labels) for seed in SEEDS]
    return [*some, *(cell("template", seed, hand, labels) for seed in SEEDS)]


def told(cells, labels, shown=None):
    given = cell_evidence.gathered(cells)
    return cell_evidence.told(given, {} if labels is None else {"a": labels}, shown or {})["frozen/coop"]


def plain(made: list[dict], source: str) -> list[list[int]]:
    """The classes given by a source, by seed."""
    return [list(zlib.decompress(base64.b64decode(one["answers"]))) for one in made if one["source"] == source]


def test_wrong_answers_are_counted_by_own_class_and_answer(made, labels):
    counted = Counter((int(own), answer) for seed in plain(made, "b") for own, answer in zip(labels, seed, strict=True) if own != answer)
    found = told(made, labels)["b"]["a"]
    assert {(own, answer): times for own, answer, times in found["confused"]} == counted and found["rest"] == 0
    times = [one[2] for one in found["confused"]]
    assert times == sorted(times, reverse=True) and found["seeds"] == 3


def test_of_many_kinds_of_wrong_answers_the_most_frequent_are_kept_and_the_rest_counted(made, labels):
    every = told(made, labels)["b"]["a"]["confused"]
    seeds = cell_evidence.gathered(made).cells["frozen/coop"]["b"]["a"]
    few = cell_evidence.confusions(seeds, labels, 4)
    assert few == {"confused": every[:4], "rest": sum(one[2] for one in every[4:])} and few["rest"] > 0


def test_images_are_those_that_one_prompt_alone_or_neither_gets_right(made, labels):
    hand = plain(made, "template")[0]
    counts = np.zeros((3, 3))
    for seed, given in enumerate(plain(made, "b")):
        for own, answer, before in zip(labels, given, hand, strict=True):
            counts[seed] += [answer != own and before == own, answer == own and before != own, answer != own and before != own]
    assert told(made, labels)["b"]["a"]["images"] == pytest.approx(counts.mean(axis=0), abs=0.051)
    assert told(made, labels)["template"]["a"]["images"][:2] == [0, 0]


def test_shown_test_images_say_in_how_many_seeds_they_are_right_and_what_they_are_most_often_taken_for(made, labels):
    rows = np.array([3, 41, 7])
    found, given = told(made, labels, {"a": rows})["b"]["a"], plain(made, "b")
    assert found["right"] == [sum(seed[row] == labels[row] for seed in given) for row in rows]
    for row, answer in zip(rows, found["given"], strict=True):
        counts = Counter(seed[row] for seed in given)
        assert counts[answer] == max(counts.values())


def test_class_scores_are_means_over_seeds_in_per_mille(made):
    own = [one["per_class"] for one in made if one["source"] == "b"]
    assert told(made, None)["b"]["a"]["classes"] == [round(1000 * sum(one[name] for one in own) / 3) for name in NAMES]


def test_hashes_are_the_first_digits_by_seed(made, labels):
    marks = told(made, labels)["b"]["a"]["marks"]
    assert marks == {seed: [f"{seed}b" + 10 * "f", f"b{seed}" + 10 * "e"] for seed in SEEDS}


def test_many_cells_have_no_hashes_and_fewer_wrong_answers(made, labels, monkeypatch):
    monkeypatch.setattr(cell_evidence, "MARKED", {5: 12})
    monkeypatch.setattr(cell_evidence, "CONFUSIONS", 2)
    found = told(made, labels)["b"]["a"]
    assert "marks" not in found and len(found["confused"]) == cell_evidence.FEWEST


@pytest.mark.parametrize("change", [{"answers": None}, {"correct": None}, {"answers": packed_classes(np.zeros(IMAGES, dtype=int))}])
def test_what_a_cell_does_not_say_or_says_against_itself_is_not_told(made, labels, change):
    found = told([one | (change if one["seed"] == 2 and one["source"] == "b" else {}) for one in made], labels)["b"]["a"]
    assert "confused" not in found and found["classes"]


def test_labels_that_are_no_longer_those_of_the_cells_are_not_believed(made, labels):
    assert "confused" not in told(made, labels[::-1])["b"]["a"] and "confused" not in told(made, labels[:-1])["b"]["a"]
    assert "confused" not in told(made, None)["b"]["a"]


def test_failed_cells_have_nothing_to_tell(made, labels):
    failed = cell("b", 9, labels, labels, failed="no memory", per_class={})
    assert told([*made, failed], labels) == told(made, labels)


def test_packed_data_are_the_same_again_and_the_same_text():
    data = {"names": ["ä", "</script>", "日本"], "numbers": [1, None, 2.5]}
    assert unpacked(packed(data)) == data and packed(data) == packed(dict(data))
