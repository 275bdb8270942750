"""The last batch of an epoch, dropped as a DataLoader drops it; and settings that came later leave fingerprints as they were."""

import pytest
import torch
from torch.utils.data import DataLoader

from promptatlas.base.rng import named_rng
from promptatlas.methods import one_epoch, settings
from promptatlas.records.fingerprint import digest
from promptatlas.study.costs import MethodCosts
from promptatlas.study.sizes import Size
from promptatlas.training import multitask, shared_learner, single_task
from promptatlas.training.learners import BatchedLearners
from shared_tasks import tasks_of
from small_tasks import SMALL, draws_of, write_task

DROPPED = {"last_batch": "dropped"}


@pytest.mark.parametrize("size", [1, 4, 7])
def test_an_epoch_has_the_batches_of_a_data_loader(size):
    for count in range(1, 30):
        for given, drop in (({}, False), (DROPPED, count >= size)):  # Dassl: drop_last=is_train and len(data_source) >= batch_size
            loader, own = DataLoader(range(count), size, drop_last=drop), {"batch_size": size} | given
            assert one_epoch.steps(count, own) == len(loader) and one_epoch.images(count, own) == sum(len(batch) for batch in loader)


@pytest.fixture
def task(tmp_path):
    return write_task(tmp_path / "one")


def seen_by(monkeypatch, run, tune):
    """What `tune` gives; by step, the numbers of each learner's images, and its loss summed over them."""
    steps, losses, whole = [], [], run._step

    def step(self, batch):
        steps.append([own[weights > 0].tolist() for own, weights in zip(batch.rows, batch.weights, strict=True)])
        losses.append(whole(self, batch))
        return losses[-1]

    monkeypatch.setattr(run, "_step", step)
    return tune(), steps, losses


@pytest.mark.parametrize("padded", [False, True])
def test_a_dropped_batch_is_in_no_step_and_in_no_loss(tiny_backbone, task, monkeypatch, padded):
    """Draws of 20, 16 and 5 images in batches of 8: two steps, two, and one with all there are."""
    monkeypatch.setattr(single_task, "is_accelerator", lambda device: padded)
    draws = [draws_of(task, [1])[0], draws_of(task, [2], shots=4)[0], draws_of(task, [3], shots=1)[0]]
    sizes = [len(draw.train) for draw in draws]
    assert sizes == [20, 16, 4]
    complete = settings("coop", SMALL | DROPPED)
    together, steps, losses = seen_by(
        monkeypatch, single_task.Run, lambda: single_task.tune_task(tiny_backbone, "coop", complete, task, draws, [1, 2, 3])
    )
    orders = [named_rng("order", "colours", seed) for seed in (1, 2, 3)]
    expected = [[] for _ in range(3)]
    for _ in range(3):
        for own, order, count in zip(expected, orders, sizes, strict=True):
            permutation = order.permutation(count).tolist()
            own.extend([permutation[:8], permutation[8:16]] if count >= 16 else [permutation])
    assert [step for step in steps if len(step) == 1] == [[one] for one in expected[2]]
    assert [step for step in steps if len(step) == 2] == [[*both] for both in zip(*expected[:2], strict=True)]
    for k, seed in enumerate((1, 2, 3)):
        (alone,) = single_task.tune_task(tiny_backbone, "coop", complete, task, [draws[k]], [seed])
        torch.testing.assert_close(alone.parameters["context"], together[k].parameters["context"], atol=2e-5, rtol=1e-4)
    assert together[2].history[0]["loss"] == pytest.approx(losses[0].item() / 4)
    assert together[0].history[0]["loss"] == pytest.approx((losses[3] + losses[4])[0].item() / 16), "a mean over what was seen"


def test_each_task_drops_its_own_last_batch_where_batches_are_of_one_task(tiny_backbone, task, tmp_path, monkeypatch):
    tasks = [task, write_task(tmp_path / "other", seed=1)]
    draws = [[draws_of(one, [1], shots)[0] for one, shots in zip(tasks, (3, 5), strict=True)]]  # 12 and 20 images
    for batches, counts in (("task", [8, 8, 8]), ("mixed", [8] * 4)):
        own = settings("coop", SMALL | DROPPED | {"epochs": 1, "warmup_epochs": 0})
        tune = lambda own=own, batches=batches: multitask.tune_multitask(  # noqa: E731
            tiny_backbone, "coop", own, multitask.Manner("union", batches), tasks, draws, [1]
        )
        with monkeypatch.context() as patched:
            (prompt,), steps, losses = seen_by(patched, multitask._MultitaskRun, tune)
        assert [len(step[0]) for step in steps] == counts and len({row for step in steps for row in step[0]}) == sum(counts)
        assert prompt.history[0]["loss"] == pytest.approx(sum(losses).item() / sum(counts))
        if batches == "task":
            assert sorted(row < 12 for step in steps for row in step[0]) == [False] * 16 + [True] * 8


def test_a_learner_of_several_tasks_drops_it_too(tiny_backbone, monkeypatch):
    tasks, counts, whole = tasks_of(torch.float32), [], shared_learner._Learner.step

    def step(self, rows, batch, begin):
        counts.append(len(rows))
        return whole(self, rows, batch, begin)

    monkeypatch.setattr(shared_learner._Learner, "step", step)
    total, size = sum(len(task.train[1]) for task in tasks), 4
    assert total % size
    for given in ({}, DROPPED):
        counts.clear()
        complete = settings("coop_mt", SMALL | {"batch_size": size, "epochs": 1, "context": 2} | given)
        shared_learner.tune_shared(tiny_backbone, "coop_mt", complete, tasks, 1)
        assert counts == [size] * (total // size) + ([] if given else [total % size])


def test_settings_that_came_later_are_unsaid_until_they_are_set():
    """The digests are those of results from before there were such settings."""
    known = {
        "coop": "122b744d645aea9531fa7eb7a164dfe90e5f8e958fbb93bdcc59717416d64633",
        "vpt": "58666a817a9cc0be08bcc1d0e02bb2bee7817dc3656116f1c4e444be25c02df0",
        "softcpt": "f1fdb24a2a51a9619c0bef892171d8d428e489780c4d0f5de9a9ef3f8a73fb81",
        "promptsrc": "3a67c71962cf0b89863b5c3d0dcd018944c3b6d7a28d66e5e8c427f6c1e965ad",
    }
    for method, expected in known.items():
        assert digest(settings(method)) == digest(settings(method, {"last_batch": "used"})) == expected
        said = settings(method, DROPPED)
        assert said == settings(method) | DROPPED == settings(method, said) and digest(said) != expected
    used = settings("coop", {"last_batch": "used"}, "released")
    assert used["last_batch"] == "used" and settings("coop", used, "released") == used, "a complete configuration is completed again"
    dassl = {"select": "last", "last_batch": "dropped"}
    assert settings("vpt", preset="released") == settings("vpt") | dassl | {"augmentation": "crops_and_flips"}
    assert settings("coop_mt", preset="released") == settings("coop_mt") | dassl, "it has no images, but features"
    assert settings("tip_adapter_f", preset="released") == settings("tip_adapter_f")
    assert "augmentation" not in settings("coop", {"augmentation": "none"}) and "last_batch" not in settings("coop", preset="mini")


def test_dropped_batches_are_not_counted_as_work():
    size = Size((2, 2), train=10, validation=6, test=0, images=0)
    plain, own = (MethodCosts("vpt", settings("vpt", {"epochs": 3, "batch_size": 4} | more)).tuning(size, 2) for more in ({}, DROPPED))
    assert (plain["tune vpt: passes"], own["tune vpt: passes"]) == (3 * (2 * 3 + 1), 3 * (2 * 2 + 1))
    assert (plain["tune vpt: images"], own["tune vpt: images"]) == (3 * 2 * 26, 3 * 2 * 22)


def test_the_run_of_a_single_learner_says_what_it_sees(tiny_backbone, task):
    complete = settings("coop", SMALL | DROPPED)
    learners = BatchedLearners("coop", complete, tiny_backbone.architecture, [1], tiny_backbone)
    assert single_task.Run(tiny_backbone, "coop", complete, task, draws_of(task, [1]), [1], learners)._seen() == [16]
