"""The text tower of an accelerator, run on the CPU: features and gradients of the CPU's own, and no gradient added up by element."""

import pytest
import torch

from doubled import copied
from operators import Operators
from promptatlas.backbone import owners, text, text_on_accelerator
from promptatlas.backbone.owners import EACH
from promptatlas.backbone.text import plain_sentences, sentences
from promptatlas.methods import settings
from promptatlas.training import single_task
from small_tasks import SMALL, draws_of, write_task
from tiers import mostly_slow

NAMES = ["cat", "a long haired red cat", "dog house", "annual crop land", "747-400", "annual crop field"]
OTHERS = {"one": ["cat"], "same": ["cat", "cat"], "begin alike": ["red cat", "red dog"], "many": NAMES}


def read(forward, layout, context, owner=None):
    """Features and the gradient at the context."""
    context = context.clone().requires_grad_()
    features = forward(layout, context, owner)
    features.backward(torch.linspace(-1, 1, features.numel(), dtype=features.dtype).view_as(features))
    return features.detach(), context.grad


def close(found, expected, most):
    """Whether each of both is the same but for `most` of its norm, and not nothing."""
    return all(a.shape == b.shape and b.norm() > 0 and (a - b).norm() <= most * b.norm() for a, b in zip(found, expected, strict=True))


def random_context(model, prompts, depth, dtype):
    size = (prompts, depth, 4, model.architecture.text_width)
    return 0.05 * torch.randn(size, generator=torch.Generator().manual_seed(1)).to(dtype)


@pytest.mark.parametrize("dtype", mostly_slow([torch.float64, torch.float32], [torch.float64]), ids=str)
@pytest.mark.parametrize("names", OTHERS)
@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("position", ["end", "middle", "front"])
def test_features_and_gradients_are_those_of_the_cpu(tiny_backbone, position, depth, names, dtype):
    tower = copied(tiny_backbone.text) if dtype == torch.float64 else tiny_backbone.text
    layout = tower.layout(sentences(tiny_backbone.tokenizer, OTHERS[names], 4, position))
    context = random_context(tiny_backbone, 3, depth, dtype)
    large = lambda *given: text_on_accelerator.forward(tower, *given)  # noqa: E731
    assert close(read(large, layout, context), read(tower, layout, context), 1e-12 if dtype == torch.float64 else 2e-6)


@pytest.mark.parametrize("depth", [1, 3])
def test_sentences_with_owners_are_read_as_on_the_cpu(tiny_backbone, monkeypatch, depth):
    tower, owner = copied(tiny_backbone.text), torch.tensor([2, 0, 1, 1, 2, 2])
    layout = tower.layout(sentences(tiny_backbone.tokenizer, NAMES, 4, "end"))
    context = random_context(tiny_backbone, 3, depth, torch.float64)
    large = lambda *given: text_on_accelerator.forward(tower, *given)  # noqa: E731
    six = random_context(tiny_backbone, 6, depth, torch.float64)
    expected = read(tower, layout, context, owner), read(tower, layout, six, torch.arange(6))
    for product in (False, True):
        monkeypatch.setattr(owners, "is_accelerator", lambda device, product=product: product)
        assert close(read(large, layout, context, owner), expected[0], 1e-12)
        for given in (EACH, torch.arange(6)):
            assert close(read(large, layout, six, given), expected[1], 1e-12)
    assert all(map(torch.equal, read(tower, layout, six, EACH), expected[1]))
    other = tower.layout(sentences(tiny_backbone.tokenizer, NAMES, 4, "middle"))
    with pytest.raises(ValueError, match="before the names"):
        large(other, context, owner)


def test_plain_sentences_are_read_as_on_the_cpu(tiny_backbone):
    tower = copied(tiny_backbone.text)
    layout = tower.layout(plain_sentences(tiny_backbone.tokenizer, [f"a photo of a {name}." for name in NAMES]))
    assert close([text_on_accelerator.forward(tower, layout, None, None)], [tower(layout)], 1e-12)


def test_what_is_gathered_is_gathered_in_the_gradient_too(tiny_backbone):
    tower = tiny_backbone.text
    layout = tower.layout(sentences(tiny_backbone.tokenizer, NAMES, 4, "end"))
    context = random_context(tiny_backbone, 3, 1, torch.float32)
    counted = {}
    for name, forward in {"cpu": tower, "large": lambda *given: text_on_accelerator.forward(tower, *given)}.items():
        with Operators() as operators:
            read(forward, layout, context)
        counted[name] = operators.counted
    layers = len(tower.transformer.resblocks)
    # On the CPU what adds up does: a vector that stands in all classes, and an end token.
    assert counted["cpu"]["index_put"] == 2 < layers and counted["large"]["index_put"] == 0
    products = {name: sum(own[key] for key in ("mm", "addmm", "_linear_pointwise")) for name, own in counted.items()}
    assert products["large"] < 0.7 * products["cpu"]


def test_an_accelerator_reads_in_large_and_tunes_the_same_prompt(tiny_backbone, tmp_path, monkeypatch):
    task, complete = write_task(tmp_path), settings("coop", SMALL)
    run = lambda model: single_task.tune_task(model, "coop", complete, task, draws_of(task, [1]), [1])[0].prompts.text  # noqa: E731
    plain, asked = run(tiny_backbone), []
    monkeypatch.setattr(text, "is_accelerator", lambda device: asked.append(device) or True)
    large = run(tiny_backbone)
    assert asked and not torch.equal(large, plain)
    torch.testing.assert_close(large, plain, atol=1e-5, rtol=1e-4)
