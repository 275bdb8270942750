"""CLIP-Adapter against the formula of its paper, the traps of its release, and everything that reads a prompt."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from promptatlas.backbone.classifier import PromptedClassifier
from promptatlas.backbone.prompts import Prompts, stack
from promptatlas.base.errors import UserError
from promptatlas.base.rng import torch_rng
from promptatlas.evaluation import evaluate
from promptatlas.evaluation.behaviour import behaviours
from promptatlas.evaluation.observe import observe
from promptatlas.evaluation.similarity import prompt as similarity
from promptatlas.exchange.inference import Classifier, misfitting
from promptatlas.methods import settings
from promptatlas.methods.clip_adapter import ClipAdapter
from promptatlas.plan.made_up import MadeUp, sized
from promptatlas.records.prompt_file import TunedPrompt
from promptatlas.training.learners import BatchedLearners
from promptatlas.training.single_task import scratch, tune_task

NAMES = ("cat", "red_panda", "dog")


def unit(count, width, seed=0):
    return F.normalize(torch.randn(count, width, generator=torch.Generator().manual_seed(seed)), dim=-1)


def prompts(backbone, seeds=(1,), **changes):
    with torch.no_grad():
        return (
            BatchedLearners("clip_adapter", settings("clip_adapter", changes), backbone.architecture, [*seeds], backbone).prompts().detach()
        )


def by_the_paper(backbone, seed, ratio, features, names=NAMES):
    """f' = r relu(V_2 relu(V_1 f)) + (1 - r) f, image by image, in float64."""
    module = ClipAdapter(backbone.architecture, settings("clip_adapter"), torch_rng("initial", "clip_adapter", seed))
    down, up = (linear.weight.detach().double() for linear in (module.down, module.up))
    weights = backbone.class_features(names, ("a photo of a {}.",)).double()
    rows = [ratio * (up @ (down @ f).clamp(min=0)).clamp(min=0) + (1 - ratio) * f for f in features.double()]
    return torch.stack([backbone.logit_scale * weights @ (row / row.norm()) for row in rows]).float()


@pytest.mark.parametrize("ratio", [0.0, 0.2, 0.8, 1.0])
@pytest.mark.parametrize("length", [1.0, 9.7])
def test_answers_are_the_formula_whatever_the_length_of_features(tiny_backbone, ratio, length):
    """The paper adapts features as the tower gives them, of length 10 or so; the answers are those of unit features."""
    backbone, features = tiny_backbone, unit(6, tiny_backbone.architecture.embed_dim)
    own = prompts(backbone, (1, 2, 3), ratio=ratio)
    ours = PromptedClassifier(backbone, NAMES, own).answer(own, features.unsqueeze(0))
    expected = torch.stack([by_the_paper(backbone, seed, ratio, length * features) for seed in (1, 2, 3)])
    torch.testing.assert_close(ours, expected, atol=2e-5, rtol=1e-5)
    if ratio == 0:
        plain = backbone.logit_scale * features @ backbone.class_features(NAMES, ("a photo of a {}.",)).T
        torch.testing.assert_close(ours, plain.expand(3, -1, -1), atol=2e-5, rtol=1e-5)
    else:
        assert not torch.allclose(ours[0], ours[1], atol=1e-2)


def test_without_bringing_the_result_to_unit_length_the_length_of_features_would_matter(tiny_backbone):
    """What a re-implementation does: no invariance there, so that the test above says something."""
    down, up, kept = (part[0] for part in prompts(tiny_backbone).adapter)
    features = unit(4, tiny_backbone.architecture.embed_dim)

    def adapted(f):
        return kept * f + (f @ down.T).relu() @ up.T.relu()

    assert not torch.allclose(adapted(features), adapted(9.7 * features))


def test_it_has_the_papers_number_of_weights_in_their_usual_range():
    architecture = SimpleNamespace(embed_dim=512)
    module = ClipAdapter(architecture, settings("clip_adapter"), torch.Generator().manual_seed(0))
    assert sum(value.numel() for value in module.parameters()) == 131_072
    for linear in (module.down, module.up):
        assert linear.bias is None and 0.99 < linear.weight.abs().max() * linear.in_features**0.5 <= 1
    with pytest.raises(UserError, match=r"settings\.clip_adapter\.ratio: 1.1 must be at most 1"):
        settings("clip_adapter", {"ratio": 1.1})


def test_side_by_side_they_answer_as_each_alone_on_any_task(tiny_backbone):
    own = prompts(tiny_backbone, (1, 2))
    features = unit(5, tiny_backbone.architecture.embed_dim).numpy()
    for names in (NAMES, ("one", "two", "three", "four")):
        given = tiny_backbone, names, np.zeros((5, 1, 1, 3), np.uint8), features
        together = evaluate.answers(*given, [own[:1], own[1:]])
        each = np.concatenate([evaluate.answers(*given, [own[k : k + 1]]) for k in (0, 1)])
        np.testing.assert_allclose(together, each, atol=1e-5)
        assert together.shape == (2, 5, len(names)) and np.abs(together[0] - together[1]).max() > 1e-2
        np.testing.assert_allclose(together[0], by_the_paper(tiny_backbone, 1, 0.2, torch.from_numpy(features), names), atol=2e-5)
        assert (evaluate.chosen_classes(*given, [own[:1], own[1:]]) == together.argmax(-1)).all()


def test_fewer_are_evaluated_at_once_where_answers_would_take_too_much(tiny_backbone, monkeypatch):
    own, features = prompts(tiny_backbone, (1, 2, 3)), unit(5, tiny_backbone.architecture.embed_dim).numpy()
    given = tiny_backbone, NAMES, np.zeros((5, 1, 1, 3), np.uint8), features, [own[k : k + 1] for k in range(3)]
    whole, seen, usual = evaluate.answers(*given), [], PromptedClassifier.adapted
    monkeypatch.setattr(evaluate, "LOGITS_AT_ONCE", 5 * tiny_backbone.architecture.embed_dim)
    monkeypatch.setattr(PromptedClassifier, "adapted", lambda self, some, image: seen.append(len(some)) or usual(self, some, image))
    np.testing.assert_allclose(evaluate.answers(*given), whole, atol=1e-5)
    assert seen == [1, 1, 1]


def test_the_file_holds_it_and_a_changed_one_is_refused(tiny_backbone, tmp_path):
    own = scratch(tiny_backbone, "clip_adapter", settings("clip_adapter"), 1)
    (tmp_path / "a.safetensors").write_bytes(own.packed({}))
    back, _ = TunedPrompt.load(tmp_path / "a.safetensors")
    assert back.prompts.fingerprint() == own.prompts.fingerprint() and len(back.prompts.adapter) == 3
    assert own.prompts.fingerprint() != scratch(tiny_backbone, "clip_adapter", settings("clip_adapter"), 2).prompts.fingerprint()
    down, up, kept = own.prompts.adapter
    for broken in (
        (down, up[:, :-1], kept),
        (down[:, :-1], up, kept),
        (down * torch.nan, up, kept),
        (down[0], up, kept),
        (down, up, kept[0]),
    ):
        wrong = TunedPrompt("clip_adapter", {}, Prompts(adapter=broken))
        (tmp_path / "b.safetensors").write_bytes(wrong.packed({}))
        with pytest.raises(UserError, match="is not a whole prompt file"):
            TunedPrompt.load(tmp_path / "b.safetensors")


def test_who_reads_prompts_sees_image_features_that_it_changes(tiny_backbone):
    backbone, size = tiny_backbone, tiny_backbone.architecture.image_size
    images = np.random.default_rng(0).integers(0, 255, (5, size, size, 3), dtype=np.uint8)
    with torch.no_grad():
        features = backbone.vision.encode(backbone.vision.read(images)).numpy()
    own = prompts(backbone)
    classifier = PromptedClassifier(backbone, NAMES, own)
    expected = by_the_paper(backbone, 1, 0.2, torch.from_numpy(features)).numpy()
    seen = observe(classifier, images, features, own)
    np.testing.assert_allclose(seen.logits, expected, atol=2e-5)
    np.testing.assert_allclose(backbone.logit_scale * seen.features @ classifier.fixed.numpy().T, expected, atol=2e-5)
    np.testing.assert_allclose(Classifier(backbone, NAMES, own, "squash")(images).logits, expected, atol=5e-3)
    (behaviour,) = behaviours(backbone, {"a": NAMES}, {"a": images}, {"a": features}, [own])
    np.testing.assert_allclose(behaviour.images, seen.features, atol=1e-6)
    assert behaviour.classes is None
    corpus = SimpleNamespace(prompts=[{name: value.numpy() for name, value in own.tensors().items()}] * 2)
    assert np.isnan(similarity.pr_cos_mean(corpus)).all() and np.isnan(similarity.pr_cos_tok(corpus)).all()
    assert misfitting(own, backbone) == ""
    assert misfitting(Prompts(adapter=(own.adapter[0][:, :, 1:], *own.adapter[1:])), backbone).startswith("its net reads")


def test_an_epoch_is_validated_by_the_answers_that_are_scored(tiny_backbone):
    """As training knows them, with class weights that it computed before, and as evaluation does."""
    backbone, task = tiny_backbone, MadeUp(sized(3, 6, 120), tiny_backbone.architecture.image_size)
    own = settings("clip_adapter", {"epochs": 3, "ratio": 0.9, "learning_rate": 0.05, "warmup_epochs": 0})
    trained = tune_task(backbone, "clip_adapter", own, task, [task.draw()] * 2, [1, 2])
    images, names = task.images("validation"), task.task.class_names
    with torch.no_grad():
        features = backbone.vision.encode(backbone.vision.read(images)).numpy()
    found = evaluate.answers(backbone, names, images, features, [one.prompts for one in trained]).argmax(-1) == task.labels("validation")
    assert [one.history[-1]["validation_score"] for one in trained] == pytest.approx(found.mean(1).tolist())
    plain = (features @ backbone.class_features(names, ("a photo of a {}.",)).numpy().T).argmax(-1) == task.labels("validation")
    assert plain.mean() not in found.mean(1) and [len(one.parameters) for one in trained] == [2, 2]


def test_it_may_stand_beside_prompts_in_the_towers(tiny_backbone):
    """A method may bring both: class weights of a context, images through the net."""
    net, backbone = prompts(tiny_backbone), tiny_backbone
    context = torch.randn(1, 1, 4, backbone.architecture.text_width, generator=torch.Generator().manual_seed(0)) * 0.1
    both, features = Prompts(text=context, adapter=net.adapter), unit(5, backbone.architecture.embed_dim)
    classifier = PromptedClassifier(backbone, NAMES, both)
    expected = backbone.logit_scale * classifier.adapted(net, features.unsqueeze(0)) @ classifier.class_features(both).transpose(1, 2)
    torch.testing.assert_close(classifier.answer(both, features.unsqueeze(0)), expected)
    found = evaluate.answers(backbone, NAMES, np.zeros((5, 1, 1, 3), np.uint8), features.numpy(), [both, both])
    np.testing.assert_allclose(found, expected.detach().expand(2, -1, -1).numpy(), atol=1e-5)
    assert len(stack([both, both])) == 2
