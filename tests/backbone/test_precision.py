"""A model in another precision, and the form that a GPU computes it in, beside plain float32 and float64: answers and gradients of every
method."""

import copy
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from promptatlas.backbone import load, precision, vision
from promptatlas.backbone.architecture import Architecture
from promptatlas.backbone.classifier import PromptedClassifier
from promptatlas.backbone.model import towers
from promptatlas.backbone.precision import FLOAT16, FLOAT32, TF32, compute_in
from promptatlas.base.errors import UserError
from promptatlas.methods import names, settings
from promptatlas.training import single_task
from promptatlas.training.learners import BatchedLearners
from small_tasks import SMALL, draws_of, write_task
from twins import TINY, fill, twin

NAMES = ("cat", "red_panda", "a very long-winded class name, with 3 commas", "dog")
VARIED = [
    *((name, {}) for name in names("prompt")),
    ("vpt", {"depth": "shallow"}),
    ("upt", {"mixer": "joint"}),
    ("coop", {"position": "front"}),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model with QuickGELU, which a GPU folds into the weights."""
    folder = tmp_path_factory.mktemp("tiny")
    twin(TINY | {"quick_gelu": True}, folder)
    return folder


@pytest.fixture
def as_on_a_gpu(monkeypatch):
    """The forms that a GPU takes, on a CPU from here on."""

    def taken():
        for choice in (vision.FUSED, precision.FOLDED, precision.HALF):
            monkeypatch.setitem(choice, "cpu", True)

    return taken


def doubled(model):
    return replace(model, text=copy.deepcopy(model.text).double(), vision=copy.deepcopy(model.vision).double())


def distance(found, reference):
    return float((found.double() - reference.double()).norm() / reference.double().norm().clamp(min=1e-30))


def step(model, method, own, dtype=torch.float32):
    """Logits of two learners, and the gradient of their cross-entropy in all parameters as one vector."""
    learners = BatchedLearners(method, settings(method, own), model.architecture, [1, 2], model)
    learners.parameters = {name: value.detach().to(dtype).requires_grad_() for name, value in learners.parameters.items()}
    images = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(5)).to(dtype)
    with torch.no_grad():
        classifier = PromptedClassifier(model, NAMES, learners.prompts())
        seen = model.vision.embed(images).unsqueeze(0) if learners.visual else model.vision.encode(images).unsqueeze(0)
    prompts = learners.prompts()
    logits = classifier.answer(prompts, classifier.image_features(prompts, seen) if learners.visual else seen)
    loss = F.cross_entropy(logits.flatten(0, 1), torch.tensor([0, 1, 2] * 2))
    gradients = torch.autograd.grad(loss, list(learners.parameters.values()), allow_unused=True)
    return logits.detach(), torch.cat([one.flatten() for one in gradients if one is not None])


@pytest.mark.parametrize(
    ("method", "own"), VARIED, ids=lambda value: value if isinstance(value, str) else "".join(map(str, value.values()))
)
def test_the_form_of_a_gpu_answers_as_that_of_a_cpu_with_the_same_gradient(folder, method, own, as_on_a_gpu):
    plain, exact = load(folder), doubled(load(folder))
    expected = [step(plain, method, own), step(exact, method, own, torch.float64)]
    as_on_a_gpu()
    folded = load(folder)
    found = [step(folded, method, own), step(doubled(folded), method, own, torch.float64)]
    for part in range(2):
        rounding = distance(expected[0][part], expected[1][part])  # what float32 itself is off: more than usual in CoCoOp's gradient
        assert distance(found[0][part], expected[0][part]) < max(1e-6, 2 * rounding)
        assert distance(found[1][part], expected[1][part]) < 2e-7  # of weights that were folded in float32


def test_a_model_without_quick_gelu_has_nothing_to_fold(tmp_path, as_on_a_gpu):
    twin(TINY | {"quick_gelu": False}, tmp_path)
    weights, expected = load(tmp_path).vision.state_dict(), step(load(tmp_path), "vpt", {})
    as_on_a_gpu()
    folded = load(tmp_path)
    assert all(torch.equal(value, weights[name]) for name, value in folded.vision.state_dict().items())
    assert max(distance(a, b) for a, b in zip(step(folded, "vpt", {}), expected, strict=True)) < 1e-6


@pytest.mark.parametrize(("method", "own"), [("vpt", {}), ("upt", {}), ("maple", {}), ("vpt", {"depth": "shallow"})])
def test_half_precision_of_a_gpu_is_that_of_a_cpu(folder, method, own, as_on_a_gpu):
    """Tensors of half precision and fused attention, beside numbers of half precision kept as float32: off float32 by as much, and off
    each other by less."""
    plain, rounded = step(load(folder), method, own), step(load(folder, precision=FLOAT16), method, own)
    as_on_a_gpu()
    model = load(folder, precision=FLOAT16)
    weights = {one.dtype for block in model.vision.transformer.resblocks for one in (block.attn.in_proj_weight, block.mlp.c_fc.bias)}
    assert weights == {torch.float16} and model.vision.ln_post.weight.dtype == model.vision.proj.dtype == torch.float32
    real = step(model, method, own)
    for part in range(2):
        off = distance(rounded[part], plain[part])
        assert 1e-5 < off < 5e-3 and distance(real[part], plain[part]) < 5e-3 and distance(real[part], rounded[part]) < 1.5 * off


@pytest.mark.parametrize("method", names("prompt"))
def test_reduced_precision_is_seen_and_small(folder, method):
    plain, found = step(load(folder), method, {}), {way: step(load(folder, precision=way), method, {}) for way in (TF32, FLOAT16)}
    for logits, gradient in found.values():
        assert 1e-5 < distance(logits, plain[0]) < 2e-3 and 1e-5 < distance(gradient, plain[1]) < 5e-3
    assert distance(found[TF32][0], found[FLOAT16][0]) > 1e-6


def test_the_layers_of_the_text_tower_are_reduced_while_gradients_are_taken(folder):
    plain, reduced = load(folder), load(folder, precision=FLOAT16)
    layout, context = plain.text.layout([[1, -1, -2, 40, 2], [1, -1, -2, 7, 9, 2]]), torch.randn(2, 1, 2, 64)
    with torch.no_grad():
        assert torch.equal(reduced.text(layout, context), plain.text(layout, context))
        names = ("cat", "dog"), ("a photo of a {}.", "{}")
        assert torch.equal(reduced.class_features(*names), plain.class_features(*names))
    assert 1e-6 < distance(reduced.text(layout, context), plain.text(layout, context)) < 1e-2


def test_small_gradients_of_half_precision_do_not_vanish(folder):
    """What leaves the layers is the true gradient: its size is that of float32."""
    images, start, found = torch.randn(4, 3, 32, 32), torch.randn(1, 3, 5, 96) * 0.3, []
    for way, scale in ((FLOAT32, 1.0), (FLOAT16, precision.LOSS_SCALE), (FLOAT16, 1.0)):
        tower, prompts = load(folder, precision=way).vision, start.clone().requires_grad_()
        assert tower.gradient_scale == (precision.LOSS_SCALE if way == FLOAT16 else 1)
        tower.gradient_scale = scale
        (3e-7 * tower(tower.embed(images).unsqueeze(0), prompts).square().sum()).backward()
        found.append(prompts.grad)
    assert distance(found[1], found[0]) < 0.02 and distance(found[2], found[0]) > 0.1


def test_a_gradient_that_is_too_large_for_half_precision_is_told(folder, tmp_path):
    model, task = load(folder, precision=FLOAT16), write_task(tmp_path / "task")
    own = settings("vpt", SMALL | {"prompts": 3, "epochs": 1, "batch_size": 100})  # one step: what it spoils is seen after it
    assert single_task.tune_task(model, "vpt", own, task, draws_of(task, [1]), [1])[0].history
    model.vision.gradient_scale = 1e9
    with pytest.raises(UserError, match=r"not (a number|numbers); lower settings.vpt.learning_rate or set `precision` to tf32 or float32"):
        single_task.tune_task(model, "vpt", own, task, draws_of(task, [1]), [1])


def test_weights_that_half_precision_cannot_hold_are_refused(folder):
    model = load(folder)
    with torch.no_grad():
        model.vision.transformer.resblocks[1].mlp.c_proj.bias[3] = 70_000
    compute_in(TF32, model.text, model.vision)
    with pytest.raises(UserError, match="precision: weights of 'random' are too large for float16; set it to tf32 or float32"):
        compute_in(FLOAT16, model.text, model.vision)


@pytest.mark.parametrize("kind", ["resnet", "siglip"])
@torch.no_grad()
def test_image_towers_without_visual_prompts_stay_in_float32_and_their_text_does_not(kind):
    shape = {"resnet": (64, 32, 8, 4, 4), "siglip": (32, 8, 48, 2, 3)}[kind]  # image, patch, width, layers, heads
    further = {"kind": kind, "stages": (1, 1, 1, 1) if kind == "resnet" else ()}
    both = towers(Architecture("tiny", "", 48, False, *shape, 64, 2, 2, 12, (0.5,) * 3, (0.5,) * 3, **further), 50)
    fill(both)
    for name, value in both["visual"].named_buffers():
        if "running" in name:  # of batch norms
            value.fill_(1)
    images, rows = torch.randn(2, 3, shape[0], shape[0]), [[1, -1, 5, 2, *[0] * 8], [1, -1, 9, 2, *[0] * 8]]
    layout, context = both["text"].layout(rows), torch.randn(1, 1, 1, 64)
    plain = both["visual"](images), both["text"](layout, context)
    compute_in(FLOAT16, both["text"], both["visual"])
    assert plain[0].std() > 0 and torch.equal(both["visual"](images), plain[0]) and torch.equal(both["text"](layout, context), plain[1])
    with torch.enable_grad():
        assert 1e-6 < distance(both["text"](layout, context), plain[1]) < 1e-2
