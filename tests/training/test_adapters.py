"""Tip-Adapter and Prompt-Adapter: the closed formula, the whole grid against one pair at a time, validation only."""

import inspect
import re
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from promptatlas.base.errors import UserError
from promptatlas.base.rng import named_rng
from promptatlas.methods import module_class, names, settings
from promptatlas.tasks import metrics
from promptatlas.training.adapters import Examples, tip_adapter, tip_adapter_f
from promptatlas.training.adapters.cache import cache, logits
from promptatlas.training.adapters.search import _sums, axis, right_between, search

CLIP = 100.0  # the logit scale of OpenAI's weights, and the constant of the paper
SMALL = {"alpha_steps": 7, "beta_steps": 5, "alpha_max": 6.0, "beta_max": 8.0}


def unit(random, *shape):
    values = random.normal(size=shape)
    return values / np.linalg.norm(values, axis=-1, keepdims=True)


def scene(classes=5, shots=4, width=12, passes=1, multilabel=False, validation=30, spread=0.9):
    """Class means, weights that are a little off, few-shot images and validation images, in float64."""
    random = np.random.default_rng(3)
    means = unit(random, classes, width)

    def images(labels, *more):
        weight = labels @ means if multilabel else means[labels]
        return weight + spread * random.normal(size=(*more, len(labels), width)) / width**0.5

    def labels(count):
        if not multilabel:
            return np.arange(count) % classes
        marks = (random.random((count, classes)) < 0.3).astype(np.int64)
        marks[np.arange(count), np.arange(count) % classes] = 1
        return marks

    train, valid = labels(classes * shots), labels(validation)
    weights = F.normalize(torch.from_numpy(means + 0.4 * random.normal(size=means.shape)), dim=-1)
    features = torch.from_numpy(images(train, passes))
    checked = F.normalize(torch.from_numpy(images(valid)), dim=-1)
    return weights, Examples(features, torch.from_numpy(train)), Examples(checked, torch.from_numpy(valid))


def formula(f, scale, weights, passes, labels, alpha, beta):
    """The paper's sum, image by image, class by class."""
    keys = [np.mean([p[m] for p in passes], axis=0) for m in range(len(labels))]
    keys = [key / np.sqrt(key @ key) for key in keys]
    result = np.zeros((len(f), len(weights)))
    for i in range(len(f)):
        for c in range(len(weights)):
            result[i, c] = scale * f[i] @ weights[c]
            for key, label in zip(keys, labels, strict=True):
                told = label[c] if np.ndim(label) else float(label == c)
                result[i, c] += alpha * np.exp(-beta * (1 - f[i] @ key)) * told
    return result


@pytest.mark.parametrize("scale", [CLIP, 31.9, 117.3])
@pytest.mark.parametrize("multilabel", [False, True], ids=["single", "multi"])
def test_logits_are_the_closed_formula(multilabel, scale):
    weights, train, validation = scene(passes=3, multilabel=multilabel)
    kept = cache(train.features, train.labels, 5)
    ours = logits(validation.features, scale, weights, kept, 1.7, 3.2)
    arrays = (part.numpy() for part in (weights, train.features, train.labels))
    expected = formula(validation.features.numpy(), scale, *arrays, 1.7, 3.2)
    np.testing.assert_allclose(ours.numpy(), expected, rtol=1e-12)


def test_the_grid_has_the_released_end_points():
    values = axis(7, 200)
    assert len(values) == 200 and values[0] == 0.1
    assert values[1] == pytest.approx(0.1 + 6.9 / 200) and values[-1] == pytest.approx(7 - 6.9 / 200)


def one_by_one(scale, weights, kept, validation, alphas, betas, metric):
    """Beta outside, alpha inside, the first strict maximum is kept."""
    best = (-1.0, None, None)
    for beta in betas:
        for alpha in alphas:
            table = logits(validation.features, scale, weights, kept, alpha, beta).numpy()
            value = metrics.score(metric, table, validation.labels.numpy()).value
            best = (value, alpha, beta) if value > best[0] + 1e-12 else best
    return best


@pytest.mark.parametrize("scale", [CLIP, 31.9])
@pytest.mark.parametrize("metric", ["accuracy", "mean_per_class", "map_11_point"])
def test_the_whole_grid_at_once_equals_one_pair_at_a_time(metric, scale, monkeypatch):
    multilabel = metric == "map_11_point"
    weights, train, validation = scene(multilabel=multilabel, spread=1.5)
    validation = Examples(validation.features[:27], validation.labels[:27])  # classes of different sizes
    kept = cache(train.features, train.labels, 5)
    alphas, betas = axis(60, 25), axis(12, 10)
    expected = one_by_one(scale, weights, kept, validation, alphas, betas, metric)
    monkeypatch.setattr("promptatlas.training.adapters.search.NUMBERS_AT_ONCE", 200)
    ours = search(validation.features, validation.labels, scale, weights, kept, alphas, betas, metric)
    assert (ours.alpha, ours.beta) == (expected[1], expected[2]) and ours.score == pytest.approx(expected[0])
    assert ours.alpha > alphas[0] or ours.beta > betas[0]


@pytest.mark.parametrize("metric", ["accuracy", "mean_per_class"])
def test_the_whole_grid_holds_for_classes_with_few_images_or_none(metric):
    """What a class's images say is a sum over slots, and not every class fills its own."""
    weights, train, validation = scene(spread=1.5)
    there = torch.tensor([4, 0, 0, 2, 2, 2, 4, 2, 0, 4, 0])  # in no order; none of classes 1 and 3
    kept = cache(train.features[:, [5 * i % 20 + int(label) for i, label in enumerate(there)]], there, 5)
    alphas = axis(60, 25)
    for betas in (axis(12, 20), axis(0.1, 3)):  # the second has one beta three times
        expected = one_by_one(CLIP, weights, kept, validation, alphas, betas, metric)
        ours = search(validation.features, validation.labels, CLIP, weights, kept, alphas, betas, metric)
        assert (ours.alpha, ours.beta) == (expected[1], expected[2]) and ours.score == pytest.approx(expected[0])
        assert ours.alpha > alphas[0] or ours.beta > betas[0]


@pytest.mark.parametrize(("kind", "nearness"), [(torch.float64, 1e-13), (torch.float32, 5e-6)])
def test_sums_from_beta_to_beta_are_those_of_each_beta(kind, nearness):
    """The grid multiplies its way from one beta to the next; rounding must not add up along 200 of them."""
    cosines = torch.rand(7, 12, 3, dtype=kind, generator=torch.Generator().manual_seed(0))
    betas = axis(20, 200)
    for beta, ours in zip(betas, _sums(cosines - 1, betas), strict=True):
        torch.testing.assert_close(ours, torch.exp(beta * (cosines - 1)).sum(1), rtol=nearness, atol=0)


def test_the_interval_of_alphas_is_where_argmax_answers_right():
    random = torch.Generator().manual_seed(0)
    plain, cached = (torch.randint(-4, 5, (400, 4), generator=random).double() for _ in range(2))
    labels = torch.randint(0, 4, (400,), generator=random)
    low, high = right_between(plain, cached, labels)
    for alpha in np.linspace(0.013, 9.013, 50):  # between the places where whole numbers tie
        right = (plain + alpha * cached).argmax(1) == labels
        assert torch.equal(right, (low <= alpha) & (alpha <= high))


def test_the_whole_grid_is_searched_for_a_hundred_classes():
    """200 x 200 pairs, 100 classes x 16 shots, four validation images per class, 512 features."""
    weights, train, validation = scene(classes=100, shots=16, width=512, validation=400)
    train, validation = (Examples(part.features.float(), part.labels) for part in (train, validation))
    adapter = tip_adapter(settings("tip_adapter"), CLIP, weights.float(), train, validation, "accuracy")
    plain = (100 * validation.features @ weights.float().T).argmax(1) == validation.labels
    assert adapter.choice.score >= plain.float().mean()


@pytest.mark.parametrize("scale", [CLIP, 31.9])
@pytest.mark.parametrize("multilabel", [False, True], ids=["single", "multi"])
def test_trained_keys_equal_a_plain_loop_in_float64(multilabel, scale):
    """Tip-Adapter-F written out: only the keys move, AdamW with epsilon 1e-4, a cosine per step down to zero."""
    weights, train, validation = scene(passes=2, multilabel=multilabel)
    metric = "map_11_point" if multilabel else "accuracy"
    complete = settings("tip_adapter_f", SMALL | {"epochs": 4, "batch_size": 8, "learning_rate": 0.01, "select": "last"})
    ours = tip_adapter_f(complete, scale, weights, train, validation, metric, named_rng("order", "test", 1))
    keys = F.normalize(train.features.mean(0), dim=-1)
    values = train.labels.double() if multilabel else torch.eye(5, dtype=torch.float64)[train.labels]
    m, v, order, t = torch.zeros_like(keys), torch.zeros_like(keys), named_rng("order", "test", 1), 0
    for epoch in range(4):
        rows = order.permutation(20)
        for start in range(0, 20, 8):
            batch = rows[start : start + 8]
            f = F.normalize(train.features[epoch % 2][batch], dim=-1)
            leaf = keys.clone().requires_grad_()
            z = scale * f @ weights.T + 1.17 * torch.exp(-(1 - f @ leaf.T)) @ values
            target = values[batch] / values[batch].sum(1, keepdim=True)
            value = -(target * z.log_softmax(1)).sum(1).mean()
            (g,) = torch.autograd.grad(value, leaf)
            rate, t = 0.005 * (1 + np.cos(np.pi * t / 12)), t + 1
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
            keys = keys * (1 - rate * 0.01)
            keys = keys - rate * (m / (1 - 0.9**t)) / ((v / (1 - 0.999**t)).sqrt() + 1e-4)
    torch.testing.assert_close(ours.cache.keys, keys, atol=1e-10, rtol=1e-9)
    torch.testing.assert_close(ours.cache.values, values)
    assert len(ours.history) == 4 and ours.best_epoch == 4 and not torch.equal(keys, cache(train.features, train.labels, 5).keys)


def test_the_first_best_epoch_on_validation_is_taken():
    weights, train, validation = scene(spread=1.5)
    complete = settings("tip_adapter_f", SMALL | {"epochs": 6, "batch_size": 8, "learning_rate": 0.05, "alpha": 20.0})
    ours = tip_adapter_f(complete, CLIP, weights, train, validation, "accuracy", named_rng("order", "test", 1))
    scores = [row["validation_score"] for row in ours.history]
    assert ours.best_epoch == 1 + int(np.argmax(scores)) and len(set(scores)) > 1
    first = logits(validation.features, CLIP, weights, ours.cache, complete["alpha"], complete["beta"]).argmax(1)
    assert (first == validation.labels).double().mean() == max(scores)


@pytest.mark.parametrize("method", ["tip_adapter", "tip_adapter_f"])
def test_the_choice_follows_the_validation_labels_and_no_test_image_is_given(method):
    """That noise in the test labels changes no choice is shown on whole jobs by tests/workflow/test_methods_compared.py."""
    adapt = module_class(method)
    assert not any("test" in name for name in inspect.signature(adapt).parameters)
    assert not any("test" in name for name in inspect.signature(search).parameters)
    weights, train, validation = scene(spread=2.0)
    complete = settings(method, SMALL | ({"epochs": 3, "batch_size": 8} if method == "tip_adapter_f" else {}))

    def chosen(labels):
        order = [named_rng("order", "test", 1)] if method == "tip_adapter_f" else []
        return adapt(complete, CLIP, weights, train, Examples(validation.features, labels), "accuracy", *order).choice

    assert chosen(validation.labels) != chosen(validation.labels.flip(0))


def test_what_the_cache_adds_helps_where_class_weights_are_off():
    weights, train, validation = scene(classes=20, shots=16, width=32, validation=400, spread=1.0)
    plain = (validation.features @ weights.T).argmax(1) == validation.labels
    ours = tip_adapter(settings("tip_adapter"), CLIP, weights, train, validation, "accuracy")
    assert ours.choice.score > plain.double().mean() + 0.02


def test_a_diverging_adapter_is_named():
    weights, train, validation = scene()
    complete = settings("tip_adapter_f", SMALL | {"learning_rate": 1e308, "epochs": 3, "batch_size": 8})
    with pytest.raises(UserError, match="lower its learning_rate"):
        tip_adapter_f(complete, CLIP, weights, train, validation, "accuracy", named_rng("order", "test", 1))


def test_the_benchmark_of_the_search_makes_the_same_choice_both_ways(monkeypatch, capsys):
    path = Path(__file__).parents[2] / "benchmarks" / "adapter_search.py"
    monkeypatch.setattr("sys.argv", [str(path), "--classes", "4", "--shots", "2", "--betas", "5", "--rounds", "1"])
    with torch.random.fork_rng():
        runpy.run_path(str(path), run_name="__main__")
    choices = [re.search("alpha.*", line).group() for line in capsys.readouterr().out.splitlines()[:2]]
    assert choices[0] == choices[1]


def test_adapters_are_methods_of_their_own_kind_with_checked_settings():
    assert names("adapter") == ["tip_adapter", "tip_adapter_f", "prompt_adapter", "prompt_adapter_f", "task_res", "lp_plus_plus"]
    assert not set(names("adapter")) & set(names())
    assert settings("prompt_adapter_f")["learning_rate"] == 0.005 and settings("tip_adapter_f", preset="mini")["epochs"] == 20
    with pytest.raises(UserError, match=r"settings\.tip_adapter\.momentum: unknown setting"):
        settings("tip_adapter", {"momentum": 0.5})


def of_one_class(validation):
    one = validation.labels == 0
    return Examples(validation.features[one], validation.labels[one])


@pytest.mark.parametrize("method", ["tip_adapter", "tip_adapter_f"])
def test_nothing_is_chosen_by_a_metric_that_has_no_value(method):
    """Keys, alpha and beta would otherwise be those of before the first epoch and the first pair of the grid."""
    weights, train, validation = scene(classes=2)
    trained = method == "tip_adapter_f"
    complete = settings(method, SMALL | ({"epochs": 2, "batch_size": 8} if trained else {}))
    with pytest.raises(UserError, match=r"roc_auc has no value on these images|no alpha and beta has a score that is a number"):
        module_class(method)(
            complete, CLIP, weights, train, of_one_class(validation), "roc_auc", *[named_rng("order", "test", 1)][:trained]
        )


@pytest.mark.parametrize("metric", ["accuracy", "mean_per_class", "roc_auc", "map_11_point"])
@pytest.mark.parametrize("where", ["features", "weights", "keys"])
def test_no_pair_is_chosen_among_answers_that_are_no_numbers(metric, where):
    multilabel = metric == "map_11_point"
    weights, train, validation = scene(classes=2, multilabel=multilabel)
    kept = cache(train.features, train.labels, 2)
    {"features": validation.features, "weights": weights, "keys": kept.keys}[where][0, 0] = torch.nan
    with pytest.raises(UserError, match="no alpha and beta has a score that is a number"):
        search(validation.features, validation.labels, CLIP, weights, kept, axis(60, 5), axis(12, 4), metric)


@pytest.mark.parametrize("metric", ["accuracy", "roc_auc"])
def test_a_beta_whose_answers_overflow_is_passed_over(metric):
    """Trained keys may lie outside of the unit sphere, where a large beta is more than a number can hold."""
    weights, train, validation = scene(classes=2)
    kept = cache(train.features, train.labels, 2)
    kept = type(kept)(kept.keys * 4, kept.values)
    ours = search(validation.features, validation.labels, CLIP, weights, kept, axis(6, 5), np.array([1.0, 1000.0]), metric)
    assert ours.beta == 1.0 and 0 <= ours.score <= 1


def test_equal_scores_choose_the_first_pair():
    weights, train, validation = scene(classes=2)
    same = Examples(validation.features[:1].expand(6, -1), torch.tensor([0, 1, 0, 1, 0, 1]))
    for metric in ("accuracy", "mean_per_class", "roc_auc"):
        ours = search(same.features, same.labels, CLIP, weights, cache(train.features, train.labels, 2), axis(6, 5), axis(8, 4), metric)
        assert (ours.alpha, ours.beta, ours.score) == (0.1, 0.1, 0.5)
