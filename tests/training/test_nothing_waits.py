"""No step of any learner waits for its device: tuned on torch's device `meta`, which has no numbers that could be waited for.

There `item`, `cpu`, `bool`, `nonzero`, boolean indexing and all else whose outcome decides what comes next are errors. What goes the
other way is counted: images, labels and rows are sent before the steps, and nothing inside of them but what a shared learner draws. Nor
is anything put element by element, by which gathers go back if nothing is done about it.
"""

import copy
from collections import Counter
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from methods_with_rules import TOYS, registered
from promptatlas.backbone.classifier import TOKENS_PER_PASS
from promptatlas.backbone.passes import Room
from promptatlas.methods import names, settings
from promptatlas.training import multitask, shared_learner, single_task
from promptatlas.training.adapters import cache
from promptatlas.training.adapters.tip_adapter import _answers
from promptatlas.training.adapters.trained import step
from promptatlas.training.learners import BatchedLearners
from promptatlas.training.optimisers import AdamW
from promptatlas.training.schedule import optimiser
from shared_tasks import tasks_of
from small_tasks import SMALL, draws_of, write_task
from tiers import mostly_slow

SHARED = {
    "softcpt": {}, "softcpt specific": {"task_context": "specific"}, "softcpt by class": {"class_context": "agnostic", "class_rate": 0.5},
    "softcpt for each class": {"class_context": "specific"}, "coop_mt": {}, "coop_mt task": {"sharing": "task"},
    "coop_mt class": {"sharing": "class"},
}  # fmt: skip


class Copies(TorchDispatchMode):
    """Counts what goes from the host to the device; a number without dimensions goes along with the kernel that reads it. Refuses
    what is put element by element."""

    def __init__(self):
        super().__init__()
        self.counted, self.operators = Counter(), Counter()

    def __torch_dispatch__(self, function, types, arguments=(), named=None):
        assert "index_put" not in str(function)
        self.operators[str(function)] += 1
        found = function(*arguments, **(named or {}))
        given = [one for one in (*arguments, *(named or {}).values()) if isinstance(one, torch.Tensor)]
        if isinstance(found, torch.Tensor) and found.is_meta and any(one.device.type == "cpu" and one.dim() for one in given):
            self.counted[str(function)] += 1
        return found


@pytest.fixture
def model(tiny_backbone, monkeypatch):
    """The tiny backbone without numbers."""
    monkeypatch.setitem(TOKENS_PER_PASS, "meta", 10**6)
    parts = (copy.deepcopy(part).to("meta") for part in (tiny_backbone.text, tiny_backbone.vision))
    return replace(tiny_backbone, **dict(zip(("text", "vision"), parts, strict=True)))


@pytest.fixture(scope="module")
def tasks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tasks")
    return write_task(folder / "one"), write_task(folder / "other", multilabel=True, seed=1)


def learners_of(words, method, complete, seeds):
    return BatchedLearners(method, complete, words.architecture, seeds, words)


def epoch(run, complete):
    """How many steps it has, and what the first and the last of them send."""
    steps = optimiser(complete, list(run.learners.parameters.values()))
    batches = list(run._batches([np.random.default_rng(seed).permutation for seed in run.seeds]))
    with Copies() as copies:
        for batch in (batches[0], batches[-1]):
            steps.zero_grad()
            assert run._step(batch).shape == (len(run.seeds),)
            steps.step()
    return len(batches), copies.counted


METHODS = [*names("prompt"), *TOYS]


@pytest.mark.parametrize("optimizer", ["sgd", pytest.param("adamw", marks=pytest.mark.slow)])
@pytest.mark.parametrize("multilabel", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["single", "multi"])
@pytest.mark.parametrize("method", mostly_slow(METHODS, ["coop", "vpt", "cocoop", "toy_aligned"]))
def test_a_step_of_one_task_waits_for_nothing(tiny_backbone, model, tasks, method, multilabel, optimizer):
    task = tasks[multilabel]
    with registered():
        complete = settings(method, SMALL | {"optimizer": optimizer})
        learners = learners_of(tiny_backbone, method, complete, [1, 2])
        run = single_task.Run(model, method, complete, task, draws_of(task, [1, 2]), [1, 2], learners)
        count, sent = epoch(run, complete)
        assert count >= 2 and not sent
        with torch.no_grad(), Copies() as copies:
            assert run._answers().shape[0] == 2
        assert sum(copies.counted.values()) == 2  # rows and weights


@pytest.mark.parametrize("method", mostly_slow(["coop", "vpt", "cocoop", "promptsrc"], ["coop"]))
def test_a_step_on_crops_waits_for_nothing(tiny_backbone, model, tasks, method):
    complete = settings(method, SMALL | {"augmentation": "crops_and_flips"})
    learners = learners_of(tiny_backbone, method, complete, [1, 2])
    run = single_task.Run(model, method, complete, tasks[0], draws_of(tasks[0], [1, 2]), [1, 2], learners)
    with Copies() as copies:
        run.train.begin()
    count, inside = epoch(run, complete)
    assert count >= 2 and not inside and sum(copies.counted.values()) == 1  # where the crops of an epoch are


@pytest.mark.parametrize("manner", [multitask.Manner(c, b) for c in ("union", "own") for b in ("mixed", "task")], ids=str)
@pytest.mark.parametrize("method", mostly_slow(["coop", "vpt", "cocoop"], ["coop"]))
def test_a_step_of_several_tasks_waits_for_nothing(tiny_backbone, model, tasks, method, manner):
    complete = settings(method, SMALL)
    learners = learners_of(tiny_backbone, method, complete, [1, 2])
    draws = list(zip(*(draws_of(task, [1, 2]) for task in tasks), strict=True))
    pool = multitask.TaskPool(tasks, model)
    run = multitask._MultitaskRun(model, method, complete, manner, pool, draws, [1, 2], learners)
    count, sent = epoch(run, complete)
    assert count >= 4 and not sent
    with torch.no_grad(), Copies() as copies:
        assert [part.shape[0] for part in run._answers_by_task()] == [2, 2]
    passes = {"coop": 1, "vpt": 0, "cocoop": 2}  # the names of all tasks are read at once, unless each image reads its own
    assert copies.operators["aten.embedding.default"] == passes[method]


@pytest.mark.parametrize("variant", mostly_slow(SHARED, ["softcpt by class", "coop_mt task"]))
def test_a_step_of_a_shared_learner_waits_for_nothing_but_sends_what_it_draws(model, variant):
    method = variant.split()[0]
    for multilabel in (False, True):
        given = tasks_of(torch.float32, multilabel=multilabel)
        learner = shared_learner._Learner(model, method, settings(method, SMALL | SHARED[variant]), _on(given), 1)
        steps = optimiser({"optimizer": "sgd", "learning_rate": 0.1, "weight_decay": 0.0, "momentum": 0.9}, [*learner.module.parameters()])
        with Copies():
            for rows in (np.array([0, 5, 1, 12]), np.array([3, 9])):
                steps.zero_grad()
                learner.loss(learner.parts(rows)).backward()
                steps.step()
            assert len(learner.result()[0]) == 3


@pytest.mark.parametrize("variant", mostly_slow([one for one in SHARED if "by class" not in one], ["softcpt specific", "coop_mt class"]))
def test_a_step_of_a_shared_learner_on_all_tasks_sends_nothing(model, variant):
    """Its batches have one shape, the last one too."""
    method = variant.split()[0]
    for multilabel in (False, True):
        given = tasks_of(torch.float32, multilabel=multilabel)
        complete = settings(method, SMALL | SHARED[variant] | ({"class_rate": 1.0} if method == "softcpt" else {}))
        learner = shared_learner._Learner(model, method, complete, _on(given), 1)
        learner.result()  # sentences are arranged once, before all steps
        batches = list(learner.batches(np.arange(15), 4))
        assert {batch.rows.shape for _, batch in batches} == {(1, 4)} and len(batches) == 4
        with Copies() as copies:
            for rows, batch in batches:
                assert learner.step(rows, batch, lambda: None).is_meta
        assert not copies.counted


def _on(tasks):
    """The tasks with images on the device; labels can be read on the host as well, once and before all steps."""
    move = lambda part: (part[0].to("meta"), part[1])  # noqa: E731
    return [replace(task, train=move(task.train), validation=move(task.validation)) for task in tasks]


def test_a_step_of_an_adapter_waits_for_nothing():
    keys = torch.randn(8, 6, device="meta", requires_grad=True)
    optimizer, rows = AdamW([keys], 0.1, 0.01), torch.arange(4, device="meta")
    features, values, weights = (torch.randn(shape, device="meta") for shape in ((8, 6), (8, 3), (3, 6)))
    logits = partial(_answers, features, 10.0, weights, cache.Cache(keys, values), 1.0, 1.0, rows)
    with Copies() as copies:
        assert step(optimizer, logits, torch.arange(8, device="meta")[rows] % 3, Room()).is_meta
    assert not copies.counted


WAITS = {
    "item": lambda x: x.sum().item(), "if": lambda x: bool((x > 0).all()), "cpu": lambda x: x.cpu(), "list": lambda x: x.tolist(),
    "nonzero": lambda x: x.nonzero(), "boolean index": lambda x: x[x > 0], "selection": lambda x: x.masked_select(x > 0),
    "unique": lambda x: x.unique(), "numpy": lambda x: x.detach().numpy(), "equal": lambda x: torch.equal(x, x + 1),
    "to": lambda x: x.to("cpu"), "repeat": lambda x: x.repeat_interleave(torch.ones(2, device=x.device, dtype=torch.long), 0),
}  # fmt: skip


def test_whatever_waits_is_an_error_here(tiny_backbone, model, tasks, monkeypatch):
    """That the tests above can fail: each of these in the loss of a step."""
    usual, refused = single_task.loss, set()

    def loss(logits, labels, weights):
        for name, wait in WAITS.items():
            try:
                wait(logits[0, :2, 0])
            except (RuntimeError, NotImplementedError, TypeError):
                refused.add(name)
        return usual(logits, labels, weights)

    monkeypatch.setattr(single_task, "loss", loss)
    complete = settings("coop", SMALL)
    run = single_task.Run(
        model, "coop", complete, tasks[0], draws_of(tasks[0], [1]), [1], learners_of(tiny_backbone, "coop", complete, [1])
    )
    epoch(run, complete)
    assert refused == set(WAITS)


def test_what_a_step_sends_is_seen(tiny_backbone, model, tasks, monkeypatch):
    usual = single_task.loss
    monkeypatch.setattr(
        single_task, "loss", lambda logits, labels, weights: usual(logits, labels, weights + torch.zeros(1).to(logits.device))
    )
    complete = settings("coop", SMALL)
    run = single_task.Run(
        model, "coop", complete, tasks[0], draws_of(tasks[0], [1]), [1], learners_of(tiny_backbone, "coop", complete, [1])
    )
    count, sent = epoch(run, complete)
    assert sum(sent.values()) == 2 < count
