"""One prompt on several tasks: equal to the equations, to single-task tuning where there is one task, and blind to test labels."""

import math
from functools import cache

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from doubled import doubled
from naive_towers import naive_text
from named_tasks import NAMES
from promptatlas.backbone.encode import encode_task
from promptatlas.base.rng import named_rng
from promptatlas.evaluation import task_grouping
from promptatlas.methods import settings
from promptatlas.tasks import prepared
from promptatlas.tasks.draws import draw
from promptatlas.tasks.task import Task
from promptatlas.training import multitask, single_task
from promptatlas.training.multitask import Manner, tune_multitask
from small_tasks import SMALL, draws_of, write_task
from tiers import mostly_slow
from twins import TINY, twin

MANNERS = [Manner(classes, batches) for classes in ("own", "union") for batches in ("mixed", "task")]


def called(manner: Manner) -> str:
    return f"{manner.classes}-{manner.batches}"


def write_named(folder, name, seed, multilabel=False, size=32):
    """A task of its own: classes that differ in mean colour, 12 train, 9 validation and 12 test images."""
    random, names = np.random.default_rng(seed), NAMES[name]
    images, pools = {}, {}
    for split, count in (("train", 12), ("validation", 9), ("test", 12)):
        labels = np.arange(count) % len(names)
        base = 60 + 120 * (labels[:, None] == np.arange(3))
        images[split] = np.clip(base[:, None, None] + random.normal(0, 40, (count, size, size, 3)), 0, 255).astype(np.uint8)
        if multilabel:
            labels = np.clip(np.eye(3, dtype=np.uint8)[labels] + (random.random((count, 3)) < 0.3), 0, 1).astype(np.uint8)
        pools[split] = prepared.Pool.whole(images[split], labels)
    metric = "map_11_point" if multilabel else "accuracy"
    task = Task(name, name, "test", names, ("a photo of {}.",), metric, multilabel)
    prepared.write(folder, task, pools, [{"split": "train"}], images)
    return prepared.PreparedTask.open(folder)


def tasks_in(folder, multilabel=False, size=32):
    return [
        write_named(folder / "hues", "hues", 1),
        write_named(folder / "kinds", "kinds", 2, size=size),
        write_named(folder / "marks", "marks", 3, multilabel),
    ]


def drawn(tasks, seed, shots=3):
    return [draw(one.labels("train"), one.labels("validation"), shots, seed, one.task.name, "coop") for one in tasks]


@pytest.fixture(scope="module")
def tuned_alone(tiny_backbone, tmp_path_factory):
    """Of a method: a task, settings, two draws, and the prompts tuned on the task alone."""
    task = write_task(tmp_path_factory.mktemp("alone"))

    @cache
    def tuned(method):
        complete, draws = settings(method, SMALL | {"learning_rate": 0.01}), draws_of(task, [1, 2])
        return task, complete, draws, single_task.tune_task(tiny_backbone, method, complete, task, draws, [1, 2])

    return tuned


@pytest.mark.parametrize("manner", MANNERS, ids=called)
@pytest.mark.parametrize("method", mostly_slow(["coop", "vpt", "maple", "cocoop"], ["coop"]))
def test_a_union_of_one_task_equals_tuning_on_that_task(tiny_backbone, tuned_alone, method, manner):
    task, complete, draws, alone = tuned_alone(method)
    union = tune_multitask(tiny_backbone, method, complete, manner, [task], [[own] for own in draws], [1, 2])
    for one, other in zip(alone, union, strict=True):
        assert one.fingerprint() == other.fingerprint() and one.best_epoch == other.best_epoch and one.history == other.history


def naive_run(model, backbone, tasks, draws, context, complete, manner, seed):
    """CoOp on several tasks, image by image: its class weights among its candidates, cross-entropy, SGD with momentum."""
    images, labels = [], []
    for i, (one, own) in enumerate(zip(tasks, draws, strict=True)):
        features = backbone.vision.encode(backbone.vision.read(one.images("train")[own.train]).double())
        for row, number in enumerate(own.train):
            label = one.labels("train")[number]
            images.append((i, features[row]))
            labels.append(np.atleast_1d(label) if label.ndim else np.eye(len(one.task.class_names))[label])
    context, losses = context.double().clone().requires_grad_(), []
    velocity, order = torch.zeros_like(context), named_rng("order", "+".join(one.task.name for one in tasks), seed)
    for epoch in range(complete["epochs"]):
        rate = 1e-5 if epoch == 0 else 0.025 * (1 + math.cos(math.pi * (epoch - 1) / complete["epochs"]))
        permutation, total = order.permutation(len(images)), 0.0
        for start in range(0, len(images), complete["batch_size"]):
            batch, value = permutation[start : start + complete["batch_size"]], 0.0
            weights = [F.normalize(naive_text(model, one.task.class_names, context[None], "middle"), dim=-1) for one in tasks]
            for number in batch:
                i, feature = images[number]
                logits = [model.logit_scale.exp() * own @ feature for own in weights]
                target = [np.zeros(len(own)) for own in weights]
                target[i] = labels[number]
                if manner.classes == "own":
                    logits, target = [logits[i]], [target[i]]
                target = torch.from_numpy(np.concatenate(target).astype(float))
                value = value - (torch.cat(logits).log_softmax(0) * target / target.sum()).sum() / len(batch)
            (gradient,) = torch.autograd.grad(value, context)
            total += value.item() * len(batch)
            with torch.no_grad():
                velocity = 0.9 * velocity + gradient + 5e-4 * context
                context -= rate * velocity
        losses.append(total / len(images))
    return context.detach(), losses


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return doubled(twin(TINY | {"quick_gelu": True}, tmp_path_factory.mktemp("tiny")))


RUNS = [(classes, labels) for classes in ("own", "union") for labels in ("single", "multi")]


@pytest.mark.parametrize("run", mostly_slow(RUNS, [("own", "single"), ("union", "multi")]), ids="-".join)
def test_a_run_in_float64_equals_the_equations(pair, tmp_path, monkeypatch, run):
    (model, backbone), classes, multilabel = pair, run[0], run[1] == "multi"
    monkeypatch.setattr(type(backbone.vision), "read", lambda tower, images: tower.normalise(tower.resized(images)).double())
    tasks, manner = tasks_in(tmp_path, multilabel), Manner(classes, "mixed")
    complete = settings("coop", {"epochs": 3, "batch_size": 5, "learning_rate": 0.05, "context": 4, "select": "last"})
    cls = single_task.BatchedLearners
    monkeypatch.setattr(single_task, "BatchedLearners", lambda *given: in_double(cls(*given)))
    draws = drawn(tasks, 1)
    start = single_task.BatchedLearners("coop", complete, backbone.architecture, [1]).snapshot(0)["context"]
    (ours,) = tune_multitask(backbone, "coop", complete, manner, tasks, [draws], [1])
    context, losses = naive_run(model, backbone, tasks, draws, start, complete, manner, 1)
    np.testing.assert_allclose([row["loss"] for row in ours.history], losses, rtol=1e-6)
    torch.testing.assert_close(ours.parameters["context"], context, atol=1e-6, rtol=1e-5)


def in_double(learners):
    learners.parameters = {name: value.detach().double().requires_grad_() for name, value in learners.parameters.items()}
    return learners


@pytest.mark.parametrize("manner", mostly_slow(MANNERS, [Manner("union", "mixed")]), ids=called)
def test_learners_side_by_side_equal_single_ones(tiny_backbone, tmp_path, manner):
    """Images of different sizes, and a draw with fewer images, which takes fewer steps."""
    tasks, complete = tasks_in(tmp_path, multilabel=True, size=48), settings("upt", SMALL | {"batch_size": 6, "epochs": 2})
    draws = [drawn(tasks, 1), drawn(tasks, 2, shots=2)]
    together = tune_multitask(tiny_backbone, "upt", complete, manner, tasks, draws, [1, 2])
    for k, seed in enumerate((1, 2)):
        (alone,) = tune_multitask(tiny_backbone, "upt", complete, manner, tasks, [draws[k]], [seed])
        for name, value in alone.parameters.items():
            torch.testing.assert_close(value, together[k].parameters[name], atol=2e-5, rtol=1e-3, msg=name)


def test_batches_of_one_task_hold_every_image_once(tiny_backbone, tmp_path):
    tasks, complete = tasks_in(tmp_path), settings("coop", SMALL | {"batch_size": 4})
    draws, union = [drawn(tasks, 1), drawn(tasks, 2)], multitask.TaskPool(tasks, tiny_backbone)
    learners = multitask.BatchedLearners("coop", complete, tiny_backbone.architecture, [1, 2], tiny_backbone)
    run = multitask._MultitaskRun(tiny_backbone, "coop", complete, Manner("own", "task"), union, draws, [1, 2], learners)
    batches = list(run._batches([np.random.default_rng(k).permutation for k in range(2)]))
    for k in range(2):
        rows = [batch.rows[k][batch.weights[k] > 0].numpy() for batch in batches]
        assert sorted(np.concatenate(rows)) == list(range(run.train.sizes[k]))
        assert all(len(set(run.owner[k, part])) == 1 for part in rows)


def test_the_average_is_elementwise_and_gives_its_own_prompt(tiny_backbone, tmp_path):
    complete = settings("upt", SMALL)
    prompts = [single_task.scratch(tiny_backbone, "upt", complete, seed) for seed in (1, 2, 3)]
    mean = multitask.average(tiny_backbone, complete, prompts)
    for name, value in mean.parameters.items():
        expected = (prompts[0].parameters[name] + prompts[1].parameters[name] + prompts[2].parameters[name]) / 3
        torch.testing.assert_close(value, expected)
    one = multitask.average(tiny_backbone, complete, prompts[:1])
    assert one.fingerprint() == prompts[0].fingerprint() != mean.fingerprint()


def test_groups_are_tasks_that_help_each_other_on_average():
    names = ("a", "b", "c", "d", "e")
    gains = np.full((5, 5), -9.0)
    gains[0, 1], gains[1, 0] = 8, -2  # mutual 3
    gains[2, 3] = gains[3, 2] = 5
    gains[2, 4] = gains[4, 2] = 4
    gains[3, 4] = gains[4, 3] = -3.9  # with the other link 0.05 on average
    assert task_grouping.groups(names, gains) == [("a", "b"), ("c", "d", "e")]
    gains[3, 4] = gains[4, 3] = -4.1
    assert task_grouping.groups(names, gains) == [("a", "b"), ("c", "d"), ("e",)]
    assert task_grouping.groups(names, np.full((5, 5), -1.0)) == [(name,) for name in names]
    assert task_grouping.groups(names, np.where(gains == 5, np.nan, gains))[0] == ("a", "b")


@pytest.mark.parametrize("method", mostly_slow(["coop", "vpt"], ["coop"]))
def test_noise_in_test_labels_changes_neither_prompts_nor_groups(tiny_backbone, tmp_path, method):
    complete, results = settings(method, SMALL), []
    for noisy in (False, True):
        tasks = tasks_in(tmp_path / str(noisy))
        if noisy:
            for one in tasks:
                path = prepared.array_path(one.folder, "test", "labels")
                np.save(path, np.random.default_rng(0).integers(0, 2, len(one.labels("test"))))
        draws, prompts = drawn(tasks, 1), []
        for one, own in zip(tasks, draws, strict=True):
            prompts += single_task.tune_task(tiny_backbone, method, complete, one, [own], [1])
        (union,) = tune_multitask(tiny_backbone, method, complete, Manner("own", "task"), tasks, [draws], [1])
        columns = [
            task_grouping.validation_gains(tiny_backbone, one, encode_task(tiny_backbone, one), own, [p.prompts for p in prompts])
            for one, own in zip(tasks, draws, strict=True)
        ]
        gains = np.stack(columns, axis=1)
        results.append(
            (union.fingerprint(), union.best_epoch, task_grouping.groups([one.task.name for one in tasks], gains), gains.tolist())
        )
    assert results[0] == results[1]
