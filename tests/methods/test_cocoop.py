"""CoCoOp against its equations, one image and one class at a time, and in passes of any size."""

import pytest
import torch
import torch.nn.functional as F

from doubled import doubled
from naive_towers import naive_text
from promptatlas.backbone import classifier as classifiers
from promptatlas.backbone.classifier import PromptedClassifier
from promptatlas.backbone.prompts import stack
from promptatlas.base.rng import torch_rng
from promptatlas.methods import module_class, settings
from promptatlas.training.learners import BatchedLearners
from vit_b16 import B16

NAMES = ("cat", "red_panda", "a very long-winded class name, with 3 commas", "dog")


def learners(backbone, seeds=(1, 2), dtype=torch.float64):
    batched = BatchedLearners("cocoop", settings("cocoop"), backbone.architecture, list(seeds), backbone)
    batched.parameters = {
        key: (value.detach().to(dtype) + 0.3 * torch.randn_like(value.to(dtype))).requires_grad_()
        for key, value in batched.parameters.items()
    }
    return batched


def unit_features(count, dtype=torch.float64):
    return F.normalize(torch.randn(count, 48, dtype=dtype, generator=torch.Generator().manual_seed(2)), dim=-1)


def naive_logits(model, p, features):
    rows = []
    for f in features:
        shift = p["expand.weight"] @ torch.relu(p["squeeze.weight"] @ f + p["squeeze.bias"]) + p["expand.bias"]
        weights = naive_text(model, NAMES, p["context"] + shift, "end")
        rows.append(model.logit_scale.exp() * F.normalize(weights, dim=-1) @ f)
    return torch.stack(rows)


def test_logits_and_gradients_are_those_of_the_equations(tiny):
    model, backbone = doubled(tiny)
    torch.manual_seed(1)
    batched, features, labels = learners(backbone), unit_features(5), torch.tensor([0, 3, 1, 2, 0])
    prompts = batched.prompts()
    ours = PromptedClassifier(backbone, NAMES, prompts).answer(prompts, features.expand(2, -1, -1))
    for k in range(2):
        own = {key: value[k].detach().clone().requires_grad_() for key, value in batched.parameters.items()}
        expected = naive_logits(model, own, features)
        torch.testing.assert_close(ours[k], expected, atol=1e-6, rtol=1e-6)
        wanted = torch.autograd.grad(F.cross_entropy(expected, labels), list(own.values()))
        leaves = [batched.parameters[key] for key in own]
        found = torch.autograd.grad(F.cross_entropy(ours[k], labels), leaves, retain_graph=True)
        for name, one, other in zip(own, found, wanted, strict=True):
            assert other.abs().max() > 0
            torch.testing.assert_close(one[k], other, atol=1e-6, rtol=1e-5, msg=name)


def seen_by(tower):
    """A list that grows by the number of prompts of every pass, and what ends that."""
    seen = []
    return seen, tower.register_forward_pre_hook(lambda module, given: seen.append(len(given[1])))


@pytest.mark.parametrize(("pairs", "passes"), [(100, [22]), (22, [22]), (5, 5 * [4] + [2]), (1, 22 * [1])])
def test_a_pass_never_holds_more_than_its_share_of_pairs_and_the_logits_stay(tiny_backbone, monkeypatch, pairs, passes):
    batched, features = learners(tiny_backbone, dtype=torch.float32), unit_features(11, torch.float32)
    prompts = batched.prompts().detach()
    classifier = PromptedClassifier(tiny_backbone, NAMES, prompts)
    whole = classifier.answer(prompts, features.unsqueeze(0))
    seen, watch = seen_by(tiny_backbone.text)
    monkeypatch.setitem(classifiers.TOKENS_PER_PASS, "cpu", (pairs + 1) * classifier.layout.tokens - 1)
    for passing in (torch.no_grad(), torch.enable_grad()):
        with passing:
            parts = classifier.answer(prompts, features.unsqueeze(0))
        torch.testing.assert_close(parts, whole, atol=1e-5, rtol=1e-5)
    watch.remove()
    assert seen == 2 * passes and whole.shape == (2, 11, 4)


def test_prompts_side_by_side_take_the_step_of_one_after_the_other_in_one_pass(tiny_backbone):
    torch.manual_seed(1)
    batched, labels = learners(tiny_backbone, seeds=(1, 2, 3, 4), dtype=torch.float32), torch.tensor([0, 3, 1, 2, 0])
    leaves, prompts = list(batched.parameters.values()), batched.prompts()
    features = F.normalize(torch.randn(4, 5, 48, generator=torch.Generator().manual_seed(3)), dim=-1)
    classifier = PromptedClassifier(tiny_backbone, NAMES, prompts)

    def step(answers):
        loss = F.cross_entropy(answers.flatten(0, 1), labels.repeat(4), reduction="sum")
        return [answers.detach(), *torch.autograd.grad(loss, leaves, retain_graph=True)]

    seen, watch = seen_by(tiny_backbone.text)
    together = step(classifier.answer(prompts, features))
    watch.remove()
    apart = step(torch.cat([classifier.answer(prompts[k : k + 1], features[k : k + 1]) for k in range(4)]))
    assert seen == [20]
    for found, expected in zip(together, apart, strict=True):
        assert expected.norm() > 0 and (found - expected).norm() <= 1e-6 * expected.norm()


def test_what_stands_before_the_class_name_runs_once_per_image(tiny_backbone):
    """The start token and the four context vectors are shared by the classes of an image, though not by images."""
    batched = learners(tiny_backbone, seeds=[1], dtype=torch.float32)
    classifier = PromptedClassifier(tiny_backbone, NAMES, batched.prompts())
    assert len(classifier.layout.prefix) == 5 and (classifier.layout.prefix[1:] < 0).all()
    assert (classifier.layout.suffix >= 0).all()


def test_a_net_that_gives_nothing_leaves_coop_with_the_words(tiny):
    """Splice: the plain encoder's features of "a photo of a <name>." for every image."""
    _, backbone = tiny
    batched = BatchedLearners("cocoop", settings("cocoop"), backbone.architecture, [1], backbone)
    with torch.no_grad():
        batched.parameters["expand.weight"].zero_()
        batched.parameters["expand.bias"].zero_()
    prompts, features = batched.prompts().detach(), unit_features(3, torch.float32)
    ours = PromptedClassifier(backbone, NAMES, prompts).answer(prompts, features.unsqueeze(0))[0]
    plain = backbone.class_features(NAMES, ("a photo of a {}.",))
    torch.testing.assert_close(ours, backbone.logit_scale * features @ plain.T, atol=1e-4, rtol=1e-4)


def test_the_papers_shapes_on_vit_b16():
    module = module_class("cocoop")(B16, settings("cocoop"), torch_rng("test"))
    assert sum(value.numel() for value in module.parameters()) == 35_360
    assert module.squeeze.weight.shape == (32, 512) and module.expand.weight.shape == (512, 32)
    for linear in (module.squeeze, module.expand):
        bound = linear.in_features**-0.5
        assert 0.99 * bound < linear.weight.abs().max() <= bound and linear.bias.abs().max() <= bound


def test_the_net_is_part_of_the_prompt(tiny_backbone):
    prompts = learners(tiny_backbone, dtype=torch.float32).prompts().detach()
    other = prompts.with_tensors(prompts.tensors() | {"meta.3": prompts.meta[3] + 1})
    assert prompts.fingerprint() != other.fingerprint() and len(prompts[1:].meta[0]) == 1
    again = stack([prompts[:1], prompts[1:]])
    assert again.fingerprint() == prompts.fingerprint()
    with pytest.raises(KeyError):
        prompts.with_tensors({"text": prompts.text, "meta.0": prompts.meta[0]})
