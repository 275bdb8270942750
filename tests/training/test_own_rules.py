"""A method's own loss, its own rule for gradients and its own mean over epochs: each as in a loop written out for one prompt, the same
beside other prompts, and the same as ever for a method that brings none."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from methods_with_rules import TOYS, Aligned, Close, Plain, registered
from promptatlas.backbone.classifier import PromptedClassifier
from promptatlas.backbone.prompts import Prompts
from promptatlas.base.errors import UserError
from promptatlas.base.rng import named_rng
from promptatlas.methods import settings
from promptatlas.training import single_task
from promptatlas.training.multitask import Manner, tune_multitask
from promptatlas.training.own_rules import EpochMean
from promptatlas.training.shared_learner import tune_shared
from shared_tasks import tasks_of
from small_tasks import SMALL, draws_of, write_task
from tiers import mostly_slow


@pytest.fixture(autouse=True)
def toys():
    with registered():
        yield


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    return write_task(tmp_path_factory.mktemp("task"))


class Loop:
    """The training written out for one prompt: SGD with momentum, no cached features, no batch of prompts."""

    def __init__(self, backbone, method, complete, task, seed):
        self.backbone, self.task, self.complete, self.seed = backbone, task, complete, seed
        (self.draw,) = draws_of(task, [seed])
        start = single_task.scratch(backbone, method, complete, seed)
        self.manner = {"position": start.prompts.position, "words": start.prompts.words, "before_norm": start.prompts.before_norm}
        self.parameters = {name: value.clone().requires_grad_() for name, value in start.parameters.items()}
        self.classifier = PromptedClassifier(backbone, task.task.class_names, start.prompts)

    def images(self, rows):
        return self.backbone.vision.read(self.task.images("train")[self.draw.train[rows]])

    def frozen(self, rows):
        vision = self.backbone.vision
        return F.normalize(vision(vision.embed(self.images(rows)).unsqueeze(0))[0], dim=-1).detach()

    def text(self):
        context = self.parameters["context"]
        prompts = Prompts(text=context[None] if context.dim() == 3 else context[None, None], **self.manner)
        return self.classifier.class_features(prompts)[0]

    def prompted(self, rows):
        tokens = self.backbone.vision.embed(self.images(rows))[None]
        visual = self.parameters["prompts"][None]
        return self.classifier.image_features(Prompts(text=self.parameters["context"][None], visual=visual, **self.manner), tokens)[0]

    def labels(self, rows):
        return torch.from_numpy(self.task.labels("train")[self.draw.train[rows]])

    def run(self, gradient):
        """gradient: rows -> the gradient of each parameter. Yields the parameters after each epoch."""
        velocity = {name: torch.zeros_like(value) for name, value in self.parameters.items()}
        order, settings = named_rng("order", self.task.task.name, self.seed), self.complete
        for epoch in range(settings["epochs"]):
            rate = 1e-5 if epoch == 0 else settings["learning_rate"] / 2 * (1 + np.cos(np.pi * (epoch - 1) / settings["epochs"]))
            permutation = order.permutation(len(self.draw.train))
            for start in range(0, len(permutation), settings["batch_size"]):
                found = gradient(permutation[start : start + settings["batch_size"]])
                with torch.no_grad():
                    for name, value in self.parameters.items():
                        velocity[name] = 0.9 * velocity[name] + found[name] + 5e-4 * value
                        value -= rate * velocity[name]
            yield {name: value.detach().clone() for name, value in self.parameters.items()}

    def grad(self, value, retain=False):
        found = torch.autograd.grad(value, list(self.parameters.values()), retain_graph=retain)
        return dict(zip(self.parameters, found, strict=True))


def tuned(backbone, method, complete, task, seed=7):
    (ours,) = single_task.tune_task(backbone, method, complete, task, draws_of(task, [seed]), [seed])
    return ours


def close(ours, expected, atol=2e-5):
    assert ours.parameters.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(ours.parameters[name], value, atol=atol, rtol=1e-4, msg=name)


def given(method, **more):
    return settings(method, SMALL | {"select": "last"} | more)


def test_a_loss_with_a_teacher_equals_a_plain_loop(tiny_backbone, task):
    complete = given("toy_close")
    loop = Loop(tiny_backbone, "toy_close", complete, task, 7)
    teacher = tiny_backbone.class_features(task.task.class_names, task.task.templates[:1])

    def gradient(rows):
        text = loop.text()
        usual = F.cross_entropy(tiny_backbone.logit_scale * loop.frozen(rows) @ text.T, loop.labels(rows))
        far = 1 - F.cosine_similarity(text, teacher).mean()
        return loop.grad(usual + 8 * far + 0.01 * (loop.parameters["context"] ** 2).sum())

    *_, expected = loop.run(gradient)
    close(tuned(tiny_backbone, "toy_close", complete, task), expected)
    without = tuned(tiny_backbone, "toy_close", given("toy_close", weight=1e-6, decay=1e-6), task)
    assert (without.parameters["context"] - expected["context"]).abs().max() > 1e-3, "the term counts"


def test_a_rule_for_gradients_equals_a_plain_loop(tiny_backbone, task):
    complete = given("toy_aligned")
    loop, projections = Loop(tiny_backbone, "toy_aligned", complete, task, 7), []
    teacher = tiny_backbone.class_features(task.task.class_names, task.task.templates)

    def gradient(rows):
        logits = tiny_backbone.logit_scale * loop.frozen(rows) @ loop.text().T
        known = F.softmax(10 * loop.frozen(rows) @ teacher.T, dim=1)
        own = loop.grad(F.cross_entropy(logits, loop.labels(rows)), retain=True)["context"]
        other = loop.grad(F.cross_entropy(logits, known))["context"]
        other = other / other.norm()
        against = float((own * other).sum())
        projections.append(against)
        return {"context": own - 0.8 * against * other if against < 0 else own}

    *_, expected = loop.run(gradient)
    ours = tuned(tiny_backbone, "toy_aligned", complete, task)
    close(ours, expected)
    assert min(projections) < 0 < max(projections), "both cases are there"


def test_losses_in_both_towers_and_the_mean_over_epochs_equal_a_plain_loop(tiny_backbone, task):
    complete = given("toy_averaged", learning_rate=0.005)
    loop = Loop(tiny_backbone, "toy_averaged", complete, task, 7)
    teacher = tiny_backbone.class_features(task.task.class_names, task.task.templates)

    def gradient(rows):
        text, image, frozen = loop.text(), loop.prompted(rows), loop.frozen(rows)
        logits, known = tiny_backbone.logit_scale * image @ text.T, 10 * frozen @ teacher.T
        near = 25 * F.l1_loss(text, teacher) + 10 * F.l1_loss(image, frozen)
        divergence = F.kl_div(F.log_softmax(logits, 1), F.log_softmax(known, 1), reduction="sum", log_target=True) / logits.numel()
        return loop.grad(F.cross_entropy(logits, loop.labels(rows)) + near + divergence)

    states = list(loop.run(gradient))
    weights = np.exp(-((np.arange(1, 4) - 2.0) ** 2) / 2)
    expected = {
        name: torch.from_numpy(np.average([state[name].numpy() for state in states], axis=0, weights=weights)).float() for name in states[0]
    }
    ours = tuned(tiny_backbone, "toy_averaged", complete, task)
    close(ours, expected)
    assert any((states[-1][name] - value).abs().max() > 1e-4 for name, value in expected.items()), "the mean is another prompt"


def test_the_kept_mean_is_the_one_that_is_validated(tiny_backbone, task, monkeypatch):
    """With all weight on the first epoch what is validated never changes, though training goes on as without a mean."""
    without = tuned(tiny_backbone, "toy_plain", given("toy_plain"), task)
    monkeypatch.setattr(Plain, "epoch_weight", lambda self, epoch, epochs: float(epoch == 1), raising=False)
    ours = tuned(tiny_backbone, "toy_plain", given("toy_plain"), task)
    scores, losses = ([[row[key] for row in one.history] for one in (without, ours)] for key in ("validation_score", "loss"))
    assert len({*scores[0]}) > 1 and scores[1] == scores[0][:1] * 3 and losses[0] == losses[1]
    first = tuned(tiny_backbone, "toy_plain", given("toy_plain", epochs=1), task)
    assert torch.equal(first.parameters["context"], ours.parameters["context"])


@pytest.mark.parametrize("method", mostly_slow(TOYS, ["toy_close"]))
@pytest.mark.parametrize("multilabel", mostly_slow([False, True], [False]), ids=["single", "multi"])
def test_a_batch_of_three_equals_three_single_runs(tiny_backbone, tmp_path, method, multilabel):
    task, seeds = write_task(tmp_path, multilabel), [1, 2, 3]
    draws = draws_of(task, seeds)
    if not multilabel:
        draws[1] = draws_of(task, [2], shots=4)[0]  # fewer images: other steps, and rows without an image in the last batch
    complete = given(method, learning_rate=0.01)
    together = single_task.tune_task(tiny_backbone, method, complete, task, draws, seeds)
    for k, seed in enumerate(seeds):
        (alone,) = single_task.tune_task(tiny_backbone, method, complete, task, [draws[k]], [seed])
        np.testing.assert_allclose([row["loss"] for row in alone.history], [row["loss"] for row in together[k].history], rtol=1e-4)
        close(alone, together[k].parameters)
    assert len({one.fingerprint() for one in together}) == 3


@pytest.mark.parametrize("multilabel", [False, True], ids=["single", "multi"])
def test_the_usual_loss_as_a_loss_of_its_own_gives_what_is_usual(tiny_backbone, tmp_path, multilabel):
    task, complete = write_task(tmp_path, multilabel), given("toy_plain")
    start = single_task.scratch(tiny_backbone, "toy_plain", complete, 3)
    own, usual = (
        single_task.tune_task(tiny_backbone, method, complete, task, draws_of(task, [3]), [3], [start])[0]
        for method in ("toy_plain", "coop")
    )
    assert [row["loss"] for row in own.history] == pytest.approx([row["loss"] for row in usual.history], rel=1e-5)
    close(own, usual.parameters, atol=1e-6)


MANNERS = [Manner("union", "mixed"), Manner("union", "task"), Manner("own", "task")]


@pytest.mark.parametrize("manner", mostly_slow(MANNERS, MANNERS[:1]), ids=str)
def test_on_several_tasks_it_is_the_same_rule(tiny_backbone, tmp_path, manner):
    tasks = [write_task(tmp_path / "a"), write_task(tmp_path / "b", seed=4)]
    draws, complete = [[draws_of(tasks[0], [seed], 3)[0], draws_of(tasks[1], [seed], 5)[0]] for seed in (1, 2)], given("toy_plain")
    start = [single_task.scratch(tiny_backbone, "toy_plain", complete, seed) for seed in (1, 2)]
    own, usual = (
        tune_multitask(tiny_backbone, method, complete, manner, tasks, draws, [1, 2], start) for method in ("toy_plain", "coop")
    )  # fmt: skip
    for one, other in zip(own, usual, strict=True):
        close(one, other.parameters, atol=1e-6)
    together = tune_multitask(tiny_backbone, "toy_close", given("toy_close"), manner, tasks, draws, [1, 2])
    (alone,) = tune_multitask(tiny_backbone, "toy_close", given("toy_close"), manner, tasks, draws[1:], [2])
    close(alone, together[1].parameters)


@pytest.mark.parametrize("method", mostly_slow(["toy_close", "toy_averaged"], ["toy_close"]))
def test_the_teacher_of_a_union_of_one_task_is_that_of_the_task(tiny_backbone, task, method):
    complete, draws = given(method), draws_of(task, [1])
    (alone,) = single_task.tune_task(tiny_backbone, method, complete, task, draws, [1])
    (union,) = tune_multitask(tiny_backbone, method, complete, Manner("own", "task"), [task], [draws], [1])
    close(union, alone.parameters, atol=1e-6)


def test_images_judged_among_different_classes_have_no_loss_of_their_own(tiny_backbone, task):
    with pytest.raises(UserError, match=r"method toy_close: a loss of its own is for .*; write `classes: union` or `batches: task`"):
        tune_multitask(tiny_backbone, "toy_close", given("toy_close"), Manner("own", "mixed"), [task], [draws_of(task, [1])], [1])


def test_a_method_without_rules_pays_for_none(tiny_backbone, task, monkeypatch):
    def never(*_):
        raise AssertionError("not asked for")

    monkeypatch.setattr("promptatlas.training.own_rules.vmap", never)
    monkeypatch.setattr(single_task, "OwnLoss", never)
    monkeypatch.setattr(single_task, "EpochMean", never)
    assert tuned(tiny_backbone, "coop", given("coop"), task).best_epoch == 3


# Values of reference implementations: KgCoOp's and ProGrad's losses for three features, ProGrad's and PromptSRC's own functions.
F_, F0, W, W0 = (
    F.normalize(torch.tensor(rows, dtype=torch.float64), dim=1)
    for rows in ([[1, 2, 2], [2, -1, 2]], [[2, 2, 1], [2, -2, 1]], [[2, 1, 2], [1, -2, 2]], [[1, 2, 2], [2, -2, 1]])
)  # fmt: skip
Y = torch.tensor([0, 1])


class Of:
    """Of a module only what its rules read."""

    weight, decay, share = 8.0, 0.0, 1.0
    context = torch.zeros(1)
    projected = Aligned.projected


def test_the_toys_give_the_values_of_the_released_losses():
    assert Close.loss(Of(), 10 * F_ @ W.T, W, F_, W0, F0, Y).mean().item() == pytest.approx(1.031384, abs=1e-6)
    usual, known = Aligned.loss(Of(), 10 * F_ @ W.T, W, F_, W0, F0, Y)
    assert (usual.mean().item(), known.mean().item()) == pytest.approx((0.142495, 0.144149), abs=1e-6)
    own, other, ours = torch.tensor([3.0, -1.0]), torch.tensor([-2.0, 1.0]), Of()
    assert Aligned.combine(ours, {"a": own}, {"a": other})["a"].tolist() == pytest.approx([0.2, 0.4], abs=1e-6)
    ours.share = 0.8
    assert Aligned.combine(ours, {"a": own}, {"a": other})["a"].tolist() == pytest.approx([0.76, 0.12], abs=1e-6)
    assert Aligned.combine(ours, {"a": own}, {"a": -other})["a"].tolist() == own.tolist()


def test_the_mean_over_epochs_has_promptsrcs_weights():
    """20 epochs about the 15th with width 1, and about the 6th with width 10: the weight of an epoch is what it alone adds."""
    for centre, width, expected in ((15, 1, {15: 0.398942, 20: 1.4867e-6}), (6, 10, {1: 0.055402, 6: 0.062779, 20: 0.023562})):
        for epoch, weight in expected.items():
            mean = EpochMean("toy", lambda t, n, c=centre, w=width: float(np.exp(-((t - c) ** 2) / (2 * w * w))), 20)
            for t in range(1, 21):
                last = mean.after(t, {"a": torch.tensor([float(t == epoch)], dtype=torch.float64)})
            assert last["a"].item() == pytest.approx(weight, rel=1e-4)


def test_as_long_as_all_weights_are_zero_the_prompt_itself_is_kept():
    mean = EpochMean("toy", lambda epoch, epochs: float(epoch > 2), 4)
    found = [mean.after(epoch, {"a": torch.tensor([float(epoch)])})["a"].item() for epoch in range(1, 5)]
    assert found == [1, 2, 3, 3.5]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"loss": lambda *given: given[1].sum()}, "`loss` must give a tensor with the loss of each image"),
        ({"loss": lambda *given: (given[1].sum(1)[:1],)}, "`loss` must give a tensor with the loss of each image"),
        ({"loss": lambda *given: (given[1].sum(1), given[1].sum(1))}, "several losses need `combine`, which makes one gradient"),
        ({"loss": lambda *given: given[1].sum(1), "combine": lambda *given: given[1]}, "`combine` needs several losses"),
        ({"loss": lambda *given: (given[1].sum(1),) * 2, "combine": lambda *given: {}}, "`combine` must give a gradient of `context`"),
        ({"loss": None, "combine": lambda *given: given[1]}, "`combine` is for methods with a `loss` of their own"),
        ({"loss": None, "teacher": lambda *given: given[1]}, "`teacher` is for methods with a `loss` of their own"),
        ({"epoch_weight": lambda *given: -1}, "`epoch_weight` must be a number of at least 0, not -1.0 after epoch 1"),
        ({"epoch_weight": lambda *given: float("nan")}, "`epoch_weight` must be a number of at least 0"),
    ],
)
def test_a_rule_that_cannot_be_followed_is_one_sentence(tiny_backbone, task, monkeypatch, changes, words):
    for name, rule in changes.items():
        if rule is None:
            monkeypatch.delattr(Plain, name)
        else:
            monkeypatch.setattr(Plain, name, rule, raising=False)
    with pytest.raises(UserError, match=f"^method toy_plain: {words}"):
        tuned(tiny_backbone, "toy_plain", given("toy_plain"), task)


UNSOUND = [
    ({"loss": lambda *given: given[0].sum(1).sub(1e9).log()}, "the loss is not a number; its `loss` makes that of finite logits"),
    ({"loss": lambda *given: (0 * given[0].sum(1)).sqrt()}, "; its `loss` give a gradient that is none, of a finite loss: look there for"),
    (
        {"loss": lambda *given: (given[0].sum(1),) * 2, "combine": lambda own, known: {name: one / (0 * one) for name, one in own.items()}},
        "; its `loss` and `combine` give a gradient that is none, of a finite loss",
    ),
    ({"loss": lambda *given: -1e30 * given[0].sum(1)}, "; lower settings.toy_plain.learning_rate."),
]


@pytest.mark.parametrize(("changes", "words"), UNSOUND)
def test_what_makes_no_numbers_of_numbers_is_named_and_not_the_learning_rate(tiny_backbone, task, monkeypatch, changes, words):
    for name, rule in changes.items():
        monkeypatch.setattr(Plain, name, lambda self, *given, rule=rule: rule(*given), raising=False)
    with pytest.raises(UserError) as caught:
        tuned(tiny_backbone, "toy_plain", given("toy_plain", learning_rate=1e30 if "lower" in words else 0.01), task)
    assert str(caught.value).startswith("toy_plain on ") and words in str(caught.value)


def test_class_features_of_each_image_have_no_loss_of_their_own(tiny_backbone, task, monkeypatch):
    from promptatlas.methods.cocoop import CoCoOp

    monkeypatch.setattr(CoCoOp, "loss", lambda *given: given[1], raising=False)
    with pytest.raises(UserError, match="method cocoop: a loss of its own needs class features that are the same for all images"):
        tuned(tiny_backbone, "cocoop", given("cocoop"), task)


def test_a_shared_learner_with_a_rule_of_its_own_is_refused(tiny_backbone, monkeypatch):
    from promptatlas.methods.softcpt import HardSharing

    monkeypatch.setattr(HardSharing, "loss", lambda *given: given[1], raising=False)
    with pytest.raises(UserError, match="method coop_mt: a method of kind `shared` has no `loss` of its own; register it as kind"):
        tune_shared(tiny_backbone, "coop_mt", settings("coop_mt", {"epochs": 1}), tasks_of(torch.float32), 1)
