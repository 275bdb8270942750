"""MaPLe and IVLP against their equations written out over open_clip's own blocks, one class and one prompt at a time."""

import pytest
import torch
import torch.nn.functional as F

from doubled import assert_gradients_agree, doubled, tokenize
from naive_maple import naive_text, naive_vision
from promptatlas.backbone.classifier import PromptedClassifier
from promptatlas.backbone.prompts import stack
from promptatlas.base.errors import UserError
from promptatlas.base.rng import torch_rng
from promptatlas.methods import module_class, settings
from promptatlas.training.learners import BatchedLearners
from vit_b16 import B16

NAMES = ("cat", "red_panda", "a very long-winded class name, with 3 commas", "dog")


def logits_of(backbone, batched, images):
    prompts = batched.prompts()
    classifier = PromptedClassifier(backbone, NAMES, prompts)
    features = classifier.image_features(prompts, backbone.vision.embed(images).unsqueeze(0))
    return classifier.logits(features, classifier.class_features(prompts))


def learners(method, backbone, seeds=(1, 2), **own):
    batched = BatchedLearners(method, settings(method, own), backbone.architecture, list(seeds), backbone)
    batched.parameters = {
        key: (value.detach().double() + 0.1 * torch.randn_like(value.double())).requires_grad_()
        for key, value in batched.parameters.items()
    }
    return batched


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("method", ["maple", "ivlp"])
def test_logits_and_gradients_are_those_of_the_equations(tiny, method, layers):
    model, backbone = doubled(tiny)
    torch.manual_seed(1)
    batched = learners(method, backbone, layers=layers)
    images, labels = torch.randn(3, 3, 32, 32, dtype=torch.float64), torch.tensor([0, 3, 1])
    ours = logits_of(backbone, batched, images)
    for k in range(2):
        own = {key: value[k].detach().clone().requires_grad_() for key, value in batched.parameters.items()}
        if method == "maple":
            visual = torch.stack([F.linear(p, w, b) for p, w, b in zip(own["context"], own["weight"], own["bias"], strict=True)])
        else:
            visual = own["prompts"]
        f, g = naive_vision(model, images, visual), naive_text(model, NAMES, own["context"])
        expected = model.logit_scale.exp() * F.normalize(f, dim=-1) @ F.normalize(g, dim=-1).T
        torch.testing.assert_close(ours[k], expected, atol=1e-6, rtol=1e-6)  # our scale is a float32's exp
        assert_gradients_agree(batched, k, ours[k], own, expected, labels)


def test_maple_of_one_layer_is_its_shallow_form(tiny):
    """Shallow: one context before the text tower, its image among the patches before the vision tower, no replacement."""
    model, backbone = doubled(tiny)
    batched = learners("maple", backbone, seeds=[1], layers=1)
    p = {key: value[0].detach() for key, value in batched.parameters.items()}
    assert {key: tuple(value.shape) for key, value in p.items()} == {"context": (1, 2, 64), "weight": (1, 96, 64), "bias": (1, 96)}
    visual, images = model.visual, torch.randn(2, 3, 32, 32, dtype=torch.float64)
    x = visual.conv1(images).flatten(2).transpose(1, 2)
    x = torch.cat([visual.class_embedding.expand(2, 1, -1), x], dim=1) + visual.positional_embedding
    x = torch.cat([x, (p["context"][0] @ p["weight"][0].T + p["bias"][0]).expand(2, -1, -1)], dim=1)
    f = visual.ln_post(visual.transformer(visual.ln_pre(x))[:, 0]) @ visual.proj
    ids = tokenize([f"a photo of a {name.replace('_', ' ')}." for name in NAMES])
    x = model.token_embedding(ids)
    x = torch.cat([x[:, :1], p["context"].expand(4, -1, -1), x[:, 3:]], dim=1) + model.positional_embedding
    x = model.ln_final(model.transformer(x, attn_mask=model.attn_mask))
    g = x[torch.arange(4), ids.argmax(1)] @ model.text_projection
    expected = model.logit_scale.exp() * F.normalize(f, dim=-1) @ F.normalize(g, dim=-1).T
    torch.testing.assert_close(logits_of(backbone, batched, images)[0], expected, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("method", ["maple", "ivlp"])
@pytest.mark.parametrize("context", [1, 2, 4])
def test_a_fresh_shallow_context_gives_the_plain_encoders_class_features(tiny, method, context):
    """The first words are trained, the others stay: nothing trained yet, so the sentence is "a photo of a <name>."."""
    model, backbone = tiny
    complete = settings(method, {"layers": 1, "context": context})
    prompts = BatchedLearners(method, complete, backbone.architecture, [1], backbone).prompts()
    assert prompts.words == {1: "photo of a", 2: "of a", 4: ""}[context]
    plain = model.encode_text(tokenize([f"a photo of a {name.replace('_', ' ')}." for name in NAMES]))
    ours = PromptedClassifier(backbone, NAMES, prompts).class_features(prompts)[0]
    torch.testing.assert_close(ours, F.normalize(plain, dim=-1), atol=1e-5, rtol=1e-5)


def test_the_papers_shapes_on_vit_b16():
    maple = module_class("maple")(B16, settings("maple"), torch_rng("test"))
    assert sum(value.numel() for value in maple.parameters()) == 3_555_072
    text, visual = maple()
    assert text.shape == (9, 2, 512) and visual.shape == (9, 2, 768)
    ivlp = module_class("ivlp")(B16, settings("ivlp"), torch_rng("test"))
    assert sum(value.numel() for value in ivlp.parameters()) == 12 * 2 * (512 + 768)


def test_maple_starts_from_words_noise_and_equal_maps(tiny_backbone):
    complete = settings("maple")
    start = BatchedLearners("maple", complete, tiny_backbone.architecture, [1, 2], tiny_backbone).parameters
    words = tiny_backbone.text.token_embedding(torch.tensor(tiny_backbone.tokenizer.encode("a photo")))
    assert torch.equal(start["context"][0, 0], words) and torch.equal(start["context"][1, 0], words)
    assert 0.015 < start["context"][:, 1:].std() < 0.025
    weight, bias = start["weight"], start["bias"]
    assert torch.equal(weight[0, 1], weight[0, 2]) and torch.equal(bias[0, 1], bias[0, 2])
    assert not torch.equal(weight[0, 0], weight[0, 1]) and not torch.equal(weight[0], weight[1])
    assert 0.95 / 8 < weight.abs().max() <= 1 / 8 and 0.9 / 8 < bias.abs().max() <= 1 / 8


def test_a_context_longer_than_its_words_starts_at_random_and_keeps_no_word(tiny_backbone):
    complete = settings("maple", {"context": 5})
    batched = BatchedLearners("maple", complete, tiny_backbone.architecture, [1], tiny_backbone)
    assert batched.prompts().words == "" and 0.015 < batched.parameters["context"].std() < 0.025


def test_words_of_several_tokens_are_refused_and_words_need_a_backbone(tiny_backbone):
    complete = settings("maple", {"initial": "photomicrographically of"})
    with pytest.raises(UserError, match=r"settings\.maple\.initial: each word of .* must be one token"):
        BatchedLearners("maple", complete, tiny_backbone.architecture, [1], tiny_backbone)
    with pytest.raises(ValueError, match="maple starts from the words 'a photo'"):
        BatchedLearners("maple", settings("maple"), tiny_backbone.architecture, [1])


def test_prompts_that_enter_the_towers_differently_do_not_run_side_by_side(tiny_backbone):
    maple, other = (
        BatchedLearners("maple", settings("maple", {"context": n}), tiny_backbone.architecture, [1], tiny_backbone).prompts()
        for n in (2, 4)
    )
    with pytest.raises(ValueError, match="different ways"):
        stack([maple, other])
    assert len(stack([maple, maple])) == 2 and maple.fingerprint() != other.fingerprint()
