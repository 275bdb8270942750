"""A GPU with little memory, faked: whatever shows a prompt images or class names goes on with fewer at once and says the same; what does
not fit at all is told in one sentence.
"""

from dataclasses import replace

import numpy as np
import pytest

from promptatlas.backbone.classifier import PromptedClassifier
from promptatlas.backbone.encode import encode_task
from promptatlas.backbone.passes import Room
from promptatlas.base.errors import UserError
from promptatlas.evaluation import evaluate
from promptatlas.evaluation.behaviour import behaviours
from promptatlas.evaluation.observe import observe
from promptatlas.exchange.inference import Classifier
from promptatlas.methods import settings
from promptatlas.training import adapters, single_task
from short_memory import limit
from small_tasks import write_task
from tiers import mostly_slow

SEEDS = (1, 2, 3)
OTHERS = ("yellow", "a dark red thing", "white")


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    return write_task(tmp_path_factory.mktemp("little"))


class Shown:
    """What there is to be shown of a prompt: images with features, class names, prompts of three seeds."""

    def __init__(self, model, task, method):
        self.model, self.method = replace(model, room=Room()), method
        self.task, self.images, self.names = task, np.asarray(task.images("test")[:20]), task.task.class_names
        self.encoded = encode_task(self.model, task, ["features_test"])
        self.features = self.encoded["features_test"][:20]
        own = settings(method, {"prompts": 2} if method == "vpt" else {"context": 2} if method in ("coop", "cocoop") else {})
        self.prompts = [single_task.scratch(model, method, own, seed).prompts for seed in SEEDS]

    def evaluated(self):
        found = evaluate.evaluate(self.model, self.task, self.encoded, self.prompts)
        return [np.array([one.score for one in found]), np.stack([one.answers for one in found])]

    def answered(self):
        return [evaluate.answers(self.model, self.names, self.images, self.features, self.prompts)]

    def observed(self):
        own, source = (PromptedClassifier(self.model, names, self.prompts[0]) for names in (self.names, OTHERS))
        return [*observe(own, self.images, self.features, self.prompts[0], source)]

    def behaved(self):
        known = {"here": self.names, "there": OTHERS}
        given = (dict.fromkeys(known, of) for of in (self.images, self.features))
        found = behaviours(self.model, known, *given, self.prompts[:2])
        return [part for one in found for part in (one.classes, one.images, *one.answers.values(), *one.active)]

    def used(self):
        return [Classifier(self.model, self.names, self.prompts[0], "squash")([*self.images]).logits]

    def adapted(self):
        return [adapters.class_weights(self.model, self.names, self.prompts[0]).numpy()]

    def encoded_again(self):
        return [*encode_task(self.model, self.task).values()]


EVERYWHERE = ("evaluated", "answered", "observed", "behaved", "used")
LITTLE = {
    ("coop", "sentences", 3): (*EVERYWHERE, "adapted", "encoded_again"), ("vpt", "pairs", 3): (*EVERYWHERE, "encoded_again"),
    ("upt", "pairs", 3): EVERYWHERE, ("upt", "sentences", 3): (*EVERYWHERE, "adapted"), ("cocoop", "sentences", 9): EVERYWHERE,
}  # fmt: skip
CASES = [(way, *given, late) for given, ways in LITTLE.items() for way in ways for late in (False, True)]
QUICK = [case for case in CASES if case[1] in ("coop", "vpt") and case[4]] + [("evaluated", "cocoop", "sentences", 9, True)]


def called(case):
    *words, late = case
    return "-".join([*map(str, words), "late" if late else "early"])


@pytest.mark.parametrize("case", mostly_slow(CASES, QUICK), ids=called)
def test_what_is_said_with_little_memory_is_what_is_said_with_enough(tiny_backbone, task, monkeypatch, case):
    way, method, of, most, late = case
    shown = Shown(tiny_backbone, task, method)
    expected = getattr(shown, way)()
    assert any(part is not None for part in expected)
    memory = limit(monkeypatch, shown.model, late=late, **{of: most})
    for part, other in zip(getattr(shown, way)(), expected, strict=True):
        if other is None:
            assert part is None
        elif other.dtype.kind == "f":
            np.testing.assert_allclose(part, other, rtol=1e-5, atol=1e-4 if np.abs(other).max() > 1.01 else 1e-6)  # logits are of scale 100
        else:
            np.testing.assert_array_equal(part, other)
    assert memory.refused and max(memory.taken) <= memory.most
    if not late:
        memory.refused.clear()
        getattr(shown, way)()
        assert not memory.refused, "what was found out is remembered"


TOLD = {
    "evaluated": "evaluation runs out of GPU memory with one prompt and one image or class name; use a GPU",
    "observed": "answers of a prompt run out of GPU memory with one image or class name; use a GPU",
    "behaved": "run.* out of GPU memory with one (prompt and one )?image or class name; use a GPU",
    "used": "GPU memory runs out with one (image|class name); pass device='cpu', or use a GPU",
    "adapted": "(the class weights of an adapter run|the text tower runs) out of GPU memory with one class name; use a GPU",
    "encoded_again": "(encoding|the text tower) runs out of GPU memory with one (image|class name); use a GPU",
}


@pytest.mark.parametrize(("method", "given"), [("coop", {"sentences": 0.5}), ("vpt", {"pairs": 0.5})], ids=["coop", "vpt"])
@pytest.mark.parametrize("way", TOLD)
def test_what_does_not_fit_at_all_is_told(tiny_backbone, task, monkeypatch, way, method, given):
    shown = Shown(tiny_backbone, task, method)
    limit(monkeypatch, shown.model, **({"sentences": 0.5} if way == "adapted" else given))
    with pytest.raises(UserError, match=f"^.*{TOLD[way]} with more memory\\.$"):
        getattr(shown, way)()
