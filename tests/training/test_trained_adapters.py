"""TaskRes and LP++: the authors' golden values, the equations written out, and what sets them apart from what they are mistaken for."""

from functools import partial
from importlib import import_module
from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from promptatlas.base.errors import UserError
from promptatlas.base.rng import named_rng
from promptatlas.methods import module_class, settings
from promptatlas.training.adapters import Examples, lp_plus_plus, task_res, trained as shared
from promptatlas.training.adapters.lp_plus_plus import Blocks, step_sizes
from promptatlas.training.adapters.task_res import turned
from promptatlas.training.optimisers import Adam
from promptatlas.training.schedule import learning_rate
from promptatlas.training.selection import Latest
from short_memory import Memory

METHODS = ("task_res", "lp_plus_plus")
QUICK = {"task_res": {"epochs": 6, "batch_size": 8, "learning_rate": 0.05}, "lp_plus_plus": {"epochs": 24}}


def scene(classes=4, shots=4, width=12, validation=24, spread=0.9, multilabel=False, kind=torch.float64):
    """Class features of no unit length that are a little off, few-shot images, validation images and test features."""
    random = np.random.default_rng(3)
    means = random.normal(size=(classes, width))
    means /= np.linalg.norm(means, axis=1, keepdims=True)

    def examples(count):
        labels = np.arange(count) % classes
        marks = np.eye(classes, dtype=np.int64)[labels]
        marks |= (random.random(marks.shape) < 0.2) * multilabel
        features = marks @ means + spread * random.normal(size=(count, width)) / width**0.5
        return Examples(F.normalize(torch.from_numpy(features).to(kind), dim=-1), torch.from_numpy(marks if multilabel else labels))

    weights = torch.from_numpy(3 * means + random.normal(size=means.shape) * random.uniform(0.5, 2, (classes, 1))).to(kind)
    return weights, examples(classes * shots), examples(validation), examples(50).features


def run(method, given=None, metric="accuracy", seed=1, **changes):
    weights, train, validation, test = given or scene()
    weights = weights if method == "task_res" else F.normalize(weights, dim=-1)
    own = settings(method, QUICK[method] | changes)
    ready = module_class(method)(own, 30.0, weights, train, validation, metric, named_rng("order", "test", seed))
    return ready, ready.logits(test)


# LP++ --------------------------------------------------------------------------------------------------------------------------------

IMAGES, CLASSES = [[0.6, 0.8], [0.8, 0.6], [0.8, 0.6], [0, 1]], [[0.8, 0.6], [0, 1]]


def golden(alpha_gradient):
    """The example whose numbers come from the authors' functions, in float64."""
    double = partial(torch.tensor, dtype=torch.float64)
    marks, own = double([[1, 0], [1, 0], [0, 1], [0, 1]]), settings("lp_plus_plus", {"alpha_gradient": alpha_gradient})
    return Blocks(double(IMAGES), torch.tensor([0, 0, 1, 1]), marks, double(CLASSES), double([0, 0]), own)


def numbers(tensor):
    return tensor.detach().flatten().tolist()


def test_lp_plus_plus_starts_and_steps_as_its_authors_functions_do():
    blocks = golden("as_released")
    assert step_sizes(blocks.features, blocks.blend) == pytest.approx((4.592003, 0.304729), abs=5e-7)
    assert blocks.optimizer.rate == pytest.approx(4.592003, abs=5e-7) and blocks.alpha_rate == pytest.approx(0.304729, abs=5e-7)
    assert numbers(blocks.alpha) == pytest.approx([222.5, 222.5]) and numbers(blocks.weights) == pytest.approx([1.4, 1.4, 0.8, 1.6])
    assert blocks.epoch(0).item() == pytest.approx(22.34, abs=5e-3)
    assert numbers(blocks.weights) == pytest.approx([0.481599, 0.711199, 1.718401, 2.288801], abs=5e-7)
    assert numbers(blocks.bias) == pytest.approx([-1.148001, 1.148001], abs=5e-7)
    assert numbers(blocks.alpha) == pytest.approx([222.5, 222.5])


@pytest.mark.parametrize(
    ("alpha_gradient", "first", "second"),
    [
        ("as_released", (222.459308, 222.422149), (222.288545, 222.275734)),
        ("paper", (222.645390, 222.395701), (222.584658, 222.428535)),
    ],
)
def test_a_step_of_alpha_goes_along_its_gradient_or_the_sum_that_the_release_never_clears(alpha_gradient, first, second):
    blocks = golden(alpha_gradient)
    for number, expected in ((10, first), (20, second)):
        for epoch in range(number - 10, number):
            blocks.epoch(epoch)
        assert numbers(blocks.alpha) == pytest.approx(expected, abs=5e-7)


def test_the_largest_eigenvalue_is_that_of_either_product():
    for count in (3, 40):
        features = torch.randn(count, 12, generator=torch.Generator().manual_seed(count), dtype=torch.float64)
        largest = np.linalg.svd(features.numpy(), compute_uv=False)[0] ** 2
        assert step_sizes(features, features)[0] == pytest.approx(4 * count / largest, rel=1e-10)


def test_a_step_of_lp_plus_plus_never_raises_the_loss_of_its_block():
    """Its sizes bound the curvature: a plain step of W and b, and one of alpha, go down (the paper's reason for them)."""
    weights, train, *_ = scene()
    marks = F.one_hot(train.labels).double()
    for seed in range(5):
        bias = torch.from_numpy(named_rng("bias", seed).normal(size=4))
        blocks = Blocks(
            train.features, train.labels, marks, F.normalize(weights, dim=-1), bias, settings("lp_plus_plus", {"momentum": 1e-9})
        )
        losses = [blocks.epoch(number).item() for number in range(40)]
        assert all(after <= before + 1e-9 for before, after in pairwise(losses))


def test_lp_plus_plus_has_no_factor_on_cosines_and_answers_as_its_formula():
    weights, train, validation, test = scene()
    weights = F.normalize(weights, dim=-1)
    own = settings("lp_plus_plus", QUICK["lp_plus_plus"] | {"select": "last"})
    answers = [lp_plus_plus(own, scale, weights, train, validation, "accuracy", named_rng("o", 1)).logits(test) for scale in (1.0, 100.0)]
    torch.testing.assert_close(answers[0], answers[1], rtol=0, atol=0)
    bound = 12**-0.5
    w, b = F.one_hot(train.labels).double().T @ train.features, torch.from_numpy(named_rng("o", 1).uniform(-bound, bound, 4))
    text = train.features @ weights.T
    alpha = torch.full((4,), 250 * np.mean([text[train.labels == k, k].mean().item() for k in range(4)]), dtype=torch.float64)
    rate, velocity = step_sizes(train.features, text), [torch.zeros_like(w), torch.zeros_like(b)]
    for epoch in range(24):
        leaves = [value.clone().requires_grad_() for value in (w, b, alpha)]
        loss = F.cross_entropy(train.features @ leaves[0].T + leaves[1] + leaves[2] * text, train.labels)
        found = torch.autograd.grad(loss, leaves)
        velocity = [0.9 * v + g for v, g in zip(velocity, found, strict=False)]
        w, b = w - rate[0] * velocity[0], b - rate[0] * velocity[1]
        alpha = alpha - rate[1] * found[2] * (epoch in (9, 19))
    torch.testing.assert_close(answers[0], test @ w.T + b + alpha * (test @ weights.T), rtol=1e-9, atol=1e-9)


def test_of_epochs_that_validate_equally_well_lp_plus_plus_keeps_the_last():
    ready, _ = run("lp_plus_plus", scene(spread=0.2))
    scores = [row["validation_score"] for row in ready.history]
    assert scores.count(max(scores)) > 1 and ready.best_epoch == len(scores) - scores[::-1].index(max(scores))
    best = Latest("epoch")
    for score, name in ((0.5, "a"), (0.5, "b"), (0.4, "c"), (float("nan"), "d")):
        best.offer(score, lambda name=name: name)
    assert best.taken() == "b"


def test_a_class_without_images_has_a_weight_from_text_alone():
    weights, train, validation, test = scene()
    there = train.labels != 2
    few = Examples(train.features[there], train.labels[there])
    ready, logits = run("lp_plus_plus", (weights, few, validation, test))
    assert logits.isfinite().all() and ready.history[0]["loss"] > 0


# TaskRes -----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("multilabel", [False, True], ids=["single", "multi"])
def test_task_res_equals_a_plain_loop_with_torchs_adam(multilabel):
    given = scene(multilabel=multilabel)
    weights, train, _, test = given
    changes = {"learning_rate": 0.01, "epochs": 4, "alpha": 0.7, "weight_decay": 0.02}
    ready, logits = run("task_res", given, "map_11_point" if multilabel else "accuracy", **changes)
    own = settings("task_res", QUICK["task_res"] | changes)
    x = torch.zeros_like(weights, requires_grad=True)
    adam, order = torch.optim.Adam([x], lr=0.01, weight_decay=0.02), named_rng("order", "test", 1)
    target = train.labels.double() if multilabel else F.one_hot(train.labels).double()
    for epoch in range(4):
        adam.param_groups[0]["lr"] = learning_rate(own, epoch)
        for rows in np.array_split(order.permutation(16), [8]):
            z = 30 * train.features[rows] @ F.normalize(weights + 0.7 * x, dim=-1).T
            loss = -(target[rows] / target[rows].sum(1, keepdim=True) * z.log_softmax(1)).sum(1).mean()
            adam.zero_grad()
            loss.backward()
            adam.step()
    torch.testing.assert_close(logits, 30 * test @ F.normalize(weights + 0.7 * x.detach(), dim=-1).T, rtol=1e-9, atol=1e-9)
    assert ready.best_epoch == 4 and len(ready.history) == 4


def test_before_any_step_task_res_is_zero_shot_and_its_first_step_moves_by_the_rate():
    weights, train, validation, test = scene()
    plain = 30 * test @ F.normalize(weights, dim=-1).T
    torch.testing.assert_close(test @ turned(weights, torch.zeros_like(weights), 0.5, 30.0).T, plain)
    once = settings("task_res", {"epochs": 1, "batch_size": 64, "warmup_learning_rate": 1e-4, "weight_decay": 0})
    ready = task_res(once, 30.0, weights, train, validation, "accuracy", named_rng("order", "test", 1))
    x = torch.zeros_like(weights, requires_grad=True)
    F.cross_entropy(train.features @ turned(weights, x, 0.5, 30.0).T, train.labels).backward()
    assert x.grad.abs().min() > 1e-5  # far above Adam's epsilon
    torch.testing.assert_close(ready.weights, turned(weights, -1e-4 * x.grad.sign(), 0.5, 30.0), rtol=1e-6, atol=1e-6)


def test_unit_class_features_are_another_task_res():
    """The trap: the longer the features that the text tower gives, the less the same steps turn them."""
    weights, *rest = scene()
    moved = []
    for own in (F.normalize(weights, dim=-1), weights):
        _, logits = run("task_res", (own, *rest), select="last")
        moved.append((logits - 30 * rest[2] @ F.normalize(weights, dim=-1).T).norm().item())
    assert weights.norm(dim=1).min() > 1.5 and moved[0] > 1.3 * moved[1]


# both --------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_the_order_alone_makes_seeds_differ_and_the_same_seed_gives_the_same(method):
    one, again, other = (run(method, seed=seed, select="last")[1] for seed in (1, 1, 2))
    assert torch.equal(one, again) and not torch.allclose(one, other)


@pytest.mark.parametrize("method", METHODS)
def test_the_epoch_follows_the_validation_labels_alone(method):
    weights, train, validation, test = scene(spread=1.6)
    changes = {"select": "best_validation", "epochs": 15} | ({"learning_rate": 0.5} if method == "task_res" else {})
    chosen = [
        run(method, (weights, train, Examples(validation.features, labels), test), **changes)[0].best_epoch
        for labels in (validation.labels, validation.labels.flip(0), validation.labels.roll(1))
    ]
    assert len({*chosen}) > 1


@pytest.mark.parametrize("method", METHODS)
def test_few_images_help_where_class_features_are_off(method):
    weights, train, validation, test = scene(classes=10, shots=16, width=32, spread=0.8)
    labels, plain = torch.arange(50) % 10, test @ F.normalize(weights, dim=-1).T
    _, logits = run(method, (weights + 4 * torch.randn_like(weights), train, validation, test), select="last", epochs=60)
    assert (logits.argmax(1) == labels).double().mean() > (plain.argmax(1) == labels).double().mean() - 0.1
    assert (logits.argmax(1) == labels).double().mean() > 0.6


@pytest.mark.parametrize("method", METHODS)
def test_a_step_takes_fewer_images_at_once_where_memory_is_short(method, monkeypatch):
    whole, logits = run(method, select="last")
    memory, usual = Memory(3), shared.loss
    monkeypatch.setattr(shared, "loss", lambda answers, *given: memory.ask(answers.shape[1]) or usual(answers, *given))
    parts, again = run(method, select="last")
    assert memory.refused and max(memory.taken) <= 3
    torch.testing.assert_close(again, logits, rtol=1e-9, atol=1e-9)
    assert [row["loss"] for row in parts.history] == pytest.approx([row["loss"] for row in whole.history])


@pytest.mark.parametrize("method", METHODS)
def test_a_loss_that_is_no_number_is_told_with_its_remedy(method):
    weights, train, validation, test = scene()
    broken = Examples(train.features * torch.nan, train.labels)
    with pytest.raises(UserError, match=r"lower the learning_rate of task_res|look at these images and their labels"):
        run(method, (weights, broken, validation, test))


def test_as_many_numbers_are_trained_as_the_papers_say(monkeypatch):
    """At 512 features (ViT-B/16) and 7 classes: 512 K for TaskRes, 514 K for LP++, which has b and alpha beside W."""
    weights, train, *_ = given = scene(classes=7, shots=1, width=512, validation=7)
    held = []
    monkeypatch.setattr(
        import_module("promptatlas.training.adapters.task_res"), "Adam", lambda own, *more: held.extend(own) or Adam(own, *more)
    )
    run("task_res", given, epochs=1)
    assert sum(value.numel() for value in held) == 512 * 7
    blocks = Blocks(train.features, train.labels, F.one_hot(train.labels).double(), weights, weights.new_zeros(7), settings("lp_plus_plus"))
    assert sum(value.numel() for value in (blocks.weights, blocks.bias, blocks.alpha)) == 514 * 7
