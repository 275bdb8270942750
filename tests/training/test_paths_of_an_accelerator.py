"""What an accelerator computes in another way than the CPU, run on the CPU: the same numbers up to rounding."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from doubled import copied
from promptatlas.backbone import owners
from promptatlas.backbone.passes import Room
from promptatlas.methods import settings
from promptatlas.training import multitask, recorded_step, shared_learner, single_task
from promptatlas.training.learners import BatchedLearners
from promptatlas.training.optimisers import SGD, Adam, AdamW
from shared_tasks import tasks_of
from short_memory import limit
from small_tasks import SMALL, draws_of, write_task
from tiers import mostly_slow


def close(found, expected, most=1e-6):
    assert expected.norm() > 0
    assert (found - expected).norm() <= most * expected.norm()


def gradients(run, batches):
    """Losses of each batch and what they leave at the parameters."""
    found = []
    for batch in batches:
        for value in run.learners.parameters.values():
            value.grad = None
        found.append([run._step(batch), *(value.grad for value in run.learners.parameters.values() if value.grad is not None)])
    return found


@pytest.mark.parametrize("multilabel", [False, True], ids=["single", "multi"])
@pytest.mark.parametrize("method", mostly_slow(["coop", "vpt", "upt", "cocoop", "prograd", "promptsrc"], ["coop", "vpt"]))
def test_a_last_batch_padded_with_images_of_weight_zero_gives_the_same_step(tiny_backbone, tmp_path, monkeypatch, method, multilabel):
    task, seeds, complete = write_task(tmp_path, multilabel), [1, 2], settings(method, SMALL)
    rows = np.random.default_rng(0).permutation(60)
    draws = [replace(own, train=rows[:count]) for own, count in zip(draws_of(task, seeds), (20, 19), strict=True)]
    learners = BatchedLearners(method, complete, tiny_backbone.architecture, seeds, tiny_backbone)
    run = single_task.Run(tiny_backbone, method, complete, task, draws, seeds, learners)
    orders = lambda: [np.random.default_rng(seed).permutation for seed in seeds]  # noqa: E731
    plain = list(run._batches(orders()))
    monkeypatch.setattr(single_task, "is_accelerator", lambda device: True)
    padded = list(run._batches(orders()))
    assert len({batch.rows.shape for batch in padded}) == 1 < len({batch.rows.shape for batch in plain})
    assert sum(batch.weights.sum() for batch in padded) == sum(run.train.sizes)
    for own, expected in zip(gradients(run, padded), gradients(run, plain), strict=True):
        assert len(own) > 1
        for a, b in zip(own, expected, strict=True):
            close(a, b)


def test_batches_of_one_task_each_are_padded_to_one_shape_and_give_the_same_steps(tiny_backbone, tmp_path, monkeypatch):
    tasks, seeds, complete = [write_task(tmp_path / "one"), write_task(tmp_path / "other", seed=1)], [1, 2], settings("coop", SMALL)
    pool = multitask.TaskPool(tasks, tiny_backbone)
    draws = [[draws_of(task, [seed], shots)[0] for task, shots in zip(tasks, (3, 5), strict=True)] for seed in seeds]

    def stepped(*manner):
        learners = BatchedLearners("coop", complete, tiny_backbone.architecture, seeds, tiny_backbone)
        run = multitask._MultitaskRun(tiny_backbone, "coop", complete, multitask.Manner(*manner), pool, draws, seeds, learners)
        batches = list(run._batches([np.random.default_rng(seed).permutation for seed in seeds]))
        return {batch.rows.shape for batch in batches}, gradients(run, batches), run.equal_batches

    plain = stepped("union", "task")
    monkeypatch.setattr(single_task, "is_accelerator", lambda device: True)
    padded = stepped("union", "task")
    assert len(padded[0]) == 1 < len(plain[0]) and padded[2] and not plain[2] and not stepped("own", "task")[2]
    for own, expected in zip(padded[1], plain[1], strict=True):
        for a, b in zip(own, expected, strict=True):
            close(a, b)


@pytest.mark.parametrize("count", [3, 8])
def test_a_draw_that_one_batch_holds_is_not_padded(count):
    held = object.__new__(single_task.FeatureDraws)
    held.sizes, held.device = [count, count - 1], torch.device("cpu")
    (batch,) = held.batches(8, None, equal=True)
    assert batch.rows.shape == (2, count) and batch.weights.sum() == 2 * count - 1


@pytest.mark.parametrize(
    "given",
    [(SGD, (0.1, 0.01, 0.9)), (SGD, (0.1, 0.0, 0.0)), (AdamW, (0.01, 5e-4)), (AdamW, (0.01, 0.01, 1e-4)), (Adam, (0.01, 5e-4, 1e-3))],
    ids=str,
)
def test_all_parameters_in_one_kernel_take_the_steps_of_one_after_the_other(given):
    kind, arguments = given
    random = torch.Generator().manual_seed(5)
    start = [torch.randn(3, 4, generator=random), torch.randn(5, generator=random), torch.randn(2, generator=random)]
    plain, fused = ([value.clone().requires_grad_() for value in start] for _ in range(2))
    one, all_at_once = kind(plain, *arguments), kind(fused, *arguments)
    assert not one.fused  # on a CPU
    all_at_once.fused = True
    for step in range(12):
        one.rate = all_at_once.rate = 0.1 / (1 + step)
        for number, (a, b) in enumerate(zip(plain, fused, strict=True)):
            a.grad = b.grad = None
            if number == 0 or step not in (0, 4):  # the others start late and miss a step
                a.grad = torch.randn(a.shape, generator=random)
                b.grad = a.grad.clone()
        one.step()
        all_at_once.step()
    for before, a, b in zip(start, plain, fused, strict=True):
        close(b.detach() - before, a.detach() - before)


CLASS_AWARE = [("agnostic", {"class_rate": 0.4}), ("specific", {}), ("specific", {"class_rate": 1.0})]


@pytest.mark.parametrize("multilabel", [False, True], ids=["single", "multi"])
@pytest.mark.parametrize("own", mostly_slow([{}, *({"class_context": each} | rate for each, rate in CLASS_AWARE)], [{}]), ids=str)
def test_images_of_all_tasks_judged_at_once_give_the_step_of_task_by_task(tiny_backbone, monkeypatch, own, multilabel):
    found = []
    for together in (True, False):
        for part in (shared_learner, owners):
            monkeypatch.setattr(part, "is_accelerator", lambda device, together=together: together)
        exact = replace(tiny_backbone, text=copied(tiny_backbone.text))  # in float64, where rounding is out of sight
        learner = shared_learner._Learner(exact, "softcpt", settings("softcpt", SMALL | own), tasks_of(multilabel=multilabel), 1)
        learner.module.double()
        rows = np.array([0, 5, 1, 12, 6, 13, 4])
        ways = [lambda: learner.loss(learner.parts(rows)).backward()]  # noqa: B023
        if learner.at_once:
            ((_, batch),) = learner.batches(rows, 8)
            (first, second) = (own for _, own in learner.batches(rows, 4))
            ways.append(lambda: learner.whole_step(batch))  # noqa: B023
            assert learner.whole_step(second) > 0 and second.weights.tolist() == [[1, 1, 1, 0]]
            assert first.rows.shape == second.rows.shape and batch.rows.shape == (1, 7)
        for way in ways:
            learner.module.zero_grad()
            way()
            found.append([parameter.grad for parameter in learner.module.parameters()])
    assert len(found) == (3 if not own or own.get("class_rate") == 1.0 else 2)
    for other in found[:-1]:
        for a, b in zip(other, found[-1], strict=True):
            close(a, b, 1e-12)


@pytest.mark.parametrize("method", ["softcpt", pytest.param("coop_mt", marks=pytest.mark.slow)])
def test_a_shared_learner_whose_step_is_recorded_trains_what_one_task_by_task_does(tiny_backbone, monkeypatch, method):
    """With batches of one shape, of which the last one is padded, and with any number of its steps; short memory ends that."""
    complete, tasks, asked = settings(method, {"epochs": 2, "batch_size": 4, "learning_rate": 0.02}), tasks_of(torch.float32), []
    tune = lambda model: shared_learner.tune_shared(model, method, complete, tasks, 1)  # noqa: E731
    plain = tune(tiny_backbone)
    usual = shared_learner._Learner.__init__

    def on_an_accelerator(learner, *given):
        usual(learner, *given)
        parameters, capture = list(learner.module.parameters()), replayed_by_hand(asked)
        monkeypatch.setattr(recorded_step, "captured", lambda step: capture(step, parameters))
        learner.at_once = recorded_step.RecordedStep(learner.whole_step, parameters, lambda batch: None)

    monkeypatch.setattr(shared_learner._Learner, "__init__", on_an_accelerator)
    for part in (shared_learner, owners):
        monkeypatch.setattr(part, "is_accelerator", lambda device: True)
    recorded, steps = tune(tiny_backbone), len(asked)
    assert steps == 2 * 4
    short = replace(tiny_backbone, room=Room())
    memory = limit(monkeypatch, short, sentences=5)
    with pytest.warns(UserWarning, match="cannot be recorded"):
        parts = tune(short)
    assert memory.refused and len(asked) == steps
    for other in (recorded, parts):
        assert [row["loss"] for row in other.history] == pytest.approx([row["loss"] for row in plain.history], rel=1e-5)
        for one, expected in zip(other.class_weights, plain.class_weights, strict=True):
            torch.testing.assert_close(one, expected, atol=1e-5, rtol=1e-5)


def replayed_by_hand(asked):
    """What stands in for a CUDA graph: runs the step again and writes what it gives where it wrote it the first time."""

    def captured(run, parameters):
        for _ in range(2):
            run()
        given = run()
        written = [given, *(parameter.grad for parameter in parameters)]

        def replay():
            asked.append(len(asked))
            found = [run(), *(parameter.grad for parameter in parameters)]
            for place, value in zip(written, found, strict=True):
                if place is not None:
                    place.copy_(value)

        return given, replay

    return captured


@pytest.mark.parametrize("method", mostly_slow(["coop", "vpt", "upt", "cocoop", "prograd", "promptsrc"], ["coop"]))
@pytest.mark.parametrize("optimizer", mostly_slow(["sgd", "adamw"], ["sgd"]))
def test_a_recorded_step_trains_the_prompts_of_one_that_is_not(tiny_backbone, tmp_path, monkeypatch, method, optimizer):
    """The record keeps its batch, its gradients and no rate: all steps of all epochs are replayed with what they are given."""
    task, seeds, asked = write_task(tmp_path), [1, 2], []
    complete = settings(method, SMALL | {"optimizer": optimizer, "learning_rate": 0.01})
    monkeypatch.setattr(single_task.Run, "equal_batches", True)
    tune = lambda: single_task.tune_task(tiny_backbone, method, complete, task, draws_of(task, seeds), seeds)  # noqa: E731
    plain = tune()

    def started(run):
        parameters, capture = list(run.learners.parameters.values()), replayed_by_hand(asked)
        monkeypatch.setattr(recorded_step, "captured", lambda step: capture(step, parameters))
        return recorded_step.RecordedStep(run._step, parameters, run._decided)

    monkeypatch.setattr(single_task.Run, "_started", started)
    recorded = tune()
    assert len(asked) == 9  # three epochs of three steps
    for one, other in zip(recorded, plain, strict=True):
        assert one.history == other.history and one.fingerprint() == other.fingerprint()


def test_a_step_that_cannot_be_recorded_is_taken_all_the_same_and_said(tiny_backbone, tmp_path, monkeypatch):
    task, complete = write_task(tmp_path), settings("coop", SMALL)
    tune = lambda: single_task.tune_task(tiny_backbone, "coop", complete, task, draws_of(task, [1]), [1])  # noqa: E731
    plain, tried = tune(), []

    def refused(run):
        run()
        tried.append(run)
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(recorded_step, "captured", refused)
    parameters = lambda run: list(run.learners.parameters.values())  # noqa: E731
    started = lambda run: recorded_step.RecordedStep(run._step, parameters(run), run._decided)  # noqa: E731
    monkeypatch.setattr(single_task.Run, "_started", started)
    with pytest.warns(UserWarning, match="cannot be recorded as a CUDA graph and takes longer, with the same result: operation not"):
        again = tune()
    assert len(tried) == 1 and again[0].fingerprint() == plain[0].fingerprint()


def test_batches_that_differ_in_what_the_host_decides_have_records_of_their_own(monkeypatch):
    seen, kinds = [], iter([True, False, True, True])
    batch = single_task.ImageBatch(torch.zeros(1, 2), torch.ones(1, 2), np.zeros((1, 2)))
    monkeypatch.setattr(recorded_step, "captured", lambda run: (run(), lambda: None))
    step = recorded_step.RecordedStep(lambda given: seen.append(given) or torch.zeros(1), [], lambda given: next(kinds))
    for own in (batch, batch, batch, replace(batch, rows=torch.zeros(1, 1), weights=torch.ones(1, 1))):
        step(own)
    assert len(seen) == 3 and all(one.rows is not batch.rows for one in seen)


def test_pieces_of_a_batch_are_decided_as_the_batch_is():
    """Two learners that look at other images, but for one that they share by chance: its piece is no other than the others."""
    held = object.__new__(single_task.ImageDraws)
    held.which = np.array([[0, 1, 2, 3], [0, 4, 5, 6]])
    rows = np.tile(np.arange(4), (2, 1))
    batch = single_task.ImageBatch(torch.from_numpy(rows), torch.ones(2, 4), rows)
    assert not held.alike(batch) and not held.alike(batch[slice(0, 1)]) and batch[slice(0, 1)].rows.shape == (2, 1)
    held.which = held.which[:1].repeat(2, axis=0)
    assert held.alike(batch) and held.alike(batch[slice(0, 1)])
