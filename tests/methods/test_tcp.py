"""TCP's class vectors: the text tower against open_clip's own blocks one class at a time, and what a prompt is on another task."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from doubled import doubled
from naive_towers import NAMES, tokenize
from promptatlas.backbone import text_on_accelerator
from promptatlas.backbone.architecture import Architecture
from promptatlas.backbone.classifier import PromptedClassifier
from promptatlas.backbone.model import towers
from promptatlas.backbone.prompts import stack
from promptatlas.backbone.text import sentences
from promptatlas.base.errors import UserError
from promptatlas.exchange.inference import misfitting
from promptatlas.methods import settings
from promptatlas.records.prompt_file import TunedPrompt, outline
from promptatlas.training import single_task
from promptatlas.training.learners import BatchedLearners
from promptatlas.training.schedule import optimiser
from small_tasks import SMALL, draws_of, write_task
from twins import fill


def naive(model, names, context, vectors, layer):
    """(C, e): V_1 .. V_n (n, d) before the name, replaced by vectors[c] (n, d) before block `layer`."""
    n, features = len(context), []
    for c, name in enumerate(names):
        ids = tokenize("X " * n + name.replace("_", " ") + ".")[0]
        x = model.token_embedding(ids)
        x = torch.cat([x[:1], context, x[1 + n :]]) + model.positional_embedding
        for depth, block in enumerate(model.transformer.resblocks):
            if depth == layer:
                x = torch.cat([x[:1], vectors[c], x[1 + n :]])
            x = block(x[None], attn_mask=model.attn_mask)[0]
        features.append(model.ln_final(x)[ids.argmax()] @ model.text_projection)
    return torch.stack(features)


def test_a_text_tower_of_one_layer_is_refused_before_training(tiny):
    backbone = tiny[1]
    short = replace(backbone.architecture, text_layers=1)
    with pytest.raises(UserError, match="method tcp: its class vectors enter behind the first layer"):
        BatchedLearners("tcp", settings("tcp"), short, [0], backbone)


@pytest.mark.parametrize("layer", [1, 2])
@pytest.mark.parametrize("names", [NAMES, ["red cat", "red dog"], ["cat"]], ids=len)
def test_features_and_gradients_are_those_of_one_class_at_a_time(tiny, layer, names):
    """In the form of the CPU and in that of an accelerator; names may begin alike."""
    model, backbone = doubled(tiny)
    random, n = torch.Generator().manual_seed(1), 3
    given = [torch.randn(2, 1, n, 64, generator=random), torch.randn(2, len(names), n, 64, generator=random)]
    layout = backbone.text.layout_by_class(sentences(backbone.tokenizer, names, n, "end"))

    def found(forward, dtype=torch.float64):
        context, vectors = (value.to(dtype).requires_grad_() for value in given)
        features = forward(context, vectors)
        weights = torch.linspace(-1, 1, features.numel(), dtype=dtype).view_as(features)
        return [features.detach(), *torch.autograd.grad((features * weights).sum(), (context, vectors))]

    expected = found(lambda context, vectors: torch.stack([naive(model, names, context[k, 0], vectors[k], layer) for k in range(2)]))
    ours = found(lambda context, vectors: backbone.text(layout, context, by_class=(layer, vectors)))
    plain = tiny[1].text  # torch's attention with a mask is wrong in float64
    large = found(lambda *given: text_on_accelerator.forward(plain, layout, given[0], None, (layer, given[1])), torch.float32)
    for one, other, right in zip(ours, large, expected, strict=True):
        torch.testing.assert_close(one, right, atol=1e-9, rtol=1e-7)
        assert (other.double() - right).norm() <= 3e-6 * right.norm() > 0


def test_vectors_that_are_what_the_context_has_become_change_nothing(tiny):
    """The stream's own values before the block, which all classes share."""
    model, backbone = doubled(tiny)
    context = torch.randn(1, 1, 4, 64, dtype=torch.float64)
    layout = backbone.text.layout_by_class(sentences(backbone.tokenizer, NAMES, 4, "end"))
    x = model.token_embedding(tokenize("X X X X cat.")[0])
    x = torch.cat([x[:1], context[0, 0], x[5:]]) + model.positional_embedding
    x = model.transformer.resblocks[0](x[None], attn_mask=model.attn_mask)[0]
    own = x[1:5].expand(1, len(NAMES), -1, -1)
    plain = backbone.text(layout, context)
    torch.testing.assert_close(backbone.text(layout, context, by_class=(1, own)), plain, atol=1e-10, rtol=1e-8)
    assert (backbone.text(layout, context, by_class=(1, own.flip(2))) - plain).abs().max() > 1e-3


def test_a_tower_that_reads_whole_sentences_has_each_class_its_vectors():
    """SigLIP's: the same vectors for all classes are a context of two layers, and no class sees another's."""
    further = {"kind": "siglip", "stages": ()}
    both = towers(Architecture("tiny", "", 48, False, 32, 8, 48, 2, 3, 32, 3, 2, 12, (0.5,) * 3, (0.5,) * 3, **further), 50)
    fill(both)
    tower, classes = both["text"], 2
    layout = tower.layout_by_class([[-1, -2, -3, 5, 2, *[0] * 7], [-1, -2, -3, 9, 7, 2, *[0] * 6]])
    context, own = torch.randn(2, 1, 3, 32), torch.randn(2, classes, 3, 32)
    same = own[:, :1].expand(-1, classes, -1, -1)
    expected = tower(layout, torch.cat([context, own[:, None, 0]], dim=1))
    torch.testing.assert_close(tower(layout, context, by_class=(1, same)), expected, atol=1e-5, rtol=1e-5)
    found = tower(layout, context, by_class=(1, own))
    torch.testing.assert_close(found[:, 0], expected[:, 0], atol=1e-5, rtol=1e-5)
    assert (found[:, 1:] - expected[:, 1:]).abs().max() > 1e-3


def learners(backbone, seeds=(1, 2), **own):
    return BatchedLearners("tcp", settings("tcp", own), backbone.architecture, list(seeds), backbone)


def test_class_vectors_are_the_net_of_frozen_features(tiny_backbone):
    """Written out for one class; template and names are all that they are made of."""
    batched = learners(tiny_backbone, template="art of a {}.")
    prompts = batched.prompts()
    features = tiny_backbone.class_features(("cat", "red_panda"), ("art of a {}.",))
    found = prompts.class_vectors(features)
    assert found.shape == (2, 2, 4, 64) and prompts.class_layer == 2  # of three layers
    p = {name: value[1] for name, value in batched.parameters.items()}
    hidden = p["squeeze.weight"] @ features[1] + p["squeeze.bias"]
    expected = p["expand.weight"] @ (hidden * torch.sigmoid(1.702 * hidden)) + p["expand.bias"]
    torch.testing.assert_close(found[1, 1], expected.view(4, 64), atol=1e-6, rtol=1e-5)
    classifier = PromptedClassifier(tiny_backbone, ("cat", "red_panda"), prompts)
    torch.testing.assert_close(classifier.known, features)
    bound = 48**-0.5
    assert 0.9 * bound < batched.parameters["squeeze.weight"].abs().max() <= bound


def test_a_class_is_the_same_among_whatever_others_on_whatever_task(tiny_backbone):
    prompts = learners(tiny_backbone).prompts()
    few, many = (PromptedClassifier(tiny_backbone, own, prompts).class_features(prompts) for own in (("dog", "cat"), (*NAMES, "cat")))
    torch.testing.assert_close(few[:, 1], many[:, -1], atol=1e-5, rtol=1e-5)


def test_a_prompt_is_kept_with_its_net_and_applied_to_other_names(tiny_backbone, tmp_path):
    task, complete = write_task(tmp_path / "colours"), settings("tcp", SMALL | {"learning_rate": 1e-3})
    (ours,) = single_task.tune_task(tiny_backbone, "tcp", complete, task, draws_of(task, [1]), [1])
    ours.save(tmp_path / "prompt.safetensors", {})
    stored, about = TunedPrompt.load(tmp_path / "prompt.safetensors")
    assert stored.fingerprint() == ours.fingerprint() and about["class_layer"] == "2"
    features = [PromptedClassifier(tiny_backbone, ("cat", "dog"), one.prompts).class_features(one.prompts) for one in (ours, stored)]
    assert torch.equal(*features)
    assert outline(tmp_path / "prompt.safetensors").manner == ours.prompts.manner() and stored.prompts.class_layer == 2
    other = replace(ours.prompts, class_layer=1)
    assert other.fingerprint() != ours.prompts.fingerprint()
    with pytest.raises(ValueError, match="different ways"):
        stack([other, ours.prompts])
    with pytest.raises(ValueError, match="before the class names"):
        replace(ours.prompts, position="middle")
    assert misfitting(ours.prompts, tiny_backbone) == ""
    assert misfitting(replace(other, class_layer=7), tiny_backbone) == "its class vectors enter layer 7 and not one of 3"
    wide = other.with_tensors(other.tensors() | {"class_net.0": torch.zeros(1, 12, 50)})
    assert misfitting(wide, tiny_backbone) == "its net reads 50 features and not 48"


def test_epsilon_halves_the_first_step_of_a_gradient_of_its_size():
    value = torch.zeros(1, requires_grad=True)
    value.grad = torch.tensor([1e-3])
    optimiser(settings("tcp", {"weight_decay": 0.0}), [value]).step()
    assert value.item() == pytest.approx(-0.002 / 2, rel=1e-5)


def test_gradients_reach_context_and_net(tiny_backbone):
    batched = learners(tiny_backbone)
    prompts = batched.prompts()
    classifier = PromptedClassifier(tiny_backbone, ("cat", "dog", "x-ray"), prompts)
    image = F.normalize(torch.randn(1, 5, 48), dim=-1)
    found = torch.autograd.grad(classifier.answer(prompts, image).square().sum(), list(batched.parameters.values()))
    assert len(found) == 5 and all(value.abs().max() > 0 for value in found)
