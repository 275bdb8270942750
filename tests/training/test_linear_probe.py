"""The linear probe: the optimum of its own objective, chosen by validation alone, whole where classes are missing."""

import inspect

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit, logsumexp, softmax

from promptatlas.base.errors import UserError
from promptatlas.methods import settings
from promptatlas.tasks import metrics
from promptatlas.training.linear_probe import linear_probe


def unit(values: np.ndarray) -> np.ndarray:
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


def images(classes=5, each=8, width=12, spread=0.7, seed=0, part=0) -> tuple[np.ndarray, np.ndarray]:
    """Features around a centre per class, all centres in one cone as CLIP's are."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(classes, width)) + 2 * rng.normal(size=width)
    labels = np.repeat(np.arange(classes), each)
    rng = np.random.default_rng((seed, part))
    return unit(centres[labels] + spread * rng.normal(size=(len(labels), width)) * 2), labels


def splits(**changes):
    sizes = {"each": 8} | changes
    return [*images(**sizes, part=1), *images(**sizes, part=2), *images(**sizes | {"each": 60}, part=3)]


def regression_in_words(features: np.ndarray, labels: np.ndarray, strength: float, classes: int):
    """Minimum of ``sum of cross entropies + |W|^2 / (2 C)`` by a general-purpose optimiser in float64.

    The bias is free, so taking the mean off all features moves nothing but the bias; it lets the optimiser get there.
    """
    mean, width = features.mean(axis=0, dtype=float), features.shape[1]
    features = features - mean
    onehot = np.eye(classes)[labels]

    def loss(flat):
        weights, bias = flat[: classes * width].reshape(classes, width), flat[classes * width :]
        logits = features @ weights.T + bias
        error = softmax(logits, axis=1) - onehot
        value = (logsumexp(logits, axis=1) - (logits * onehot).sum(axis=1)).sum() + (weights**2).sum() / (2 * strength)
        return value, np.concatenate([(error.T @ features + weights / strength).ravel(), error.sum(axis=0)])

    found = minimize(loss, np.zeros(classes * (width + 1)), jac=True, method="BFGS", options={"gtol": 1e-6}).x
    weights, bias = found[: classes * width].reshape(classes, width), found[classes * width :]
    return lambda others: (others - mean) @ weights.T + bias


@pytest.mark.parametrize("seed", range(3))
def test_probe_scores_as_the_minimum_found_by_another_solver(seed: int) -> None:
    data = splits(seed=seed)
    score, strength = linear_probe(*data, "accuracy")
    decide = regression_in_words(data[0], data[1], strength, 5)
    assert score == pytest.approx((decide(data[4]).argmax(axis=1) == data[5]).mean(), abs=0.007)


@pytest.mark.parametrize("seed", range(3))
def test_validation_picks_the_strength_that_is_best_on_it(seed: int) -> None:
    data = splits(seed=seed)
    strength = linear_probe(*data, "accuracy")[1]

    def on_validation(value: float) -> float:
        return (regression_in_words(data[0], data[1], value, 5)(data[2]).argmax(axis=1) == data[3]).mean()

    best = max(on_validation(10.0**decade) for decade in range(-6, 7, 2) if -3 < decade < 5)
    assert on_validation(strength) >= best - 0.026  # one of the forty images


def test_settings_say_how_far_and_how_finely_the_strength_is_searched() -> None:
    data = splits()
    coarse, whole, half = (np.log10(linear_probe(*data, "accuracy", decades=3, halvings=count)[1]) for count in range(3))
    assert coarse in (-3, -1, 1, 3)
    assert whole in (coarse - 1, coarse, coarse + 1) and half in (whole - 0.5, whole, whole + 0.5)
    assert linear_probe(*data, "accuracy", iterations=1) != linear_probe(*data, "accuracy")
    usual = {name: one.default for name, one in inspect.signature(linear_probe).parameters.items() if one.default is not one.empty}
    assert usual == settings("linear_probe")


def test_test_images_do_not_choose_and_validation_images_do() -> None:
    data = splits()
    chosen = linear_probe(*data, "accuracy")[1]
    turned = np.roll(data[5], 17)
    assert linear_probe(*data[:5], turned, "accuracy")[1] == chosen
    rng = np.random.default_rng(0)
    others = {linear_probe(*data[:3], rng.permutation(data[3]), *data[4:], "accuracy")[1] for _ in range(5)}
    assert others != {chosen}


def test_probe_is_trained_on_train_images_only() -> None:
    data = splits()
    swapped = [data[0], (data[1] + 1) % 5, *data[2:4], data[4], (data[5] + 1) % 5]
    assert linear_probe(*swapped, "accuracy")[0] > 0.5 > linear_probe(*swapped[:5], data[5], "accuracy")[0]


def test_equally_good_strengths_give_the_smallest() -> None:
    data = splits(spread=0.01)
    assert linear_probe(*data, "accuracy") == (1.0, pytest.approx(10**-7.5))


def test_class_without_a_training_image_is_never_predicted() -> None:
    data = splits()
    keep = data[1] != 2
    score = linear_probe(data[0][keep], data[1][keep], *data[2:], "mean_per_class")[0]
    seen = data[5] != 2
    alone = linear_probe(data[0][keep], data[1][keep], *data[2:4], data[4][seen], data[5][seen], "mean_per_class")[0]
    assert score == pytest.approx(0.8 * alone)


@pytest.mark.parametrize("metric", ["accuracy", "mean_per_class", "roc_auc"])
def test_training_images_of_one_class_still_give_a_score(metric: str) -> None:
    train, labels, *others = splits(classes=2)
    one = labels == 0
    score, strength = linear_probe(train[one], labels[one], *others, metric)
    assert score == 0.5 and np.isfinite(strength)


@pytest.mark.parametrize("metric", ["accuracy", "mean_per_class", "roc_auc"])
def test_validation_images_of_one_class_choose_a_strength_only_where_the_metric_says_something(metric: str) -> None:
    train, labels, validation, marks, test, truth = splits(classes=2)
    other = marks == 1
    data = (train, labels, validation[other], marks[other], test, truth)
    if metric == "roc_auc":
        with pytest.raises(UserError, match="roc_auc has no value on these images: all are of class 1"):
            linear_probe(*data, metric)
    else:
        score, strength = linear_probe(*data, metric)
        assert 0 <= score <= 1 and np.isfinite(strength)


def test_area_under_the_curve_is_that_of_the_decision() -> None:
    data = splits(classes=2, spread=1.5)
    score, strength = linear_probe(*data, "roc_auc")
    logits = regression_in_words(data[0], data[1], strength, 2)(data[4])
    assert score == pytest.approx(metrics.area_under_roc(data[5] == 1, logits[:, 1] - logits[:, 0]), abs=0.01)


def several_labels(part: int, images: int, classes=4, width=10, seed=5) -> tuple[np.ndarray, np.ndarray]:
    directions = np.random.default_rng(seed).normal(size=(classes, width))
    rng = np.random.default_rng((seed, part))
    marks = (rng.random((images, classes)) < 0.35).astype(np.int64)
    return unit(marks @ directions + 0.8 * rng.normal(size=(images, width)) + 0.5), marks


def test_several_labels_are_one_probe_per_class_each_ranked_alone() -> None:
    data = [*several_labels(1, 60), *several_labels(2, 30), *several_labels(3, 200)]
    score, strength = linear_probe(*data, "map_11_point")
    expected = []
    for column in range(4):

        def loss(flat, marks=data[1][:, column]):
            logits = data[0].astype(float) @ flat[:-1] + flat[-1]
            return np.logaddexp(0, (1 - 2 * marks) * logits).sum() + (flat[:-1] ** 2).sum() / (2 * strength)

        found = minimize(loss, np.zeros(11), method="BFGS").x
        chance = expit(data[4].astype(float) @ found[:-1] + found[-1])
        expected.append(metrics.average_precision(data[5][:, column], chance))
    assert score == pytest.approx(np.mean(expected), abs=0.005)


def test_several_labels_with_a_class_that_is_never_or_always_marked() -> None:
    data = [*several_labels(1, 40), *several_labels(2, 20), *several_labels(3, 80)]
    data[1][:, 1], data[3][:, 2], data[1][:, 3] = 0, 0, 1
    score, strength = linear_probe(*data, "map_11_point")
    assert 0 < score < 1 and np.isfinite(strength)


@pytest.mark.slow
def test_many_classes_are_really_trained() -> None:
    """With an absolute tolerance nothing is trained beyond the class means once there are many classes."""
    rng = np.random.default_rng(7)
    centres, nuisance = rng.normal(size=(200, 48)), 6 * rng.normal(size=(3, 48))

    def drawn(each: int) -> tuple[np.ndarray, np.ndarray]:
        labels = np.repeat(np.arange(200), each)
        noise = 0.5 * rng.normal(size=(len(labels), 48)) + rng.normal(size=(len(labels), 3)) @ nuisance
        return unit(centres[labels] + noise), labels

    data = [*drawn(8), *drawn(2), *drawn(4)]
    score, strength = linear_probe(*data, "accuracy")
    means = np.stack([data[0][data[1] == label].mean(axis=0) for label in range(200)])
    nearest = ((data[4][:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
    assert score > (nearest == data[5]).mean() + 0.2 and strength >= 1


def test_no_validation_images_is_a_clear_error() -> None:
    data = splits()
    with pytest.raises(UserError, match="validate on; raise shots"):
        linear_probe(*data[:2], data[2][:0], data[3][:0], *data[4:], "accuracy")
