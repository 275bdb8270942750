"""What does not fit into GPU memory at once goes through in smaller passes, wherever images or sentences of many prompts do."""

import numpy as np
import pytest
import torch

from promptatlas.backbone import passes
from promptatlas.backbone.encode import encode_images
from promptatlas.backbone.passes import Room, in_passes
from promptatlas.base.errors import UserError
from promptatlas.evaluation import evaluate
from promptatlas.methods import settings
from promptatlas.training import single_task
from small_tasks import draws_of, write_task


@pytest.fixture
def task(tmp_path):
    return write_task(tmp_path)


def _small_memory(monkeypatch, tower, most):
    """A pass of more than `most` images or prompts through the tower runs out of memory; gives the sizes of all passes."""
    whole, sizes = tower.forward, []

    def forward(first, second=None, *others):
        size = len(second) if hasattr(tower, "token_embedding") else first.shape[1]
        sizes.append(size)
        if size > most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole(first, second, *others)

    monkeypatch.setattr(tower, "forward", forward)
    return sizes


@pytest.mark.parametrize(("count", "size", "most", "sizes"), [
    (10, 4, 9, [4, 4, 2]), (10, 8, 4, [8, 4, 4, 2]), (10, 256, 3, [10, 5, 2, 2, 2, 2, 2]), (3, 8, 1, [3, 1, 1, 1]), (0, 4, 1, []),
])  # fmt: skip
def test_passes_are_halved_from_where_they_do_not_fit(count, size, most, sizes):
    tried = []

    def run(part):
        own = torch.arange(count)[part]
        tried.append(len(own))
        if len(own) > most:
            raise torch.OutOfMemoryError
        return own

    parts = in_passes(run, count, size, Room(), "items")
    assert tried == sizes and torch.equal(torch.cat([torch.empty(0, dtype=torch.long), *parts]), torch.arange(count))


def test_one_item_that_does_not_fit_is_told():
    def run(part):
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        in_passes(run, 5, 4, Room(), "items")


def test_a_halved_size_is_remembered_by_what_an_item_weighs():
    room, tried = Room(), []

    def passes(count, each, most=12):
        tried.clear()

        def run(part):
            own = torch.arange(count)[part]
            tried.append(len(own))
            if len(own) * each > most:
                raise torch.OutOfMemoryError
            return own

        in_passes(run, count, 8, room, "items", each)
        return tried

    assert passes(8, 2) == [8, 4, 4] and passes(8, 2) == [4, 4]
    assert passes(4, 4) == [2, 2]  # the same weight
    assert passes(4, 1) == [4]  # lighter items
    assert passes(2, 9) == [1, 1]  # never less than one
    assert room.size("other items", 8) == 8


def test_an_error_that_is_not_of_memory_is_no_reason_for_fewer():
    def run(part):
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    room = Room()
    with pytest.raises(RuntimeError, match="illegal"):
        in_passes(run, 5, 4, room, "items")
    assert room.size("items", 4) == 4


@pytest.mark.parametrize(("count", "size", "most"), [(10, 4, 9), (10, 8, 3), (3, 8, 8), (3, 1, 1), (0, 4, 1)])
def test_what_is_fetched_is_in_order_and_a_pass_is_waited_for_when_the_next_one_is_started(monkeypatch, count, size, most):
    told, images = [], torch.arange(count * 2.0).view(count, 2)

    class Slow(passes.Fetch):
        def __init__(self, tensor):
            super().__init__(tensor)
            self.first = int(tensor[0, 0]) // 2
            told.append(("started", self.first))

        def taken(self):
            told.append(("taken", self.first))
            return super().taken()

    def run(part):
        if len(images[part]) > most:
            raise torch.OutOfMemoryError
        return images[part]

    plain = in_passes(run, count, size, Room(), "images")
    monkeypatch.setattr(passes, "Fetch", Slow)
    found = passes.fetched_in_passes(run, count, size, Room(), "images")
    assert len(found) == len(plain) and all(map(torch.equal, found, plain))
    starts = [first for what, first in told if what == "started"]
    assert [first for what, first in told if what == "taken"] == starts == sorted(starts)
    ahead = np.cumsum([1 if what == "started" else -1 for what, _ in told])
    assert not told or (ahead.max() == min(2, len(starts)) and ahead[-1] == 0)


def test_encoding_goes_on_with_fewer_images(tiny_backbone, task, monkeypatch):
    whole = encode_images(tiny_backbone, task.images("test"))
    sizes = _small_memory(monkeypatch, tiny_backbone.vision, 12)
    np.testing.assert_allclose(encode_images(tiny_backbone, task.images("test")), whole, atol=1e-6)
    assert sizes == [40, 20, 10, 10, 10, 10]
    encode_images(tiny_backbone, task.images("train"))
    assert max(sizes[6:]) == 10, "the next task begins with what was found out"


def test_tuning_on_features_goes_on_with_fewer_images(tiny_backbone, task, monkeypatch):
    chosen, draws = settings("coop", {"epochs": 1, "batch_size": 8}), draws_of(task, [1])
    (whole,) = single_task.tune_task(tiny_backbone, "coop", chosen, task, draws, [1])
    sizes = _small_memory(monkeypatch, tiny_backbone.vision, 5)
    (small,) = single_task.tune_task(tiny_backbone, "coop", chosen, task, draws, [1])
    assert max(sizes) > 5 and min(sizes) <= 5
    torch.testing.assert_close(small.prompts.text, whole.prompts.text, atol=1e-6, rtol=1e-5)


def test_class_weights_of_each_image_are_made_for_fewer_images(tiny_backbone, task, monkeypatch):
    """CoCoOp's images are prompts side by side in the text tower."""
    prompt = single_task.scratch(tiny_backbone, "cocoop", settings("cocoop"), 1).prompts
    features = encode_images(tiny_backbone, task.images("test"))
    names, images = task.task.class_names, task.images("test")
    whole = evaluate.answers(tiny_backbone, names, images, features, [prompt])
    sizes = _small_memory(monkeypatch, tiny_backbone.text, 6)
    np.testing.assert_allclose(evaluate.answers(tiny_backbone, names, images, features, [prompt]), whole, atol=1e-4)
    assert max(sizes) > 6 and sizes[-1] <= 6


def test_evaluation_that_does_not_fit_with_one_image_says_so(tiny_backbone, task, monkeypatch):
    prompt = single_task.scratch(tiny_backbone, "vpt", settings("vpt"), 1).prompts
    sizes = _small_memory(monkeypatch, tiny_backbone.vision, 0)
    with pytest.raises(UserError, match="with one prompt and one image or class name; use a GPU with more memory"):
        evaluate.answers(tiny_backbone, task.task.class_names, task.images("test"), np.zeros((40, 48), np.float32), [prompt])
    assert sizes[-1] == 1


def test_a_step_looks_for_the_places_of_context_vectors_once(tiny_backbone, task, monkeypatch):
    """To find them a GPU has to be waited for."""
    run = single_task.Run(
        tiny_backbone, "coop", settings("coop"), task, draws_of(task, [1]), [1],
        single_task.BatchedLearners("coop", settings("coop"), tiny_backbone.architecture, [1]),
    )  # fmt: skip
    batch = next(run._batches([np.arange]))
    first = run._losses(run.learners.prompts(), batch)
    monkeypatch.setattr(torch.Tensor, "nonzero", lambda *_, **__: pytest.fail("looked for again"))
    assert torch.equal(run._losses(run.learners.prompts(), batch), first)
