"""KgCoOp, ProGrad, PromptSRC, also on MaPLe, and TCP: values of the equations, sizes, starts and gradients, alone and side by side."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from doubled import copied
from promptatlas.backbone.classifier import PromptedClassifier
from promptatlas.base.rng import torch_rng
from promptatlas.methods import module_class, settings
from promptatlas.records.prompt_file import TunedPrompt
from promptatlas.training import single_task
from promptatlas.training.learners import BatchedLearners
from promptatlas.training.own_rules import EpochMean
from small_tasks import SMALL, draws_of, write_task
from tiers import mostly_slow
from vit_b16 import B16

METHODS = ["kgcoop", "prograd", "promptsrc", "promptsrc_maple", "tcp"]

# Unit features of two images and two classes, with and without a prompt, and what the equations make of them at a scale of 10.
IMAGE, IMAGE0, TEXT, TEXT0 = (
    F.normalize(torch.tensor(rows, dtype=torch.float64), dim=1)
    for rows in ([[1, 2, 2], [2, -1, 2]], [[2, 2, 1], [2, -2, 1]], [[2, 1, 2], [1, -2, 2]], [[1, 2, 2], [2, -2, 1]])
)
LABELS = torch.tensor([0, 1])


def module(method, **own):
    made = module_class(method)(B16, settings(method, own), torch_rng("test"))
    made.scale = 10.0
    return made


def losses(method, **own):
    """Of one method on the four features, its mean over the images."""
    found = module(method, **own).loss(10 * IMAGE @ TEXT.T, TEXT, IMAGE, TEXT0, IMAGE0, LABELS)
    return [one.mean().item() for one in (found if isinstance(found, tuple) else (found,))]


def test_losses_have_the_values_of_the_equations():
    assert losses("kgcoop") == pytest.approx([1.031384], abs=1e-6)
    assert losses("kgcoop", weight=0) == pytest.approx([0.142495], abs=1e-6)
    assert losses("tcp") == losses("kgcoop")
    assert losses("prograd") == pytest.approx([0.142495, 0.144149], abs=1e-6)
    for method in ("promptsrc", "promptsrc_maple"):
        assert losses(method) == pytest.approx([7.991304], abs=1e-6)
        assert losses(method, text_weight=0, image_weight=0) == pytest.approx([0.142495 + 0.071031], abs=1e-6)
        assert losses(method, text_weight=0, image_weight=0, divergence="paper") == pytest.approx([0.142495 + 0.142062], abs=1e-6)
        assert losses(method, image_weight=0) == pytest.approx([0.142495 + 0.071031 + 5.555556], abs=1e-6)
        assert losses(method, text_weight=0) == pytest.approx([0.142495 + 0.071031 + 2.222222], abs=1e-6)


@pytest.mark.parametrize(("share", "expected"), [(1.0, (0.2, 0.4)), (0.8, (0.76, 0.12)), (0.0, (3.0, -1.0))])
def test_prograd_takes_away_what_goes_against_the_known(share, expected):
    combine = module("prograd", share=share).combine
    own, known = {"context": torch.tensor([3.0, -1.0])}, {"context": torch.tensor([-2.0, 1.0])}
    assert combine(own, known)["context"].tolist() == pytest.approx(expected, abs=1e-6)
    assert combine(own, {"context": -known["context"]})["context"].tolist() == [3.0, -1.0], "an aligned gradient stays as it is"
    assert combine(own, {"context": torch.zeros(2)})["context"].tolist() == [3.0, -1.0], "nothing is against nothing"


@pytest.mark.parametrize(
    ("method", "count"), [("kgcoop", 2_048), ("prograd", 8_192), ("promptsrc", 46_080), ("promptsrc_maple", 3_555_072), ("tcp", 331_904)]
)
def test_parameter_counts_on_vit_b16_are_the_papers(method, count):
    assert sum(value.numel() for value in module(method).parameters()) == count


@pytest.mark.parametrize(("epochs", "centre", "width", "expected"), [
    (20, 15, 1, {15: 0.398942, 20: 1.4867e-6}), (20, 6, 10, {1: 0.055402, 6: 0.062779, 20: 0.023562}),
    (50, 30, 30, {30: 0.022535, 50: 0.018045}), (50, 45, 5, {45: 0.092269, 50: 0.055964}),
])  # fmt: skip
def test_the_mean_over_epochs_has_promptsrcs_weights(epochs, centre, width, expected):
    """The weight of an epoch is what it alone adds to the mean."""
    weight = module("promptsrc", centre=centre, width=width).epoch_weight
    for epoch, share in expected.items():
        mean = EpochMean("promptsrc", weight, epochs)
        for t in range(1, epochs + 1):
            last = mean.after(t, {"a": torch.tensor([float(t == epoch)], dtype=torch.float64)})
        assert last["a"].item() == pytest.approx(share, rel=2e-5)


def test_promptsrc_without_a_step_from_the_frozen_model_has_no_distance():
    given = 10 * IMAGE0 @ TEXT0.T, TEXT0, IMAGE0, TEXT0, IMAGE0, LABELS
    expected = F.cross_entropy(given[0], LABELS, reduction="none")
    torch.testing.assert_close(module("promptsrc").loss(*given), expected, atol=1e-12, rtol=1e-12)


def test_prograd_starts_from_words_behind_zeros(tiny_backbone):
    words = tiny_backbone.text.token_embedding(torch.tensor(tiny_backbone.tokenizer.encode("a photo of a")))
    for before, spread in (("as_released", 0.0), ("random", 0.02)):
        prompts = single_task.scratch(tiny_backbone, "prograd", settings("prograd", {"before_words": before}), 1).prompts
        assert prompts.text.shape == (1, 1, 16, 64) and torch.equal(prompts.text[0, 0, 12:], words) and prompts.words == ""
        assert prompts.text[0, 0, :12].std().item() == pytest.approx(spread, abs=2e-3)
    few = single_task.scratch(tiny_backbone, "prograd", settings("prograd", {"context": 2}), 1).prompts
    assert torch.equal(few.text[0, 0], words[:2]) and few.words == "of a"
    none = single_task.scratch(tiny_backbone, "prograd", settings("prograd", {"initial": ""}), 1).prompts
    assert none.text.std().item() == pytest.approx(0.02, abs=2e-3)


@pytest.fixture
def task(tmp_path):
    return write_task(tmp_path / "colours")


def run_of(backbone, method, task, seeds, **own):
    """A run in float64, its parameters a little off their start."""
    exact, complete = replace(backbone, text=copied(backbone.text), vision=copied(backbone.vision)), settings(method, SMALL | own)
    learners = BatchedLearners(method, complete, exact.architecture, seeds, backbone)
    run = single_task.Run(backbone, method, complete, task, draws_of(task, seeds), seeds, learners)
    random = torch.Generator().manual_seed(3)
    learners.parameters = {
        name: (value.detach().double() + 0.03 * torch.randn(value.shape, generator=random)).requires_grad_()
        for name, value in learners.parameters.items()
    }
    run.classifier.backbone = exact
    run.train.backbone = exact
    if isinstance(run.train, single_task.FeatureDraws):
        run.train.cached = run.train.cached.double()
    if getattr(run.classifier, "known", None) is not None:
        run.classifier.known = run.classifier.known.double()
    own_loss = run.own_loss
    own_loss.teacher_text, own_loss.teacher_image = own_loss.teacher_text.double(), own_loss.teacher_image.double()
    return run


@pytest.mark.parametrize("method", METHODS)
def test_gradients_are_those_of_finite_differences(tiny_backbone, task, method):
    """Of each loss, along a direction of each learner's own; ProGrad's step is made of them by its rule."""
    run = run_of(tiny_backbone, method, task, [1, 2])
    parameters, random = run.learners.parameters, torch.Generator().manual_seed(4)
    batch = next(run._batches([np.random.default_rng(seed).permutation for seed in run.seeds]))
    value = lambda: torch.atleast_2d(run._losses(run.learners.prompts(), batch))  # noqa: E731 - (L, K)
    found = value()
    assert len(found) == (2 if method == "prograd" else 1)
    for number, own in enumerate(found):
        gradients = torch.autograd.grad(own.sum(), list(parameters.values()), retain_graph=True)
        for (name, held), gradient in zip(parameters.items(), gradients, strict=True):
            direction, size = torch.randn(held.shape, generator=random, dtype=torch.float64), 1e-5
            ends = []
            for sign in (1, -1):
                held.data += sign * size * direction
                ends.append(value()[number].detach())
                held.data -= sign * size * direction
            slope, expected = (ends[0] - ends[1]) / (2 * size), (gradient * direction).flatten(1).sum(1)
            torch.testing.assert_close(slope, expected, atol=1e-6, rtol=1e-4, msg=f"{method}: {name} of loss {number}")
            assert expected.abs().max() > 1e-3


def close(found, expected):
    """The same but for rounding, that of frozen image features in float32, which depends on the images of a pass."""
    assert (found - expected).norm() <= 1e-6 * expected.norm() > 0


@pytest.mark.parametrize("method", METHODS)
def test_a_step_is_the_same_beside_others_in_pieces_and_padded(tiny_backbone, task, monkeypatch, method):
    run = run_of(tiny_backbone, method, task, [1, 2, 3])
    batch = next(run._batches([np.random.default_rng(seed).permutation for seed in run.seeds]))
    whole, gradients = run._step(batch), {name: value.grad.clone() for name, value in run.learners.parameters.items()}
    assert all(value.flatten(1).norm(dim=1).min() > 0 for value in gradients.values())
    pieces = [slice(0, 3), slice(3, 4), slice(4, 8)]
    run._forget()
    parts = sum(run._piece(batch, piece) for piece in pieces)
    run.own_loss.finish()
    torch.testing.assert_close(parts, whole, atol=1e-10, rtol=1e-8)
    for name, value in run.learners.parameters.items():
        close(value.grad, gradients[name])
    more = lambda values, last: torch.cat([values, last], 1)  # noqa: E731
    padded = single_task.ImageBatch(
        more(batch.rows, batch.rows[:, :2]),
        more(batch.weights, torch.zeros(3, 2)),
        np.concatenate([batch.on_host, batch.on_host[:, :2]], 1),
    )
    torch.testing.assert_close(run._step(padded), whole, atol=1e-10, rtol=1e-8)
    for name, value in run.learners.parameters.items():
        close(value.grad, gradients[name])
    for k, seed in enumerate(run.seeds):
        alone = run_of(tiny_backbone, method, task, [seed])
        alone.learners.parameters = {
            name: value.detach()[k : k + 1].clone().requires_grad_() for name, value in run.learners.parameters.items()
        }
        rows = single_task.ImageBatch(batch.rows[k : k + 1], batch.weights[k : k + 1], batch.on_host[k : k + 1])
        close(alone._step(rows), whole[k : k + 1])
        for name, value in alone.learners.parameters.items():
            close(value.grad[0], gradients[name][k])


def test_kgcoop_at_the_sentence_itself_has_no_distance(tiny_backbone, task):
    """Its start spells "a photo of a <name>."; against that sentence the term is zero and its loss CoOp's."""
    complete = settings("kgcoop", SMALL)
    prompts = single_task.scratch(tiny_backbone, "kgcoop", complete, 1).prompts
    names = task.task.class_names
    text = PromptedClassifier(tiny_backbone, names, prompts).class_features(prompts)[0]
    known = module("kgcoop").teacher(tiny_backbone, names, ("a photo of a {}.", "{}"))
    image = F.normalize(torch.randn(5, 48), dim=-1)
    given = (10 * image @ text.T, text, image, known, image, torch.tensor([0, 1, 2, 3, 0]))
    torch.testing.assert_close(module("kgcoop").loss(*given), F.cross_entropy(given[0], given[5], reduction="none"), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("method", mostly_slow(METHODS, ["prograd"]))
def test_a_prompt_trains_is_kept_and_tuned_on(tiny_backbone, task, tmp_path, method):
    complete = settings(method, SMALL | {"learning_rate": 2e-4})
    (source,) = single_task.tune_task(tiny_backbone, method, complete, task, draws_of(task, [1]), [1])
    assert source.history[-1]["loss"] < source.history[0]["loss"]
    source.save(tmp_path / "prompt.safetensors", {})
    stored, _ = TunedPrompt.load(tmp_path / "prompt.safetensors")
    assert stored.fingerprint() == source.fingerprint()
    (continued,) = single_task.tune_task(tiny_backbone, method, complete, task, draws_of(task, [1]), [1], [stored])
    assert continued.history[0]["loss"] < source.history[0]["loss"]
