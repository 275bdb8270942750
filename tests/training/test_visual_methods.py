"""VPT and UPT against their equations written out in float64 over open_clip's own blocks, and tuning on images against a
plain loop over one image at a time."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import naive_maple
from doubled import assert_gradients_agree, doubled, tokenize
from naive_towers import naive_text
from promptatlas.backbone.classifier import PromptedClassifier
from promptatlas.base.rng import named_rng
from promptatlas.methods import settings
from promptatlas.training import single_task
from promptatlas.training.learners import BatchedLearners
from small_tasks import SMALL, draws_of, write_task
from tiers import mostly_slow
from twins import SEEN

NAMES = ("cat", "red_panda", "a very long-winded class name, with 3 commas", "dog")


def template_features(model, names):
    """(C, e): the sentence "a photo of a <name>." of each class alone."""
    sentences = [tokenize([f"a photo of a {name.replace('_', ' ')}."]) for name in names]
    return torch.cat([model.encode_text(ids) for ids in sentences])


def naive_vision(model, images, prompts):
    """(B, e): P^l (n, d) behind the class token at the input of layer l, in place of what layer l - 1 made of P^{l-1}.

    They come after the positions and ln_pre; after the last P^l what the layers make of it stays.
    """
    visual, n = model.visual, prompts.shape[1]
    x = visual.conv1(images).flatten(2).transpose(1, 2)
    x = torch.cat([visual.class_embedding.expand(len(x), 1, -1), x], dim=1) + visual.positional_embedding
    x = visual.ln_pre(x)
    for layer, block in enumerate(visual.transformer.resblocks):
        if layer < len(prompts):
            patches = x[:, 1:] if layer == 0 else x[:, 1 + n :]
            x = torch.cat([x[:, :1], prompts[layer].expand(len(x), -1, -1), patches], dim=1)
        x = block(x)
    return visual.ln_post(x[:, 0]) @ visual.proj


def mixed(p, joint):
    """UPT: V (n, d_text) and P (L, m, d_vision) through one residual block of width 128 and one head, token by token."""
    linear = lambda x, name: p[f"{name}.weight"] @ x + p[f"{name}.bias"]  # noqa: E731
    norm = lambda x, name: (x - x.mean()) / (x.var(correction=0) + 1e-5).sqrt() * p[f"{name}.weight"] + p[f"{name}.bias"]  # noqa: E731
    depth, m, _ = p["prompts"].shape
    h = [linear(v, "text_in") for v in p["context"]] + [linear(v, "visual_in") for v in p["prompts"].flatten(0, 1)]
    parts = [(p["block.attn.in_proj_weight"] @ norm(x, "block.ln_1") + p["block.attn.in_proj_bias"]).split(128) for x in h]
    mixed = []
    for x, (query, _, own) in zip(h, parts, strict=True):
        if joint:
            weights = torch.stack([query @ key / 128**0.5 for _, key, _ in parts]).exp()
            own = sum(w * value for w, (_, _, value) in zip(weights / weights.sum(), parts, strict=True))
        x = x + linear(own, "block.attn.out_proj")
        hidden = linear(norm(x, "block.ln_2"), "block.mlp.c_fc")
        mixed.append(x + linear(hidden * torch.sigmoid(1.702 * hidden), "block.mlp.c_proj"))
    n = len(p["context"])
    text = torch.stack([linear(x, "text_out") for x in mixed[:n]])
    return text, torch.stack([linear(x, "visual_out") for x in mixed[n:]]).view(depth, m, -1)


def equations(model, method, about, p, images, names=NAMES):
    """Logits (B, C)."""
    if method == "vpt":
        f, g = naive_vision(model, images, p["prompts"]), template_features(model, names)
    elif method == "upt":
        text, visual = mixed(p, about["mixer"] == "joint")
        f, g = naive_vision(model, images, visual), naive_text(model, names, text[None], "middle")
    else:
        visual = torch.stack([F.linear(q, w, b) for q, w, b in zip(p["context"], p["weight"], p["bias"], strict=True)])
        f, g = naive_maple.naive_vision(model, images, visual), naive_maple.naive_text(model, names, p["context"])
    return model.logit_scale.exp() * F.normalize(f, dim=-1) @ F.normalize(g, dim=-1).T


@pytest.mark.parametrize("depth", ["deep", "shallow"])
@pytest.mark.parametrize(("method", "mixer"), [("vpt", None), ("upt", "as_released"), ("upt", "joint")])
def test_logits_and_gradients_are_those_of_the_equations(tiny, method, mixer, depth):
    model, backbone = doubled(tiny)
    torch.manual_seed(1)
    about = settings(method, {"prompts": 3, "depth": depth} | ({"mixer": mixer} if mixer else {}))
    learners = BatchedLearners(method, about, backbone.architecture, [1, 2])
    learners.parameters = {
        key: (value.detach().double() + 0.1 * torch.randn_like(value.double())).requires_grad_()
        for key, value in learners.parameters.items()
    }
    images, labels = torch.randn(3, 3, 32, 32, dtype=torch.float64), torch.tensor([0, 3, 1])
    prompts = learners.prompts()
    classifier = PromptedClassifier(backbone, NAMES, prompts)
    features = classifier.image_features(prompts, backbone.vision.embed(images).unsqueeze(0))
    ours = classifier.logits(features, classifier.class_features(prompts))
    assert prompts.visual.shape == (2, 3 if depth == "deep" else 1, 3, 96)
    for k in range(2):
        p = {key: value[k].detach().clone().requires_grad_() for key, value in learners.parameters.items()}
        expected = equations(model, method, about, p, images)
        torch.testing.assert_close(ours[k], expected, atol=1e-6, rtol=1e-6)  # our scale is a float32's exp
        assert_gradients_agree(learners, k, ours[k], p, expected, labels)


@pytest.mark.parametrize("method", mostly_slow(["vpt", "upt", "maple"], ["vpt"]))
def test_one_learner_on_images_equals_a_plain_loop(tiny, tmp_path, method):
    """Each image alone through the towers at every step; softmax, momentum and schedule by hand."""
    model, backbone = doubled(tiny)
    task = write_task(tmp_path)
    (chosen,) = draws_of(task, [7], shots=2)
    own = {"prompts": 2, "context": 2, "layers": 2, "batch_size": 3, "select": "last"}
    about = settings(method, {key: value for key, value in (SMALL | own).items() if key in settings(method)})
    learners = BatchedLearners(method, about, backbone.architecture, [7], backbone)
    learners.parameters = {key: value.double() for key, value in learners.parameters.items()}
    p = {key: value[0].clone().requires_grad_() for key, value in learners.parameters.items()}
    (ours,) = single_task.Run(backbone, method, about, task, [chosen], [7], learners).tune()
    images = (torch.from_numpy(np.array(task.images("train")))[chosen.train].double() / 255 - torch.tensor(SEEN.mean)) / torch.tensor(
        SEEN.std
    )
    images, labels = images.permute(0, 3, 1, 2), task.labels("train")[chosen.train]
    velocity, order = {key: torch.zeros_like(value) for key, value in p.items()}, named_rng("order", "colours", 7)
    for epoch in range(3):
        rate = 1e-5 if epoch == 0 else 0.025 * (1 + np.cos(np.pi * (epoch - 1) / 3))
        permutation, total = order.permutation(len(labels)), 0.0
        for first in range(0, len(labels), 3):
            rows, value = permutation[first : first + 3], 0.0
            for row in rows:
                logits = equations(model, method, about, p, images[row : row + 1], task.task.class_names)[0]
                value = value - (logits[labels[row]] - logits.exp().sum().log()) / len(rows)
            total += value.item() * len(rows)
            gradients = torch.autograd.grad(value, list(p.values()))
            with torch.no_grad():
                for (key, leaf), gradient in zip(p.items(), gradients, strict=True):
                    velocity[key] = 0.9 * velocity[key] + gradient + 5e-4 * leaf
                    leaf -= rate * velocity[key]
        assert ours.history[epoch]["loss"] == pytest.approx(total / len(labels), rel=1e-6)
    for key, value in p.items():
        torch.testing.assert_close(ours.parameters[key], value.detach(), atol=1e-6, rtol=1e-5, msg=key)
