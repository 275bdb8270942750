"""Always answering the largest class: its score is the metric's own of such answers, and what does not beat it is told."""

import numpy as np
import pandas as pd
import pytest

from promptatlas.runs import largest_class, tables as study_tables
from promptatlas.tasks import metrics


def constant(classes: int, answer: int, count: int) -> np.ndarray:
    return np.tile(np.eye(classes)[answer], (count, 1))


@pytest.mark.parametrize("metric", ["accuracy", "mean_per_class", "roc_auc"])
def test_it_is_the_best_of_the_answers_that_are_the_same_for_every_image(metric):
    labels = np.array([0] * 36 + [1] * 4)
    each = [metrics.score(metric, constant(2, answer, 40), labels).value for answer in (0, 1)]
    assert metrics.largest_class(metric, labels, 2) == pytest.approx(max(each))
    assert metrics.largest_class(metric, labels, 2) == pytest.approx({"accuracy": 0.9, "mean_per_class": 0.5, "roc_auc": 0.5}[metric])


def test_with_several_marks_it_is_the_positives_share_but_for_recall_0():
    marks = np.zeros((40, 2), dtype=np.uint8)
    marks[:10, 0] = marks[:30, 1] = 1
    assert metrics.largest_class("map_11_point", marks, 2) == pytest.approx(((1 + 10 * 0.25) / 11 + (1 + 10 * 0.75) / 11) / 2)
    assert metrics.largest_class("map_11_point", marks, 2) == pytest.approx(metrics.score("map_11_point", np.ones((40, 2)), marks).value)


def test_balanced_classes_make_it_chance_and_a_class_without_images_is_no_class_of_the_mean():
    labels = np.arange(12) % 3
    assert metrics.largest_class("accuracy", labels, 3) == metrics.chance("accuracy", labels, 3)
    assert metrics.largest_class("mean_per_class", labels, 4) == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("metric", "labels"), [("accuracy", np.arange(0)), ("roc_auc", np.ones(3, int)), ("map_11_point", np.zeros((3, 2), int))]
)
def test_where_the_metric_has_no_value_it_has_none(metric, labels):
    assert np.isnan(metrics.largest_class(metric, labels, 2))


def tables(scores: dict[tuple[str, str], float], metric="accuracy") -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two tasks of two classes, in `rare` one of them with nine tenths of the test images; scores by (source, target)."""
    about = {"protocol": "frozen", "method": "coop", "seed": 1, "chance": 0.5}
    transfer = pd.DataFrame([about | {"source": source, "target": target, "score": score} for (source, target), score in scores.items()])
    tasks = pd.DataFrame({"task": ["rare", "plain"], "metric": metric, "chance": 0.5, "largest_class": [0.9, 0.5]})
    return transfer, tasks


def test_where_every_prompt_stays_below_it_is_told_with_the_remedy():
    transfer, tasks = tables({("rare", "rare"): 0.9, ("plain", "rare"): 0.7, ("rare", "plain"): 0.4, ("plain", "plain"): 1.0})
    rare, plain = largest_class.records(transfer, tasks)
    assert rare["none_above"] and (rare["n_prompts"], rare["n_above"]) == (2, 0)
    assert not plain["none_above"] and plain["n_above"] == 1 and plain["remedy"] == ""
    assert "90.0 %" in largest_class.sentence(rare) and "`metric: mean_per_class`" in largest_class.sentence(rare)
    beaten = largest_class.beats(transfer["score"], transfer["target"].map({"rare": 0.9, "plain": 0.5}))
    assert beaten.tolist() == [False, False, False, True]


def test_no_remedy_is_named_that_would_not_help():
    low = {("rare", "rare"): 0.1, ("plain", "plain"): 0.1}
    assert [one["remedy"] for one in largest_class.records(*tables(low, "roc_auc"))] == ["", ""]
    assert [bool(one["remedy"]) for one in largest_class.records(*tables(low))] == [True, False]  # the second's classes are of one size


def test_what_is_missing_is_neither_above_nor_below():
    transfer, tasks = tables({("rare", "rare"): np.nan, ("plain", "plain"): 1.0})
    assert [one["none_above"] for one in largest_class.records(transfer, tasks)] == [False, False]
    assert largest_class.beats(transfer["score"], pd.Series([0.9, np.nan])).isna().all()
    assert largest_class.records(transfer, tasks.drop(columns="largest_class")) == []


def test_the_notes_name_the_remedy_once(monkeypatch):
    transfer, tasks = tables({("rare", "rare"): 0.2, ("plain", "plain"): 0.4})
    monkeypatch.setattr(study_tables.overlaps, "notes", lambda shared, name: [])
    rare, plain = study_tables._noted(tasks.assign(notes=[f"odd; {metrics.BALANCED}", ""]), transfer, pd.DataFrame())["notes"]
    assert rare.count(metrics.BALANCED) == 1 and "90.0 %" in rare and plain.startswith("no prompt")
    alone = study_tables._noted(tasks.assign(notes=""), transfer, pd.DataFrame())["notes"][0]
    assert alone.count(metrics.BALANCED) == 1
