"""What answers of the frozen model say against names and labels, and what they do not."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from promptatlas.backbone import feature_file
from promptatlas.base import files
from promptatlas.evaluation import doubts
from promptatlas.evaluation.doubts import alike, swapped
from promptatlas.runs import comparable, tables
from promptatlas.study.study import Study
from promptatlas.tasks.prepared import Pool, write
from promptatlas.tasks.task import Task


def unit(*rows) -> np.ndarray:
    values = np.array(rows, dtype=np.float32)
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def test_class_names_that_the_model_cannot_tell_apart_are_named():
    told = alike(("cat", "dog", "a cat", "bird"), unit([1, 0, 0], [0, 1, 0], [1, 1e-3, 0], [0, 0, 1]))
    assert "1 pair of class names apart (cat and a cat;" in told and "`classes`" in told
    assert alike(("cat", "dog"), unit([1, 0], [1, 0.1])) == ""
    assert alike((), np.empty((0, 0))) == ""
    assert "6 pairs" in alike("abcd", unit(*[[1, 0]] * 4)) and "and 3 more" in alike("abcd", unit(*[[1, 0]] * 4))


@pytest.mark.parametrize(
    ("metric", "score", "chance", "images", "told"),
    [
        ("roc_auc", 0.39, 0.5, 1000, True),
        ("roc_auc", 0.39, 0.5, 50, False),  # guessing does as much
        ("roc_auc", 0.0, 0.5, 8, False),  # one order in 70
        ("roc_auc", 0.1, 0.5, 50, True),
        ("roc_auc", 0.41, 0.5, 5000, False),
        ("accuracy", 0.2, 0.5, 100, True),
        ("accuracy", 0.2, 0.5, 6, False),  # chance does as much
        ("accuracy", 0.45, 0.5, 100_000, False),  # a weak model does as much
        ("mean_per_class", 0.01, 0.1, 1000, True),
        ("accuracy", 0.0, 0.001, 100, False),
        ("map_11_point", 0.0, 0.5, 1000, False),
        ("accuracy", float("nan"), 0.5, 100, False),
        ("roc_auc", float("nan"), float("nan"), 100, False),
    ],
)
def test_scores_far_below_chance_are_told(metric, score, chance, images, told):
    sentence = swapped(metric, score, chance, images)
    assert bool(sentence) == told and (not told or "probably swapped" in sentence)


def test_the_spread_of_areas_is_that_of_guessing():
    """The largest area that is told is as rare as three standard errors are, among areas of guessed scores."""
    rng, marks = np.random.default_rng(0), np.arange(40) < 20
    ranks = rng.permuted(np.tile(np.arange(40), (20_000, 1)), axis=1)
    areas = (ranks[:, marks].sum(axis=1) - 190) / 400
    told = np.mean([bool(swapped("roc_auc", area, 0.5, 40)) for area in areas])
    assert 0.0003 < told < 0.0025


def test_both_stand_in_the_notes_of_the_table(tmp_path):
    study = Study({"tasks": ["shapes", "colors"], "results": str(tmp_path), "methods": ["coop"]})
    for name in study.tasks:
        task = Task(name, name, "own", ("one", "two"), ("a {}.",))
        images = {split: np.full((4, 8, 8, 3), 7, dtype=np.uint8) for split in ("train", "validation", "test")}
        write(study.paths.task_folder(name), task, {s: Pool.whole(array, np.arange(4) % 2) for s, array in images.items()}, [], images)
    files.replace(study.paths.encoded("shapes"), feature_file.packed({"class_features": unit([1, 0], [1, 0])}, {}))
    files.replace(study.paths.encoded("colors"), feature_file.packed({"class_features": unit([1, 0], [0, 1])}, {}))
    assert "one and two" in comparable.indistinct(study, "shapes") and comparable.indistinct(study, "colors") == ""
    tasks = pd.DataFrame(
        {"task": ["shapes", "colors"], "metric": "roc_auc", "zero_shot": [0.5, 0.2], "chance": 0.5, "n_test": 400, "notes": ["odd", ""]}
    )
    said = tables._swapped(tasks)
    assert [*said] == ["colors"]
    noted = tables._doubted(tasks, {name: comparable.indistinct(study, name) for name in study.tasks}, said)["notes"]
    assert noted[0].startswith("odd; the model cannot tell 1 pair") and noted[1].startswith("the score of the zero-shot prompt, 20.0 %")


def test_the_table_of_tasks_counts_images_that_can_be_used(tmp_path):
    study = Study({"tasks": ["shapes", "colors"], "results": str(tmp_path), "methods": ["coop"], "seeds": [1]})
    labels, kept = np.arange(10) % 2, np.arange(7)
    images = {split: np.zeros((7, 8, 8, 3), np.uint8) for split in ("train", "validation", "test")}
    pools = {split: replace(Pool.whole(array, labels[kept]), labels=labels, index=kept, skipped=[7, 8]) for split, array in images.items()}
    write(study.paths.task_folder("shapes"), Task("shapes", "S", "own", ("one", "two"), ("a {}.",)), pools, [], images)
    study.paths.draw("shapes", 1).parent.mkdir(parents=True)
    study.paths.draw("shapes", 1).write_text('{"shots_per_class": [2, 2]}')
    row = tables._task_row(study, "shapes", tables.finished)
    assert (row["n_train"], row["n_validation"], row["n_test"], row["skipped"]) == (8, 8, 7, 6)


@pytest.mark.parametrize(
    ("names", "codes"),
    [(["0", "1", "2"], True), (["class_1", "class 2", "Class-03"], True), (["n01440764", "n01443537"], True), (["A1", "B2", "C12b"], True),
     (["label7", "group 9", "ID_44"], True), (["cat", "dog"], False), (["a", "b", "c"], False), (["cat 2", "dog 3"], False),
     (["one", "two"], False), (["Boeing 747", "DC-10", "A318"], False), (["猫", "犬"], False), (["0", "1", "many"], False),
     ([*map(str, range(19)), "background"], True)],
)  # fmt: skip
def test_class_names_that_are_codes_are_told(names, codes):
    told = doubts.codes(names, ("a photo of a {}.",))
    assert bool(told) == codes and (not codes or names[0] in told)
    assert doubts.codes(names, ("a photo of the number {}.",)) == ""


def test_many_prompts_that_guess_are_seldom_called_better_and_one_that_sees_always_is():
    """Of 50 prompts that answer at random on 200 images."""
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 4
    better = 0
    for _ in range(200):
        scores = [*(rng.integers(4, size=(50, 200)) == labels).mean(axis=1)]
        better += doubts.guessed("accuracy", scores, labels, 4) == ""
        assert doubts.guessed("accuracy", [*scores, 0.6], labels, 4) == ""
    assert better <= 20
    told = doubts.guessed("accuracy", [0.26, 0.2], labels, 4)
    assert "26.0 %" in told and "guessing 25.0 %" in told and "zero-shot one included" in told


def test_images_that_are_too_few_for_any_prompt_are_said_to_be():
    """Three right of three by guessing: 1 in 27 for one prompt, so more than 1 in 20 for some of two."""
    labels = np.arange(3)
    assert doubts.guessed("accuracy", [1.0], labels, 3) == ""
    told = doubts.guessed("accuracy", [1.0, 0.0], labels, 3)
    assert told == "3 images of 3 classes are too few to tell any of 2 prompts from guessing, even one that is right on all"
    assert "surely better than guessing" in doubts.guessed("accuracy", [0.5] * 2, np.arange(12) % 3, 3)


@pytest.mark.parametrize("metric", ["mean_per_class", "roc_auc"])
def test_metrics_with_a_standard_error_of_guessing_are_looked_at(metric):
    labels = np.arange(100) % 2
    assert doubts.guessed(metric, [0.55, 0.3], labels, 2) and not doubts.guessed(metric, [0.8, 0.3], labels, 2)


def test_always_answering_the_largest_class_is_guessing_too():
    labels = np.repeat([0, 1], [90, 10])
    assert doubts.guessed("accuracy", [0.9], labels, 2) and not doubts.guessed("mean_per_class", [0.9], labels, 2)


@pytest.mark.parametrize(
    ("names", "features", "template", "nothing"),
    [
        (("a1", "b2", "cat"), unit([1, 0, 0], [0, 1, 0], [0, 0, 1]), "a {}.", True),
        (("a1", "b2", "cat"), unit([1, 0, 0], [0, 1, 0], [0, 0, 1]), "the number {}.", False),
        (("dog", "hound", "cat"), unit([1, 0, 0], [1, 0, 0], [0, 0, 1]), "a {}.", True),
        (("dog", "cow", "cat"), unit([1, 0, 0], [0, 1, 0], [0, 0, 1]), "a {}.", False),
        (("dog", "b2", "cat"), unit([1, 0, 0], [0, 1, 0], [0, 0, 1]), "a {}.", False),
    ],
)
def test_where_most_names_say_nothing_is_known(names, features, template, nothing):
    assert doubts.say_nothing(names, (template,), features) is nothing
