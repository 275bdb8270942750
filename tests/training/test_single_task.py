"""Tuning K prompts at once: the same numbers as one at a time, the paper's schedule, choice on validation only."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from promptatlas.backbone.classifier import PromptedClassifier
from promptatlas.backbone.encode import encode_task
from promptatlas.base.errors import UserError
from promptatlas.base.rng import named_rng
from promptatlas.evaluation import evaluate
from promptatlas.methods import settings
from promptatlas.records.prompt_file import TunedPrompt
from promptatlas.tasks import metrics
from promptatlas.training import single_task
from promptatlas.training.learners import BatchedLearners
from small_tasks import SMALL, draws_of, write_task
from tiers import mostly_slow


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    return write_task(tmp_path_factory.mktemp("task"))


@pytest.mark.parametrize("multilabel", [False, True], ids=["single", "multi"])
@pytest.mark.parametrize("optimizer", mostly_slow(["sgd", "adamw"], ["sgd"]))
@pytest.mark.parametrize("method", mostly_slow(["coop", "vpt", "upt"], ["coop"]))
def test_a_batch_of_three_equals_three_single_runs(tiny_backbone, tmp_path, method, optimizer, multilabel):
    task, seeds = write_task(tmp_path, multilabel), [1, 2, 3]
    draws = draws_of(task, seeds)
    if not multilabel:
        draws[1] = draws_of(task, [2], shots=4)[0]  # 16 images instead of 20: fewer steps per epoch
    complete = settings(method, SMALL | {"optimizer": optimizer, "learning_rate": 0.01})
    together = single_task.tune_task(tiny_backbone, method, complete, task, draws, seeds)
    for k, seed in enumerate(seeds):
        (alone,) = single_task.tune_task(tiny_backbone, method, complete, task, [draws[k]], [seed])
        assert alone.best_epoch == together[k].best_epoch and len(alone.history) == 3
        np.testing.assert_allclose([r["loss"] for r in alone.history], [r["loss"] for r in together[k].history], rtol=1e-4)
        for name, value in alone.parameters.items():
            torch.testing.assert_close(value, together[k].parameters[name], atol=2e-5, rtol=1e-4, msg=name)


def test_one_learner_equals_a_plain_loop(tiny_backbone, task):
    """The training loop written out for one CoOp prompt: no batching over K, no cached features, torch's own loss."""
    (chosen,) = draws_of(task, [7])
    complete = settings("coop", SMALL | {"select": "last"})
    (ours,) = single_task.tune_task(tiny_backbone, "coop", complete, task, [chosen], [7])
    context = single_task.scratch(tiny_backbone, "coop", complete, 7).parameters["context"].clone().requires_grad_()
    vision, text = tiny_backbone.vision, tiny_backbone.text
    images = vision.read(task.images("train")[chosen.train])
    labels = torch.from_numpy(task.labels("train")[chosen.train])
    trained = single_task.scratch(tiny_backbone, "coop", complete, 7).prompts
    layout = PromptedClassifier(tiny_backbone, task.task.class_names, trained).layout
    velocity, order = torch.zeros_like(context), named_rng("order", "colours", 7)
    for epoch in range(3):
        rate = 1e-5 if epoch == 0 else 0.025 * (1 + np.cos(np.pi * (epoch - 1) / 3))
        permutation = order.permutation(len(labels))
        for start in range(0, len(labels), 8):
            rows = permutation[start : start + 8]
            features = F.normalize(vision(vision.embed(images[rows]).unsqueeze(0))[0], dim=-1)
            classes = F.normalize(text(layout, context[None, None])[0], dim=-1)
            value = F.cross_entropy(tiny_backbone.logit_scale * features @ classes.T, labels[rows])
            (gradient,) = torch.autograd.grad(value, context)
            with torch.no_grad():
                velocity = 0.9 * velocity + gradient + 5e-4 * context
                context -= rate * velocity
    torch.testing.assert_close(ours.parameters["context"], context.detach(), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("method", ["coop", "vpt", "upt"])
def test_evaluation_of_many_prompts_equals_one_at_a_time(tiny_backbone, task, method, monkeypatch):
    complete = settings(method, SMALL)
    prompts = [single_task.scratch(tiny_backbone, method, complete, seed).prompts for seed in (1, 2, 3)]
    encoded = encode_task(tiny_backbone, task)
    together = evaluate.evaluate(tiny_backbone, task, encoded, prompts)
    monkeypatch.setitem(evaluate.TOKENS_PER_PASS, "cpu", 100)
    for k, own in enumerate(prompts):
        (alone,) = evaluate.evaluate(tiny_backbone, task, encoded, [own])
        assert alone.score == together[k].score and (alone.correct == together[k].correct).all()
    assert together[0].n_test == 40 and together[0].chance == 0.25


def test_prompts_in_several_passes_give_the_features_and_gradients_of_one(tiny_backbone, task, monkeypatch):
    learners = BatchedLearners("upt", settings("upt", SMALL), tiny_backbone.architecture, [1, 2, 3])
    prompts, images = learners.prompts(), torch.randn(2, 3, 32, 32)
    classifier = PromptedClassifier(tiny_backbone, task.task.class_names, prompts)
    shared = tiny_backbone.vision.embed(images).unsqueeze(0)
    for tokens in (shared, torch.cat([shared, shared.flip(1), shared])):
        whole = classifier.image_features(prompts, tokens)
        with monkeypatch.context() as patched:
            patched.setitem(evaluate.TOKENS_PER_PASS, "cpu", 2 * tokens[0, :, :, 0].numel())
            parts = classifier.image_features(prompts, tokens)
        torch.testing.assert_close(parts, whole, atol=1e-6, rtol=1e-5)
        own, expected = (torch.autograd.grad(one[..., 0].sum(), prompts.visual, retain_graph=True)[0] for one in (parts, whole))
        torch.testing.assert_close(own, expected, atol=1e-6, rtol=1e-5)


def test_the_chosen_epoch_is_the_first_best_on_validation_and_never_sees_the_test_split(tiny_backbone, tmp_path):
    task = write_task(tmp_path)
    draws = draws_of(task, [1])
    complete = settings("vpt", SMALL | {"epochs": 6})
    (trained,) = single_task.tune_task(tiny_backbone, "vpt", complete, task, draws, [1])
    scores = [row["validation_score"] for row in trained.history]
    assert trained.best_epoch == 1 + int(np.argmax(scores))
    validation = np.asarray(task.images("validation")[draws[0].validation])
    classifier = PromptedClassifier(tiny_backbone, task.task.class_names, trained.prompts)
    tokens = tiny_backbone.vision.embed(tiny_backbone.vision.read(validation)).unsqueeze(0)
    logits = classifier.logits(classifier.image_features(trained.prompts, tokens), classifier.class_features(trained.prompts))
    value = metrics.score("accuracy", logits[0].numpy(), task.labels("validation")[draws[0].validation]).value
    assert value == max(scores)
    (tmp_path / "test_images.npy").unlink()
    (tmp_path / "test_labels.npy").unlink()
    (again,) = single_task.tune_task(tiny_backbone, "vpt", complete, task, draws, [1])
    assert again.best_epoch == trained.best_epoch and again.fingerprint() == trained.fingerprint()


def test_tuning_goes_on_from_a_given_start(tiny_backbone, task):
    complete = settings("upt", SMALL)
    draws = draws_of(task, [1])
    (source,) = single_task.tune_task(tiny_backbone, "upt", complete, task, draws, [1])
    (continued,) = single_task.tune_task(tiny_backbone, "upt", complete, task, draws, [1], [source])
    (again,) = single_task.tune_task(tiny_backbone, "upt", complete, task, draws, [1])
    assert again.fingerprint() == source.fingerprint() != continued.fingerprint()
    assert continued.history[0]["loss"] < again.history[0]["loss"]


def test_a_loss_that_is_no_number_is_named(tiny_backbone, task):
    complete = settings("coop", SMALL | {"learning_rate": 1e30, "warmup_learning_rate": 1e30})
    with pytest.raises(UserError, match=r"coop on colours: the loss is not a number; lower settings\.coop\.learning_rate"):
        single_task.tune_task(tiny_backbone, "coop", complete, task, draws_of(task, [1]), [1])


def test_a_prompt_that_is_no_number_is_never_trained_whatever_it_scores(tiny_backbone, task, monkeypatch):
    """A file of it could not be read again and would be called damaged."""

    def spoilt(run, *given):
        with torch.no_grad():
            next(iter(run.learners.parameters.values())).fill_(torch.inf)
        return [0.5] * len(run.seeds)

    monkeypatch.setattr(single_task.Run, "_validate", spoilt)
    with pytest.raises(UserError, match=r"coop on colours: the trained prompt is not a number; lower settings\.coop\.learning_rate"):
        single_task.tune_task(tiny_backbone, "coop", settings("coop", SMALL | {"epochs": 1}), task, draws_of(task, [1]), [1])


@pytest.mark.parametrize(("scores", "expected"), [([np.nan, 0.2, 0.4], 3), ([0.2, np.nan, 0.2], 1), ([np.inf, 0.1, np.nan], 2)])
def test_an_epoch_without_a_score_is_never_the_chosen_one(tiny_backbone, task, monkeypatch, scores, expected):
    """Whatever a validation returns; none of those that there are returns such a thing."""
    given = iter(scores)
    monkeypatch.setattr(single_task.Run, "_validate", lambda run: [next(given)] * len(run.seeds))
    complete = settings("coop", SMALL | {"epochs": 3})
    assert single_task.tune_task(tiny_backbone, "coop", complete, task, draws_of(task, [1]), [1])[0].best_epoch == expected


def test_a_prompt_file_comes_back_whole(tiny_backbone, task, tmp_path):
    complete = settings("upt", SMALL)
    (trained,) = single_task.tune_task(tiny_backbone, "upt", complete, task, draws_of(task, [1]), [1])
    trained.save(tmp_path / "prompt.safetensors", {"fingerprint": "abc"})
    back, metadata = TunedPrompt.load(tmp_path / "prompt.safetensors")
    assert metadata["fingerprint"] == "abc" and back.history == trained.history and back.best_epoch == trained.best_epoch
    assert back.fingerprint() == trained.fingerprint() and back.parameter_fingerprint() == trained.parameter_fingerprint()
    data = (tmp_path / "prompt.safetensors").read_bytes()
    (tmp_path / "prompt.safetensors").write_bytes(data[: len(data) // 2])
    with pytest.raises(UserError, match=r"prompt\.safetensors is not a whole prompt file"):
        TunedPrompt.load(tmp_path / "prompt.safetensors")


def test_learners_that_do_not_fit_together_are_tuned_one_after_the_other(tiny_backbone, task, monkeypatch):
    chosen, draws = settings("coop", SMALL), draws_of(task, [1, 2, 3])
    together = single_task.tune_task(tiny_backbone, "coop", chosen, task, draws, [1, 2, 3])
    whole, sizes = single_task.Run.tune, []

    def tune(run):
        sizes.append(len(run.seeds))
        if len(run.seeds) > 1:
            raise torch.OutOfMemoryError
        return whole(run)

    monkeypatch.setattr(single_task.Run, "tune", tune)
    apart = single_task.tune_task(tiny_backbone, "coop", chosen, task, draws, [1, 2, 3])
    assert sizes == [3, 1, 1, 1]
    for one, other in zip(together, apart, strict=True):
        torch.testing.assert_close(one.prompts.text, other.prompts.text, atol=1e-5, rtol=1e-5)
