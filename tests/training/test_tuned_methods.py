"""Every prompt method runs in both protocols of the matrix: a prompt as it is on another task, and as the start of a tuning."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from promptatlas.backbone.classifier import PromptedClassifier
from promptatlas.backbone.encode import encode_task
from promptatlas.base.rng import named_rng
from promptatlas.evaluation import evaluate
from promptatlas.methods import settings
from promptatlas.records.prompt_file import TunedPrompt
from promptatlas.training import single_task
from small_tasks import SMALL, draws_of, write_task
from tiers import mostly_slow

METHODS = ["cocoop", "maple", "ivlp"]


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    return write_task(tmp_path_factory.mktemp("task"))


@pytest.mark.parametrize("method", mostly_slow(METHODS, ["cocoop"]))
def test_a_batch_of_three_equals_three_single_runs(tiny_backbone, task, method):
    seeds, complete = [1, 2, 3], settings(method, SMALL | {"learning_rate": 0.01})
    draws = draws_of(task, seeds)
    together = single_task.tune_task(tiny_backbone, method, complete, task, draws, seeds)
    for k, seed in enumerate(seeds):
        (alone,) = single_task.tune_task(tiny_backbone, method, complete, task, [draws[k]], [seed])
        np.testing.assert_allclose([r["loss"] for r in alone.history], [r["loss"] for r in together[k].history], rtol=1e-4)
        for name, value in alone.parameters.items():
            torch.testing.assert_close(value, together[k].parameters[name], atol=2e-5, rtol=1e-4, msg=name)


@pytest.mark.parametrize("method", mostly_slow(METHODS, ["maple"]))
def test_a_source_prompt_is_applied_as_it_is_and_tuned_on(tiny_backbone, task, tmp_path, method):
    target, complete = write_task(tmp_path / "target", seed=9), settings(method, SMALL)
    scratch = single_task.scratch(tiny_backbone, method, complete, 1)
    (source,) = single_task.tune_task(tiny_backbone, method, complete, task, draws_of(task, [1]), [1])
    assert source.history[-1]["loss"] < source.history[0]["loss"]
    source.save(tmp_path / "prompt.safetensors", {})
    stored, _ = TunedPrompt.load(tmp_path / "prompt.safetensors")
    assert stored.fingerprint() == source.fingerprint() != scratch.fingerprint()
    encoded = encode_task(tiny_backbone, target)
    untrained, frozen = evaluate.evaluate(tiny_backbone, target, encoded, [scratch.prompts, stored.prompts])
    (alone,) = evaluate.evaluate(tiny_backbone, target, encoded, [source.prompts])
    assert (alone.correct == frozen.correct).all() and not (untrained.correct == frozen.correct).all()
    (continued,) = single_task.tune_task(tiny_backbone, method, complete, target, draws_of(target, [1]), [1], [stored])
    (fresh,) = single_task.tune_task(tiny_backbone, method, complete, target, draws_of(target, [1]), [1])
    assert continued.history[0]["loss"] < fresh.history[0]["loss"]


@pytest.mark.parametrize("method", METHODS)
def test_a_method_with_words_starts_from_them(tiny_backbone, method):
    start = single_task.scratch(tiny_backbone, method, settings(method, {"context": 2}), 1).prompts
    ids = torch.tensor(tiny_backbone.tokenizer.encode("a photo"))
    assert torch.equal(start.text[0, 0], tiny_backbone.text.token_embedding(ids)) and start.words == "of a"


def test_one_cocoop_learner_equals_a_plain_loop(tiny_backbone, task):
    """The training loop written out: every image with its own context, torch's own loss and momentum."""
    (chosen,), complete = draws_of(task, [7]), settings("cocoop", SMALL | {"batch_size": 3, "learning_rate": 0.01})
    (ours,) = single_task.tune_task(tiny_backbone, "cocoop", complete, task, [chosen], [7])
    start = single_task.scratch(tiny_backbone, "cocoop", complete, 7)
    p = {key: value.clone().requires_grad_() for key, value in start.parameters.items()}
    text, vision = tiny_backbone.text, tiny_backbone.vision
    layout = PromptedClassifier(tiny_backbone, task.task.class_names, start.prompts).layout
    features = vision.encode(vision.read(task.images("train")[chosen.train]))
    labels = torch.from_numpy(task.labels("train")[chosen.train])
    velocity, order = {key: torch.zeros_like(value) for key, value in p.items()}, named_rng("order", "colours", 7)
    for epoch in range(3):
        rate = 1e-5 if epoch == 0 else 0.005 * (1 + np.cos(np.pi * (epoch - 1) / 3))
        permutation = order.permutation(len(labels))
        for first in range(0, len(labels), 3):
            rows, value = permutation[first : first + 3], 0.0
            for row in rows:
                hidden = torch.relu(p["squeeze.weight"] @ features[row] + p["squeeze.bias"])
                context = p["context"] + p["expand.weight"] @ hidden + p["expand.bias"]
                classes = F.normalize(text(layout, context[None])[0], dim=-1)
                value = value + F.cross_entropy(tiny_backbone.logit_scale * classes @ features[row], labels[row]) / len(rows)
            gradients = torch.autograd.grad(value, list(p.values()))
            with torch.no_grad():
                for (key, leaf), gradient in zip(p.items(), gradients, strict=True):
                    velocity[key] = 0.9 * velocity[key] + gradient + 5e-4 * leaf
                    leaf -= rate * velocity[key]
    for key, value in p.items():
        torch.testing.assert_close(ours.parameters[key], value.detach(), atol=1e-5, rtol=1e-3, msg=key)
