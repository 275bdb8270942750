"""SoftCPT and the hard-sharing baselines against their equations, written out over open_clip's blocks in float64."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from doubled import doubled
from naive_towers import naive_rows
from promptatlas.backbone.architecture import Architecture
from promptatlas.base.errors import UserError
from promptatlas.base.rng import named_rng, torch_rng
from promptatlas.methods import module_class, names, settings
from promptatlas.training.shared_learner import _Learner, tune_shared
from shared_tasks import tasks_of
from tiers import mostly_slow
from twins import TINY, twin

RN50 = Architecture("RN50", "openai", 1024, True, 224, 32, 64, 4, 32, 512, 12, 8, 77, (0.0,) * 3, (1.0,) * 3, "resnet")
SMALL = {"context": 3, "task_vectors": 2, "class_vectors": 2, "epochs": 3, "batch_size": 5, "learning_rate": 0.05}


def naive_weights(model, tasks, p, method, complete):
    """Unit class weights of every task from the parameters p."""
    read = lambda names, contexts: naive_rows(model, names, torch.stack(contexts)[:, None], "end")  # noqa: E731
    weights, offset = [], 0
    for i, task in enumerate(tasks):
        own = range(offset, offset + len(task.class_names))
        if method == "coop_mt":
            contexts = [p["context"][{"all": 0, "task": i, "class": c}[complete["sharing"]]] for c in own]
        else:
            meta = read([task.name], [p["u"][i if complete["task_context"] == "specific" else 0]]).expand(len(own), -1)
            if complete["class_context"] != "none":
                s = read(task.class_names, [p["v"][c if complete["class_context"] == "specific" else 0] for c in own])
                meta = {"lin": torch.cat([s, meta], dim=1), "linmean": (s + meta) / 2, "lincls": s}[complete["meta_input"]]
            contexts = [*(meta @ p["meta"]).reshape(-1, 3, 64)]
        weights.append(F.normalize(read(task.class_names, contexts), dim=-1))
        offset += len(own)
    return weights


def left_out(chance, labels, count, rate):
    """Of the classes on no image (labels (N,) or marks (N, C)) all but ceil(rate * their number), which are drawn."""
    there = set((labels.any(0).nonzero() if labels.dim() == 2 else labels).flatten().tolist())
    absent = [c for c in range(count) if c not in there]
    drawn = chance.choice(absent, math.ceil(rate * len(absent)), replace=False) if rate < 1 and absent else absent
    return {*absent} - {*drawn}


def naive_run(model, tasks, p, method, complete, seed):
    """SGD with momentum over the mixed images; every task's classes are encoded at every step, as released."""
    p = {key: value.double().clone().requires_grad_() for key, value in p.items()}
    velocity = {key: torch.zeros_like(value) for key, value in p.items()}
    images = [(i, row) for i, task in enumerate(tasks) for row in range(len(task.train[1]))]
    order, chance, losses = named_rng("order", method, seed), named_rng("classes", method, seed), []
    aware = method == "softcpt" and complete["class_context"] != "none"
    steps = (4 if aware else 3) if complete.get("steps") == "as_released" else 1  # parts that the release registers
    for epoch in range(complete["epochs"]):
        at = epoch * steps
        rate = 1e-5 if at == 0 else 0.025 * (1 + math.cos(math.pi * (at - 1) / complete["epochs"]))
        permutation, total = order.permutation(len(images)), 0.0
        for start in range(0, len(images), 5):
            batch, value = permutation[start : start + 5], 0.0
            weights, out = naive_weights(model, tasks, p, method, complete), {}
            for i in sorted({images[number][0] for number in batch}):
                labels = tasks[i].train[1][[row for owner, row in map(images.__getitem__, batch) if owner == i]]
                out[i] = left_out(chance, labels, len(weights[i]), complete["class_rate"] if aware else 1.0)
            for number in batch:
                i, row = images[number]
                logits = model.logit_scale.exp() * tasks[i].train[0][row] @ weights[i].T
                target = tasks[i].train[1][row]
                target = target.double() / target.sum() if target.dim() else F.one_hot(target, len(logits)).double()
                among = [c for c in range(len(logits)) if c not in out[i]]
                value = value - (logits[among].log_softmax(0) * target[among]).sum() / len(batch)
            gradients = torch.autograd.grad(value, list(p.values()), allow_unused=True)
            total += value.item() * len(batch)
            with torch.no_grad():
                for _ in range(steps):
                    for (key, leaf), gradient in zip(p.items(), gradients, strict=True):
                        if gradient is None:  # lincls does not read the task's name; torch's SGD leaves u alone
                            continue
                        velocity[key] = 0.9 * velocity[key] + gradient + 5e-4 * leaf
                        leaf -= rate * velocity[key]
        losses.append(total / len(images))
    return {key: value.detach() for key, value in p.items()}, losses


VARIANTS = [
    ("softcpt", {}),
    ("softcpt", {"task_context": "specific"}),
    ("softcpt", {"steps": "as_released"}),
    ("softcpt", {"class_context": "agnostic"}),
    ("softcpt", {"class_context": "agnostic", "steps": "as_released"}),
    ("softcpt", {"class_context": "specific", "class_rate": 0.4}),
    ("softcpt", {"class_context": "specific", "task_context": "specific"}),
    ("softcpt", {"class_context": "agnostic", "meta_input": "linmean"}),
    ("softcpt", {"class_context": "specific", "meta_input": "lincls"}),
    ("coop_mt", {}),
    ("coop_mt", {"sharing": "task"}),
    ("coop_mt", {"sharing": "class"}),
]


QUICK = [VARIANTS[0], VARIANTS[5], VARIANTS[11]]


@pytest.mark.parametrize("variant", mostly_slow(VARIANTS, QUICK), ids=lambda given: "-".join([given[0], *map(str, given[1].values())]))
def test_a_run_in_float64_equals_the_equations(tiny_pair, monkeypatch, variant):
    (model, backbone), (method, own) = tiny_pair, variant
    tasks = tasks_of(multilabel=own == {} or "class_rate" in own)
    given = {key: value for key, value in (SMALL | {"class_rate": 1.0}).items() if key in settings(method)}
    complete = settings(method, given | own)
    cls = module_class(method)
    monkeypatch.setattr(f"promptatlas.methods.softcpt.{cls.__name__}.__init__", in_double(cls.__init__))
    start = cls(backbone.architecture, complete, torch_rng("initial", method, 1), [3, 4, 2]).state_dict()
    ours = tune_shared(backbone, method, complete, tasks, 1)
    parameters, losses = naive_run(model, tasks, start, method, complete, 1)
    np.testing.assert_allclose([row["loss"] for row in ours.history], losses, rtol=1e-6)
    assert ours.parameters.keys() == parameters.keys()
    for name, value in parameters.items():
        torch.testing.assert_close(ours.parameters[name], value, atol=1e-6, rtol=1e-5, msg=name)
    for found, expected in zip(ours.class_weights, naive_weights(model, tasks, parameters, method, complete), strict=True):
        torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)


def in_double(init):
    def wrapped(self, *arguments):
        init(self, *arguments)
        self.double()

    return wrapped


@pytest.fixture(scope="module")
def tiny_pair(tmp_path_factory):
    return doubled(twin(TINY | {"quick_gelu": True}, tmp_path_factory.mktemp("tiny")))


def count(architecture, classes, **own):
    module = module_class("softcpt")(architecture, settings("softcpt", own), torch_rng("test"), classes)
    return sum(value.numel() for value in module.parameters())


def test_parameter_counts_with_rn50():
    assert count(RN50, [100, 47]) == 8_390_656
    assert count(RN50, [100, 47], task_context="specific") == 8_388_608 + 2 * 4 * 512
    assert count(RN50, [100, 47], class_context="agnostic") == 2 * 8_388_608 + 2 * 4 * 512
    assert count(RN50, [100, 47], class_context="specific", meta_input="lincls") == 8_388_608 + 148 * 4 * 512


def test_initial_values_are_small_noise_from_a_seed_of_their_own():
    first, again, other = (
        module_class("softcpt")(RN50, settings("softcpt"), torch_rng("initial", "softcpt", seed), [10]) for seed in (1, 1, 2)
    )
    assert torch.equal(first.meta, again.meta) and not torch.equal(first.meta, other.meta)
    assert abs(first.meta.std().item() - 0.02) < 1e-4 and abs(first.u.std().item() - 0.02) < 2e-3


def test_left_out_classes_leave_the_positives_and_a_share_of_the_others(tiny_backbone):
    """Every batch keeps its own classes; of the others ceil(0.5 times their number); the loss is over those alone."""
    complete = settings("softcpt", SMALL | {"class_context": "agnostic", "class_rate": 0.5})
    learner = _Learner(tiny_backbone, "softcpt", complete, tasks_of(torch.float32), 1)
    for labels in (np.array([2, 2]), np.array([0, 3]), np.array([1, 0, 3])):
        chosen, renumbered = learner._chosen(1, labels)
        present = len(np.unique(labels))
        assert len(chosen) == present + math.ceil((4 - present) / 2) and (np.diff(chosen) > 0).all()
        assert np.array_equal(chosen[renumbered], labels)
    marks = np.array([[0, 1, 0, 1]], dtype=np.uint8)
    chosen, kept = learner._chosen(1, marks)
    assert len(chosen) == 3 and {1, 3} <= set(chosen.tolist()) and kept.sum() == 2
    drawn = {tuple(learner._chosen(1, np.array([2]))[0].tolist()) for _ in range(40)}
    assert len(drawn) == 3  # each pair of the three others turns up


@pytest.mark.slow
def test_a_class_aware_run_with_left_out_classes_trains(tiny_backbone):
    complete = settings("softcpt", SMALL | {"class_context": "agnostic", "class_rate": 0.4, "epochs": 6})
    ours = tune_shared(tiny_backbone, "softcpt", complete, tasks_of(torch.float32), 1)
    assert ours.history[-1]["loss"] < ours.history[0]["loss"]
    assert [tuple(c.shape) for c in ours.contexts] == [(3, 3, 64), (4, 3, 64), (2, 3, 64)]


def test_soft_sharing_gives_each_task_a_context_and_hard_sharing_one_for_all(tiny_backbone):
    soft = tune_shared(tiny_backbone, "softcpt", settings("softcpt", SMALL), tasks_of(torch.float32), 1)
    hard = tune_shared(tiny_backbone, "coop_mt", settings("coop_mt", {"context": 3, "epochs": 2}), tasks_of(torch.float32), 1)
    assert all(context.shape == (3, 64) for context in soft.contexts + hard.contexts)
    assert not torch.equal(soft.contexts[0], soft.contexts[1]) and torch.equal(hard.contexts[0], hard.contexts[1])
    assert [tuple(w.shape) for w in soft.class_weights] == [(3, 48), (4, 48), (2, 48)]


def test_the_best_epoch_is_the_mean_of_the_tasks_on_validation(tiny_backbone):
    complete = settings("softcpt", SMALL | {"epochs": 6, "select": "best_validation"})
    tasks = tasks_of(torch.float32)
    ours = tune_shared(tiny_backbone, "softcpt", complete, tasks, 1)
    scores = [row["validation_score"] for row in ours.history]
    assert ours.best_epoch == 1 + int(np.argmax(scores))
    right = [(t.validation[0] @ w.T).argmax(1) == t.validation[1] for t, w in zip(tasks, ours.class_weights, strict=True)]
    per_class = [right[1][tasks[1].validation[1] == c].double().mean() for c in range(4)]
    mean = (right[0].double().mean() + sum(per_class) / 4 + right[2].double().mean()) / 3
    assert mean.item() == pytest.approx(max(scores))


def test_wrong_settings_are_named(tiny_backbone):
    with pytest.raises(UserError, match=r"settings\.softcpt\.meta_input: 'lincls' needs a class_context"):
        tune_shared(tiny_backbone, "softcpt", settings("softcpt", {"meta_input": "lincls"}), tasks_of(torch.float32), 1)
    with pytest.raises(UserError, match=r"settings\.coop_mt\.sharing: 'some' is not one of all, task, class"):
        settings("coop_mt", {"sharing": "some"})
    with pytest.raises(UserError, match=r"settings\.coop_mt\.steps: unknown setting"):  # its release steps once
        settings("coop_mt", {"steps": "as_released"})
    for rate in (2.0, float("nan")):
        with pytest.raises(UserError, match=r"settings\.softcpt\.class_rate: .* must be above zero and at most 1"):
            settings("softcpt", {"class_rate": rate})
    with pytest.raises(UserError, match=r"settings\.softcpt\.class_rate: 0 must be above zero"):
        settings("softcpt", {"class_rate": 0})
    assert settings("softcpt", {"class_rate": 1})["class_rate"] == 1.0
    wild = settings("softcpt", SMALL | {"learning_rate": 1e30, "warmup_learning_rate": 1e30})
    with pytest.raises(UserError, match=r"softcpt: the loss is not a number; lower settings\.softcpt\.learning_rate"):
        tune_shared(tiny_backbone, "softcpt", wild, tasks_of(torch.float32), 1)
    assert names("shared") == ["softcpt", "coop_mt"]
    assert [settings(m, preset="mini")["learning_rate"] for m in names("shared")] == [0.001, 0.003]
