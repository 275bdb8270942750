"""The three methods against numbers that the authors' released modules gave (fp32, CPU, tiny random CLIP)."""

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file

from promptatlas.backbone import Backbone
from promptatlas.backbone.architecture import Architecture
from promptatlas.backbone.classifier import PromptedClassifier
from promptatlas.backbone.export import tokenizer
from promptatlas.backbone.text import TextTower
from promptatlas.backbone.vision import VisionTower
from promptatlas.methods import settings
from promptatlas.training.learners import BatchedLearners
from promptatlas.training.schedule import optimiser
from promptatlas.training.single_task import loss

PARITY = Path(__file__).parents[2].parent / "shared" / "reference" / "parity"
pytestmark = pytest.mark.skipif(not PARITY.exists(), reason="the authors' reference outputs are not on this machine")

# promptatlas name: released name
RENAMED = {"coop": {"context": "ctx"}, "vpt": {}}
RENAMED["upt"] = RENAMED["coop"] | {
    f"{tower}_{side}.{kind}": f"mvlpt_proj_ctx_{name}_{released}.{kind}"
    for tower, name in (("text", "coop"), ("visual", "vpt"))
    for side, released in (("in", "pre"), ("out", "post"))
    for kind in ("weight", "bias")
}
CASES = {
    "coop": ("coop16_middle", {"context": 16, "position": "middle"}),
    "vpt": ("vpt4_deep", {"prompts": 4}),
    "upt": ("upt4_deep", {"context": 4, "prompts": 4}),
}


@pytest.fixture(scope="module")
def clip():
    path = PARITY / "tiny_clip.safetensors"
    stored = load_file(path)
    with safe_open(path, "pt") as file:
        names = tuple(json.loads(file.metadata()["class_names"]))
    architecture = Architecture("tiny", "parity", 48, True, 32, 8, 192, 3, 3, 64, 2, 1, 77, (0.0,) * 3, (1.0,) * 3)
    weights = {key.removeprefix("clip."): value for key, value in stored.items() if key.startswith("clip.")}
    table = torch.zeros(49408, 64)
    table[stored["token_ids"]] = stored["token_rows"]
    text, vision = TextTower(architecture, 49408), VisionTower(architecture)
    scale = weights.pop("logit_scale").exp().item()
    visual = {k.removeprefix("visual."): v for k, v in weights.items() if k.startswith("visual.")}
    textual = {k: v for k, v in weights.items() if not k.startswith("visual.")}
    vision.load_state_dict(visual)
    text.load_state_dict(textual | {"token_embedding.weight": table})
    backbone = Backbone(architecture, text, vision, tokenizer(), scale, "parity")
    return backbone, names, stored["images"], stored["labels"]


def released(method: str, reference: dict, kind: str) -> dict:
    """The released tensors of one kind (params, grads, sgd3_params) under promptatlas's names, (1, ...)."""
    own = {key.removeprefix(f"{kind}."): value for key, value in reference.items() if key.startswith(f"{kind}.")}
    named = {ours: own[theirs] for ours, theirs in RENAMED[method].items()}
    if method != "coop":
        named["prompts"] = torch.cat([own["vpt_embeddings"], own["vpt_embeddings_deep"]])
    if method == "upt":
        block = "mvlpt_proj.resblocks.0."
        named |= {f"block.{key.removeprefix(block)}": value for key, value in own.items() if key.startswith(block)}
    return {key: value.unsqueeze(0) for key, value in named.items()}


@pytest.mark.parametrize("method", CASES)
def test_logits_loss_gradients_and_three_sgd_steps_equal_the_released_modules(clip, method):
    backbone, names, images, labels = clip
    file, overrides = CASES[method]
    reference = load_file(PARITY / f"{file}.safetensors")
    complete = settings(method, overrides)
    learners = BatchedLearners(method, complete, backbone.architecture, [1])
    start = released(method, reference, "params")
    assert {k: v.shape for k, v in start.items()} == {k: v.shape for k, v in learners.parameters.items()}
    learners.parameters = {key: value.clone().requires_grad_() for key, value in start.items()}
    classifier = PromptedClassifier(backbone, names, learners.prompts())
    tokens = backbone.vision.embed(images).unsqueeze(0)
    optimizer = optimiser(complete, list(learners.parameters.values()))
    losses = []
    for step in range(3):
        prompts = learners.prompts()
        optimizer.zero_grad()
        features = classifier.image_features(prompts, tokens)
        logits = classifier.logits(features, classifier.class_features(prompts))
        value = loss(logits, labels.unsqueeze(0), torch.ones(1, len(labels))).sum()
        value.backward()
        losses.append(value.item())
        if step == 0:
            torch.testing.assert_close(logits[0], reference["logits"], atol=1e-5, rtol=0)
            torch.testing.assert_close(value, reference["loss"], atol=1e-5, rtol=0)
            for name, gradient in released(method, reference, "grads").items():
                torch.testing.assert_close(learners.parameters[name].grad, gradient, atol=1e-5, rtol=1e-4, msg=name)
        optimizer.step()
    torch.testing.assert_close(torch.tensor(losses), reference["sgd3_losses"].float(), atol=1e-5, rtol=0)
    for name, value in released(method, reference, "sgd3_params").items():
        torch.testing.assert_close(learners.parameters[name], value, atol=1e-5, rtol=0, msg=name)


def test_text_only_and_visual_only_leave_the_other_tower_as_it_is(clip):
    backbone, names, images, _ = clip
    prompts = BatchedLearners("coop", settings("coop"), backbone.architecture, [1, 2]).prompts()
    classifier = PromptedClassifier(backbone, names, prompts)
    tokens = backbone.vision.embed(images).unsqueeze(0)
    plain = F.normalize(backbone.vision(tokens), dim=-1)
    torch.testing.assert_close(classifier.image_features(prompts, tokens), plain)
