"""What does not fit into GPU memory at once is tuned in pieces of a few images, then with fewer prompts together, with equal results;
what does not fit at all is told in one sentence.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch

from promptatlas.backbone.passes import Room
from promptatlas.base.errors import UserError
from promptatlas.base.rng import named_rng
from promptatlas.methods import settings
from promptatlas.tasks.draws import Draw
from promptatlas.training import adapters, first_step, multitask, single_task
from promptatlas.training.adapters import cache
from promptatlas.training.learners import BatchedLearners
from promptatlas.training.micro_batches import in_micro_batches
from promptatlas.training.multitask import Manner
from promptatlas.training.shared_learner import tune_shared
from shared_tasks import tasks_of
from short_memory import Memory, limit
from small_tasks import draws_of, write_task

QUICK = {"epochs": 1, "batch_size": 8, "learning_rate": 0.02}
CLOSE = {"atol": 1e-6, "rtol": 1e-6}


@pytest.fixture
def task(tmp_path):
    return write_task(tmp_path / "colours")


@pytest.fixture
def model(tiny_backbone):
    """The tiny backbone, of whose memory nothing is known."""
    return replace(tiny_backbone, room=Room())


def shorter(draw: Draw, count: int) -> Draw:
    return replace(draw, train=draw.train[:count], train_labels=draw.train_labels[:count])


def assert_same(some, others):
    for one, other in zip(some, others, strict=True):
        for name, value in one.parameters.items():
            torch.testing.assert_close(other.parameters[name], value, **CLOSE)
        assert one.best_epoch == other.best_epoch
        assert [row["loss"] for row in one.history] == pytest.approx([row["loss"] for row in other.history], rel=1e-5)
        assert [row["validation_score"] for row in one.history] == [row["validation_score"] for row in other.history]


@pytest.mark.parametrize(("method", "given", "learners"), [
    ("promptsrc", {"pairs": 5}, 2),
    ("vpt", {"pairs": 2}, 3), ("upt", {"pairs": 5}, 2), ("cocoop", {"sentences": 12}, 1), ("coop", {"sentences": 9}, 3),
])  # fmt: skip
def test_a_step_in_pieces_is_the_whole_step(model, task, monkeypatch, method, given, learners):
    """CoOp has nothing to split but prompts. A learner without an image in some piece learns nothing there."""
    chosen, seeds = settings(method, QUICK), [*range(1, learners + 1)]
    draws = draws_of(task, seeds)
    draws[-1] = shorter(draws[-1], 17)
    together = single_task.tune_task(model, method, chosen, task, draws, seeds)
    memory = limit(monkeypatch, model, **given)
    parts = single_task.tune_task(model, method, chosen, task, draws, seeds)
    assert memory.refused and max(memory.taken) <= memory.most
    assert_same(together, parts)
    memory.refused.clear()
    single_task.tune_task(model, method, chosen, task, draws, seeds)
    assert not memory.refused, "the next task begins with what was found out"


@pytest.mark.parametrize("manner", [Manner(), Manner("own", "mixed"), Manner("own", "task")], ids=str)
def test_several_tasks_in_pieces_are_the_whole(model, task, tmp_path, monkeypatch, manner):
    other = write_task(tmp_path / "others", seed=1)
    other.task = replace(other.task, name="others", class_names=("a", "b", "c", "d"))
    draws = [[draws_of(one, [seed])[0] for one in (task, other)] for seed in (1, 2)]
    given = model, "vpt", settings("vpt", QUICK), manner, [task, other], draws, [1, 2]
    together = multitask.tune_multitask(*given)
    memory = limit(monkeypatch, model, pairs=5)
    assert_same(together, multitask.tune_multitask(*given))
    assert memory.refused and max(memory.taken) <= 5


def test_images_are_split_before_prompts_are(model, task, monkeypatch):
    sizes, whole = [], single_task.Run.tune
    monkeypatch.setattr(single_task.Run, "tune", lambda run: sizes.append(len(run.seeds)) or whole(run))
    limit(monkeypatch, model, pairs=3)
    single_task.tune_task(model, "vpt", settings("vpt", QUICK), task, draws_of(task, [1, 2, 3]), [1, 2, 3])
    assert sizes == [3]


@pytest.mark.parametrize(("method", "given"), [("vpt", {"pairs": 0.5}), ("coop", {"sentences": 3}), ("cocoop", {"sentences": 3})])
def test_a_prompt_that_does_not_fit_with_one_image_is_told(model, task, monkeypatch, method, given):
    limit(monkeypatch, model, **given)
    with pytest.raises(UserError, match=r"^tuning runs out of GPU memory with a single prompt; use a GPU with more memory\.$"):
        single_task.tune_task(model, method, settings(method, QUICK), task, draws_of(task, [1, 2]), [1, 2])


@pytest.mark.parametrize("own", [{}, {"class_context": "agnostic", "class_rate": 0.5}], ids=["softcpt", "class_aware"])
def test_a_shared_learner_takes_fewer_tasks_at_once(model, monkeypatch, own):
    chosen = settings("softcpt", {"epochs": 2, "batch_size": 8, "learning_rate": 0.02} | own)
    tasks = tasks_of(torch.float32)
    whole = tune_shared(model, "softcpt", chosen, tasks, 1)
    memory = limit(monkeypatch, model, sentences=4)
    parts = tune_shared(model, "softcpt", chosen, tasks, 1)
    assert memory.refused and max(memory.taken) <= 4
    for one, other in zip(whole.class_weights, parts.class_weights, strict=True):
        torch.testing.assert_close(other, one, **CLOSE)
    assert [row["loss"] for row in parts.history] == pytest.approx([row["loss"] for row in whole.history], rel=1e-5)
    limit(monkeypatch, model, sentences=1)
    with pytest.raises(UserError, match="with the classes of a single task; use a GPU"):
        tune_shared(model, "softcpt", chosen, tasks, 1)


def test_an_adapter_takes_fewer_images_at_once(monkeypatch):
    random = torch.Generator().manual_seed(0)
    weights = torch.nn.functional.normalize(torch.randn(4, 16, generator=random), dim=-1)

    def examples(count):
        features = torch.nn.functional.normalize(torch.randn(count, 16, generator=random), dim=-1)
        return adapters.Examples(features, torch.arange(count) % 4)

    train, validation, test = examples(20), examples(12), examples(30).features
    chosen = settings("tip_adapter_f", {"epochs": 2, "batch_size": 8, "alpha_steps": 4, "beta_steps": 4})

    def adapted():
        found = adapters.tip_adapter_f(chosen, 100.0, weights, train, validation, "accuracy", named_rng("order", "test"))
        return found, found.logits(test)

    whole, logits = adapted()
    memory, remembered = Memory(3), cache.remembered
    monkeypatch.setattr(cache, "remembered", lambda near, *given: memory.ask(len(near)) or remembered(near, *given))
    parts, again = adapted()
    assert memory.refused and max(memory.taken) <= 3
    torch.testing.assert_close(parts.cache.keys, whole.cache.keys, **CLOSE)
    torch.testing.assert_close(again, logits, atol=1e-4, rtol=1e-6)  # of scale 100
    memory.most = 0
    with pytest.raises(UserError, match="an adapter runs out of GPU memory with a single image"):
        parts.logits(test)


def test_a_gradient_at_a_start_takes_fewer_images_at_once(model, task, monkeypatch):
    chosen = settings("vpt")
    start = single_task.scratch(model, "vpt", chosen, 1)
    given = model, chosen, task.task.class_names, task.images("test"), np.zeros((40, 48), np.float32), task.labels("test"), start
    whole = first_step.gradient(*given)
    memory = limit(monkeypatch, model, pairs=5)
    np.testing.assert_allclose(first_step.gradient(*given), whole, atol=1e-6)
    assert memory.refused and max(memory.taken) <= 5


def test_a_piece_that_leaves_a_part_of_its_gradient_is_begun_anew():
    """Memory may run out on the way back, when some parameters have their gradient already."""
    value, memory = torch.zeros(2, requires_grad=True), Memory(3)

    def begin():
        value.grad = None

    def step(part):
        own = torch.arange(8.0)[part]
        (own.sum() * value[0]).backward()
        memory.ask(len(own))
        (own.sum() * value[1]).backward()
        return own.sum()

    room = Room()
    assert in_micro_batches(step, begin, 8, 8, room, "images") == 28
    assert value.grad.tolist() == [28, 28] and memory.refused == [8, 4] and room.size("images", 8) == 2


def test_an_error_of_a_step_that_is_not_of_memory_is_raised():
    def step(part):
        raise RuntimeError("CUDA error: device-side assert triggered")

    with pytest.raises(RuntimeError, match="assert triggered"):
        in_micro_batches(step, lambda: None, 8, 8, Room(), "images")


def test_a_method_with_a_loss_of_its_own_keeps_its_images_together(model, task, monkeypatch):
    """Its loss may look at all of them; so prompts are tuned one after the other."""
    learners = BatchedLearners("vpt", settings("vpt"), model.architecture, [1])
    run = single_task.Run(model, "vpt", settings("vpt"), task, draws_of(task, [1]), [1], learners)
    seen = []

    class Own:
        separable = False

        def begin(self):
            pass

        def add(self, losses, share):
            losses.sum().backward()
            return losses

        def losses(self, classifier, prompts, image, rows, labels, weights, classes):
            seen.append(rows.shape[1])
            return single_task.loss(classifier.answer(prompts, image), labels, weights)

    run.own_loss = Own()
    limit(monkeypatch, model, pairs=3)
    with pytest.raises(RuntimeError, match="memory"):
        run._step(next(run._batches([np.arange])))
    assert not seen
