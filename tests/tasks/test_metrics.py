"""Scores equal scikit-learn's and ELEVATER's; chance is what random guessing scores."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import accuracy_score, balanced_accuracy_score, precision_recall_curve, recall_score, roc_auc_score

from promptatlas.base.errors import UserError
from promptatlas.base.rng import named_rng
from promptatlas.tasks import metrics


def guesses(images: int, classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.choice(classes, images, p=rng.dirichlet(np.full(classes, 3.0)))
    logits = rng.normal(size=(images, classes)) + 1.5 * np.eye(classes)[labels]
    return logits, labels


def eleven_points_in_words(marks: np.ndarray, scores: np.ndarray) -> float:
    """Mean over eleven recall levels of the best precision reached at that recall or later, on sklearn's curve."""
    precision, recall, _ = precision_recall_curve(marks, scores)
    return sum(max(p for p, r in zip(precision, recall, strict=True) if r >= level) for level in np.linspace(1, 0, 11)) / 11


@pytest.mark.parametrize("seed", range(5))
def test_accuracy_and_mean_per_class_are_sklearns(seed: int) -> None:
    logits, labels = guesses(400, 7, seed)
    predicted = logits.argmax(axis=1)
    accuracy, mean = metrics.score("accuracy", logits, labels), metrics.score("mean_per_class", logits, labels)
    assert accuracy.value == pytest.approx(accuracy_score(labels, predicted), abs=1e-12)
    assert mean.value == pytest.approx(balanced_accuracy_score(labels, predicted), abs=1e-12)
    np.testing.assert_allclose(mean.per_class, recall_score(labels, predicted, average=None), atol=1e-12)
    assert accuracy.chance == mean.chance == pytest.approx(1 / 7)


@pytest.mark.parametrize("rounded", [False, True])
def test_roc_auc_is_sklearns_also_with_ties(rounded: bool) -> None:
    logits, labels = guesses(300, 2)
    logits = np.round(logits) if rounded else logits
    score = metrics.score("roc_auc", logits, labels)
    assert score.value == pytest.approx(roc_auc_score(labels, softmax(logits, axis=1)[:, 1]), abs=1e-12)
    assert score.chance == 0.5
    np.testing.assert_allclose(score.per_class, score.value, atol=1e-12)


@pytest.mark.parametrize("rounded", [False, True])
def test_eleven_point_map_is_the_naive_one_on_softmax(rounded: bool) -> None:
    rng = np.random.default_rng(3)
    marks = (rng.random((250, 5)) < 0.3).astype(np.uint8)
    logits = rng.normal(size=(250, 5)) + marks
    logits = np.round(logits) if rounded else logits
    probabilities = softmax(logits, axis=1)
    score = metrics.score("map_11_point", logits, marks)
    expected = [eleven_points_in_words(marks[:, c], probabilities[:, c]) for c in range(5)]
    np.testing.assert_allclose(score.per_class, expected, atol=1e-12)
    assert score.value == pytest.approx(np.mean(expected), abs=1e-12)


def test_eleven_point_map_equals_the_published_example() -> None:
    """The example of vision-evaluation's own test of its 11-point mAP: 0.74069."""
    marks = np.array([[1, 0], [0, 1], [0, 1], [0, 1], [1, 0], [1, 0], [0, 1], [0, 1], [0, 1], [1, 0]])
    first = np.array([1, 0, 0.5, 0.1, 0.44, 0.09, 0.91, 0.37, 0.34, 0.89])
    scores = np.stack([first, 1 - first], axis=1)
    mean = np.mean([metrics.average_precision(marks[:, c], scores[:, c]) for c in range(2)])
    assert mean == pytest.approx(0.7406926406926406, abs=1e-12)


@pytest.mark.parametrize("metric", ["accuracy", "mean_per_class", "roc_auc", "map_11_point"])
def test_random_logits_score_chance_on_average(metric: str) -> None:
    rng = np.random.default_rng(11)
    classes = 2 if metric == "roc_auc" else 4
    labels = rng.integers(classes, size=200)
    if metric == "map_11_point":
        labels = (rng.random((200, classes)) < 0.25).astype(np.uint8)
    scores = [metrics.score(metric, rng.normal(size=(200, classes)), labels) for _ in range(300)]
    assert np.mean([score.value for score in scores]) == pytest.approx(scores[0].chance, abs=0.01)


def test_a_class_without_images_does_not_count() -> None:
    logits, labels = guesses(100, 3)
    labels[labels == 2] = 0
    score = metrics.score("mean_per_class", logits, labels)
    assert np.isnan(score.per_class[2])
    assert score.value == pytest.approx(np.mean(score.per_class[:2]))


def test_an_unknown_metric_is_named() -> None:
    with pytest.raises(UserError, match="'f1' is unknown"):
        metrics.score("f1", *guesses(10, 2))


def no_answers(labels: np.ndarray, classes: int = 2) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(len(labels), classes))


MARKED = np.array([[1, 0], [0, 0], [1, 0]], np.uint8)


@pytest.mark.parametrize(
    ("metric", "labels", "why"),
    [
        ("accuracy", np.array([], int), "there are none"),
        ("mean_per_class", np.array([], int), "there are none"),
        ("roc_auc", np.array([], int), "there are none"),
        ("map_11_point", MARKED[:0], "there are none"),
        ("roc_auc", np.array([0, 0, 0]), "all are of class 0"),
        ("roc_auc", np.array([1]), "all are of class 1"),
        ("map_11_point", 0 * MARKED, "none of them has a label"),
    ],
)
def test_a_metric_says_where_it_has_no_value_and_gives_none(metric, labels, why) -> None:
    assert why in metrics.undefined(metric, labels)
    with pytest.raises(UserError, match=f"{metric} has no value on these images: {why}"):
        metrics.score(metric, no_answers(labels), labels)


@pytest.mark.parametrize(
    ("metric", "labels"),
    [
        ("accuracy", np.array([0, 0])), ("mean_per_class", np.array([0, 2, 0])), ("mean_per_class", np.array([1])),
        ("roc_auc", np.array([0, 1])), ("map_11_point", MARKED),
    ],
)  # fmt: skip
def test_a_metric_has_a_value_on_all_other_labels(metric, labels) -> None:
    assert metrics.undefined(metric, labels) == ""
    classes = labels.shape[1] if labels.ndim == 2 else 4 if metric != "roc_auc" else 2
    assert 0 <= metrics.score(metric, no_answers(labels, classes), labels).value <= 1


@pytest.mark.parametrize("metric", ["accuracy", "roc_auc"])
def test_an_answer_that_rules_every_class_out_is_no_number(metric) -> None:
    logits = np.array([[0.0, -np.inf], [-np.inf, -np.inf], [-np.inf, 1.0]])
    with pytest.raises(UserError, match="the answers for 1 of 3 images are not numbers"):
        metrics.score(metric, logits, np.array([0, 1, 1]))
    assert metrics.score(metric, logits[[0, 2]], np.array([0, 1])).value == 1


@pytest.mark.parametrize(("images", "positives"), [(1, 1), (5, 1), (7, 3), (8, 7), (10, 5), (12, 4)])
def test_chance_of_few_images_is_the_mean_over_all_rankings(images: int, positives: int) -> None:
    """As scikit-learn's curve gives it for every set of places that the marked images can have."""
    from itertools import combinations

    found = []
    for places in combinations(range(images), positives):
        marks = np.isin(np.arange(images), places).astype(int)
        precision, recall, _ = precision_recall_curve(marks, -np.arange(images, dtype=float))
        found.append(np.mean([precision[recall >= level].max() for level in np.linspace(1, 0, 11)]))
    labels = np.zeros((images, 2), np.uint8)
    labels[:positives, 0] = 1
    assert metrics.chance("map_11_point", labels, 2) == pytest.approx(np.mean(found), abs=1e-12)


def test_chance_of_many_images_is_the_one_that_was_drawn_before() -> None:
    """Cells that exist hold it."""
    labels = np.zeros((200, 1), np.uint8)
    labels[:60] = 1
    generator = named_rng("chance of 11-point mAP", 200, 60)
    drawn = [metrics.average_precision(labels[:, 0], generator.random(200)) for _ in range(500)]
    assert metrics.chance("map_11_point", labels, 1) == np.mean(drawn)
