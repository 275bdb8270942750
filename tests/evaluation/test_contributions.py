"""Contributions of images average to the score, equal closed forms and leaving each image out, and their spread is that of scores."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from promptatlas.base.errors import UserError
from promptatlas.evaluation.contributions import contributions
from promptatlas.tasks import metrics

EVERY = ("accuracy", "mean_per_class", "roc_auc", "map_11_point")


def drawn(metric: str, images: int, prompts: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits (K, N, C) and labels that fit the metric; some answers are tied."""
    rng = np.random.default_rng(seed)
    classes = 2 if metric == "roc_auc" else 5
    if metrics.lookup(metric).multilabel:
        labels = (rng.random((images, classes)) < 0.4).astype(np.uint8)
        shown = labels
    else:
        labels = rng.choice(classes, images, p=rng.dirichlet(np.full(classes, 5.0)))
        shown = np.eye(classes)[labels]
    logits = np.round(rng.normal(size=(prompts, images, classes)) + 1.5 * shown, 1)
    return logits, labels


def standard_error(rows: np.ndarray) -> np.ndarray:
    return rows.std(axis=-1, ddof=1) / np.sqrt(rows.shape[-1])


@pytest.mark.parametrize("metric", EVERY)
def test_their_mean_is_the_score(metric: str) -> None:
    logits, labels = drawn(metric, 40)
    found = contributions(metric, logits, labels)
    assert found.shape == (3, 40) and found.dtype == np.float64
    expected = [metrics.score(metric, own, labels).value for own in logits]
    np.testing.assert_allclose(found.mean(axis=1), expected, atol=1e-12)


@pytest.mark.parametrize("metric", ["accuracy", "mean_per_class"])
def test_predicted_classes_are_enough_for_right_answers(metric: str) -> None:
    logits, labels = drawn(metric, 60)
    predicted = logits.argmax(axis=2).astype(np.int16)
    np.testing.assert_array_equal(contributions(metric, predicted, labels), contributions(metric, logits, labels))


def test_a_class_counts_as_much_as_another_however_many_images_it_has() -> None:
    labels = np.array([0, 0, 0, 4, 4, 2])  # classes 1 and 3 have none
    predicted = np.array([[0, 0, 2, 4, 0, 2]])
    np.testing.assert_allclose(contributions("mean_per_class", predicted, labels), [[2 / 3, 2 / 3, 0, 1, 0, 2]])
    assert contributions("mean_per_class", predicted, labels).mean() == pytest.approx(balanced_accuracy_score(labels, predicted[0]))


def test_those_to_roc_auc_have_a_closed_form() -> None:
    """With V the share of the other class that an image is ranked right against, ties counting half (DeLong et al. 1988), leaving out one
    of m of its class gives (m AUC - V) / (m - 1)."""
    logits, labels = drawn("roc_auc", 30)
    scores, marked = softmax(logits, axis=-1)[:, :, 1], labels == 1
    above = np.sign(scores[:, marked, None] - scores[:, None, ~marked]) / 2 + 0.5
    area = above.mean(axis=(1, 2))[:, None]
    expected = np.empty(scores.shape)
    expected[:, marked] = area + 29 / (marked.sum() - 1) * (above.mean(axis=2) - area)
    expected[:, ~marked] = area + 29 / ((~marked).sum() - 1) * (above.mean(axis=1) - area)
    assert area[0] == pytest.approx(roc_auc_score(labels, scores[0]))
    np.testing.assert_allclose(contributions("roc_auc", logits, labels), expected, atol=1e-12)


def test_those_to_a_curve_are_what_leaving_an_image_out_changes() -> None:
    logits, labels = drawn("map_11_point", 25)
    score = [metrics.score("map_11_point", own, labels).value for own in logits]
    kept = [np.delete(np.arange(25), i) for i in range(25)]
    without = np.array([[metrics.score("map_11_point", own[rest], labels[rest]).value for rest in kept] for own in logits])
    pseudo = 25 * np.array(score)[:, None] - 24 * without
    found = contributions("map_11_point", logits, labels)
    np.testing.assert_allclose(found - found.mean(axis=1, keepdims=True), pseudo - pseudo.mean(axis=1, keepdims=True), atol=1e-12)


@pytest.mark.parametrize(
    ("metric", "least", "most"),
    [
        ("accuracy", 0.75, 1.25),
        ("mean_per_class", 0.75, 1.25),
        pytest.param("roc_auc", 0.75, 1.5, marks=pytest.mark.slow),
        pytest.param("map_11_point", 1, 3, marks=pytest.mark.slow),  # which jumps, as a quantile does
    ],
)
def test_the_spread_of_a_difference_is_that_of_fresh_images(metric: str, least: float, most: float) -> None:
    """Over 200 draws of 40 images the mean estimated variance of the difference of two prompts, by what it is over the draws."""
    rows = np.array([contributions(metric, *drawn_alike(metric, 40, seed)) for seed in range(200)])  # (200, 2, N)
    differences, estimated = (rows[:, 0] - rows[:, 1]).mean(axis=1), standard_error(rows[:, 0] - rows[:, 1]) ** 2
    assert least < estimated.mean() / differences.var(ddof=1) < most
    assert estimated.mean() < 0.8 * (standard_error(rows) ** 2).sum(axis=1).mean()  # as if they had seen different images


def drawn_alike(metric: str, images: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two prompts that see the same images and are mostly of one opinion, the second a little worse; always as many of each class."""
    rng = np.random.default_rng([seed, images])
    several, classes = metrics.lookup(metric).multilabel, 2 if metric == "roc_auc" else 3
    labels = (np.arange(images)[:, None] // [1, 2, 4] % 2).astype(np.uint8) if several else np.arange(images) % classes
    shown = labels if several else np.eye(classes)[labels]
    seen = rng.normal(size=(images, classes))
    return np.stack([0.8 * shown + seen, 0.5 * shown + seen + 0.5 * rng.normal(size=seen.shape)]), labels


@pytest.fixture
def own() -> Iterator[str]:
    """A metric from outside: the share of right answers, written as a function of logits."""

    def right(logits: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
        return float((logits.argmax(1) == labels).mean()), np.full(logits.shape[1], np.nan)

    metrics.register(replace(metrics.lookup("accuracy"), name="own", function=right))
    yield "own"
    metrics.METRICS.remove("own")


def test_a_metric_of_ones_own_has_them_too(own: str) -> None:
    logits, labels = drawn("accuracy", 30)
    np.testing.assert_allclose(contributions(own, logits, labels), contributions("accuracy", logits, labels), atol=1e-12)


def test_where_no_image_can_be_spared_all_count_the_score() -> None:
    logits = np.array([[[0.0, 1.0], [0.0, 2.0]], [[1.0, 0.0], [0.0, 0.0]]])
    np.testing.assert_array_equal(contributions("roc_auc", logits, np.array([0, 1])), [[1, 1], [1, 1]])


def test_labels_without_a_value_and_too_little_to_rank_by_are_said() -> None:
    logits, labels = drawn("roc_auc", 20)
    with pytest.raises(UserError, match="all are of class 1"):
        contributions("roc_auc", logits, np.ones(20, dtype=int))
    with pytest.raises(ValueError, match="needs logits"):
        contributions("roc_auc", logits.argmax(2), labels)
