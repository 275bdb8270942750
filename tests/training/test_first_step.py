"""The gradient at the common start against a finite difference, and the way from there."""

import numpy as np
import pytest
import torch

from promptatlas.backbone import encode
from promptatlas.backbone.classifier import PromptedClassifier
from promptatlas.evaluation.estimates.source import first_order
from promptatlas.evaluation.observe import observe
from promptatlas.methods import settings
from promptatlas.methods.losses import cross_entropy
from promptatlas.records.prompt_file import TunedPrompt
from promptatlas.training import first_step, single_task
from promptatlas.training.learners import BatchedLearners
from small_tasks import SMALL, write_task


@pytest.mark.parametrize(("method", "several"), [("coop", False), ("vpt", True), ("upt", False)])
def test_the_loss_falls_by_the_inner_product_for_a_small_step(method, several, tiny_backbone, tmp_path):
    task = write_task(tmp_path, multilabel=several)
    own, count = settings(method, SMALL, "mini"), 40  # more than one pass
    images, labels = np.asarray(task.images("train")[np.arange(count)]), task.labels("train")[:count]
    features = encode.encode_task(tiny_backbone, task, ["features_train"])["features_train"][:count]
    start = single_task.scratch(tiny_backbone, method, own, 1)
    given = (task.task.class_names, images, features)
    classifier = PromptedClassifier(tiny_backbone, task.task.class_names, start.prompts)
    slope = first_step.gradient(tiny_backbone, own, *given, labels, start)

    def moved(size):
        noise = torch.Generator().manual_seed(0)
        parameters = {name: value + size * torch.randn(value.shape, generator=noise) for name, value in start.parameters.items()}
        learners = BatchedLearners(method, own, tiny_backbone.architecture, [1], tiny_backbone)
        learners.load([parameters])
        return TunedPrompt(method, parameters, learners.prompts().detach())

    def loss(prompt):
        logits = torch.from_numpy(observe(classifier, images, features, prompt.prompts).logits).double()
        return float(cross_entropy(logits, torch.from_numpy(np.array(labels))).mean())

    ahead, back = moved(5e-4), moved(-5e-4)
    foretold = first_order(slope, first_step.delta(ahead, start))
    assert abs(foretold) > 1e-5 and foretold == pytest.approx((loss(back) - loss(ahead)) / 2, rel=0.02)


def test_prompts_of_other_shapes_have_no_way_from_the_start(tiny_backbone):
    start, longer = (single_task.scratch(tiny_backbone, "coop", settings("coop", SMALL | {"context": n}, "mini"), 1) for n in (2, 3))
    assert first_step.delta(longer, start) is None and not first_step.delta(start, start).any()
