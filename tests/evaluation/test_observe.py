"""What one prompt makes of images is what the evaluation of many gives, and its source's classes are those of its own classifier."""

import numpy as np
import pytest

from promptatlas.backbone import encode
from promptatlas.backbone.classifier import PromptedClassifier
from promptatlas.evaluation import evaluate
from promptatlas.evaluation.estimates.numbers import softmax
from promptatlas.evaluation.observe import observe
from promptatlas.methods import settings
from promptatlas.training import single_task
from small_tasks import SMALL, write_task


@pytest.mark.parametrize("method", ["coop", "vpt", "upt", "cocoop"])
def test_one_prompt_answers_as_among_many(method, tiny_backbone, tmp_path):
    task = write_task(tmp_path)
    images, names, source = task.images("train"), task.task.class_names, ("one", "two")
    features = encode.encode_task(tiny_backbone, task, ["features_train"])["features_train"]
    prompt = single_task.scratch(tiny_backbone, method, settings(method, SMALL, "mini"), 1).prompts
    other = single_task.scratch(tiny_backbone, method, settings(method, SMALL, "mini"), 2).prompts
    own, of_source = (PromptedClassifier(tiny_backbone, classes, other) for classes in (names, source))
    seen = observe(own, images, features, prompt, of_source)
    assert seen.logits == pytest.approx(evaluate.answers(tiny_backbone, names, images, features, [prompt])[0], abs=1e-4)
    expected = softmax(evaluate.answers(tiny_backbone, source, images, features, [prompt])[0])
    assert seen.source_probabilities == pytest.approx(expected, abs=1e-5)
    assert (seen.features is None) == (prompt.visual is None)
    if seen.features is not None:
        assert np.linalg.norm(seen.features, axis=1) == pytest.approx(1, abs=1e-5)
    assert observe(own, images, features, prompt).source_probabilities is None
