"""Crops and flips: drawn as torchvision draws them, enlarged as Pillow enlarges, the same alone, beside others and in pieces."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from scipy.stats import ks_2samp
from torchvision.transforms import RandomResizedCrop

from promptatlas.backbone.classifier import PromptedClassifier
from promptatlas.base.errors import UserError
from promptatlas.base.rng import named_rng
from promptatlas.methods import settings
from promptatlas.study.costs import MethodCosts
from promptatlas.study.sizes import Size
from promptatlas.training import multitask, single_task
from promptatlas.training.augmentation import RATIO, SHARE, Crops, cropped, drawn
from promptatlas.training.learners import BatchedLearners
from small_tasks import SMALL, draws_of, write_task
from tiers import mostly_slow

RELEASED = {"augmentation": "crops_and_flips", "epochs": 2, "select": "last"}
MANY = 4000


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    return write_task(tmp_path_factory.mktemp("task"))


def pillow(image, box):
    """What torchvision's transforms make of an image (R, R, 3) with the crop and flip of a box."""
    top, left, height, width, flipped = map(int, box)
    size = image.shape[:2]
    seen = Image.fromarray(image).crop((left, top, left + width, top + height)).resize(size, Image.Resampling.BICUBIC)
    return np.asarray(seen.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if flipped else seen)


@pytest.mark.parametrize("size", [32, 224])
def test_crops_have_the_distribution_of_torchvisions(size):
    torch.manual_seed(0)
    image = torch.empty(3, size, size)
    theirs = np.array([RandomResizedCrop.get_params(image, [*SHARE], [*RATIO]) for _ in range(MANY)])
    ours = drawn(named_rng("crops", "a task", 1), MANY, size)
    assert (ours[:, :2] >= 0).all() and (ours[:, :2] + ours[:, 2:4] <= size).all() and abs(ours[:, 4].mean() - 0.5) < 0.03
    looks = {
        "top": lambda box: box[:, 0], "left": lambda box: box[:, 1], "height": lambda box: box[:, 2], "width": lambda box: box[:, 3],
        "area": lambda box: box[:, 2] * box[:, 3], "ratio": lambda box: box[:, 3] / box[:, 2],
        "room": lambda box: box[:, 0] / (size - box[:, 2] + 1), "right": lambda box: box[:, 1] + box[:, 3],
    }  # fmt: skip
    for name, look in looks.items():
        assert ks_2samp(look(ours), look(theirs)).pvalue > 0.001, name
    other = drawn(named_rng("crops", "a task", 1), MANY, size - 1)  # or the comparison would show little
    assert ks_2samp(looks["area"](other * 1.05), looks["area"](theirs)).pvalue < 0.001


def test_a_crop_that_never_fits_is_the_whole_image(monkeypatch):
    monkeypatch.setattr("promptatlas.training.augmentation.SHARE", (1.2, 1.3))
    assert (drawn(named_rng("crops", "a task", 1), 20, 32)[:, :4] == [0, 0, 32, 32]).all()


def test_crops_are_enlarged_as_pillow_enlarges_them():
    random = np.random.default_rng(0)
    noise = random.integers(0, 256, (40, 48, 48, 3), np.uint8)
    smooth = np.tile(np.linspace(0, 255, 48).astype(np.uint8)[None, :, None], (48, 1, 3))
    images, boxes = np.concatenate([noise, np.tile(smooth, (20, 1, 1, 1))]), drawn(named_rng("crops", "a task", 2), 60, 48)
    boxes[:3, :4] = [0, 0, 48, 48], [47, 0, 1, 1], [0, 40, 48, 8]
    ours = cropped(torch.from_numpy(images), torch.from_numpy(boxes.astype(np.float32))).numpy()
    expected = np.stack([pillow(image, box) for image, box in zip(images, boxes, strict=True)])
    assert np.abs(ours.astype(int) - expected).max() <= 1 and (ours == expected).mean() > 0.999
    assert {*boxes[:, 4]} == {0, 1} and len({image.tobytes() for image in ours[:40]}) == 40


def test_each_epoch_and_seed_has_crops_of_its_own_whatever_stands_beside_it():
    def epochs(seeds, counts):
        crops = Crops([named_rng("crops", "a task", seed) for seed in seeds], counts, 32, torch.device("cpu"))
        assert (crops.boxes == torch.tensor([0, 0, 32, 32, 0])).all()
        place, found = crops.boxes.data_ptr(), []
        for _ in range(2):
            crops.draw()
            found.append(crops.boxes.clone())
        assert crops.boxes.data_ptr() == place
        return found

    together, alone = epochs([1, 2], [7, 9]), epochs([1], [7])
    for both, own in zip(together, alone, strict=True):
        assert torch.equal(both[0, :7], own[0]) and not torch.equal(both[0, :7], both[1, :7])
    assert not torch.equal(*alone)


def test_a_prompt_is_tuned_on_crops_as_in_a_plain_loop(tiny_backbone, task):
    """Pillow's crops, all read one by one, torch's own loss."""
    (draw,), complete = draws_of(task, [7]), settings("coop", SMALL | RELEASED)
    (ours,) = single_task.tune_task(tiny_backbone, "coop", complete, task, [draw], [7])
    start = single_task.scratch(tiny_backbone, "coop", complete, 7)
    context = start.parameters["context"].clone().requires_grad_()
    layout = PromptedClassifier(tiny_backbone, task.task.class_names, start.prompts).layout
    images, labels = task.images("train")[draw.train], torch.from_numpy(task.labels("train")[draw.train])
    velocity, order, crops = torch.zeros_like(context), named_rng("order", "colours", 7), named_rng("crops", "colours", 7)
    losses = []
    for rate in (1e-5, 0.05):
        boxes, permutation, total = drawn(crops, len(labels), 32), order.permutation(len(labels)), 0.0
        for first in range(0, len(labels), 8):
            rows = permutation[first : first + 8]
            seen = np.stack([pillow(images[row], boxes[row]) for row in rows])
            features = tiny_backbone.vision.encode(tiny_backbone.vision.read(seen)).detach()
            classes = F.normalize(tiny_backbone.text(layout, context[None, None])[0], dim=-1)
            value = F.cross_entropy(tiny_backbone.logit_scale * features @ classes.T, labels[rows])
            (gradient,) = torch.autograd.grad(value, context)
            with torch.no_grad():
                velocity = 0.9 * velocity + gradient + 5e-4 * context
                context -= rate * velocity
            total += value.item() * len(rows)
        losses.append(total / len(labels))
    plain = settings("coop", SMALL | RELEASED | {"augmentation": "none"})
    (without,) = single_task.tune_task(tiny_backbone, "coop", plain, task, [draw], [7])
    far = [np.abs(np.array([row["loss"] for row in one.history]) / losses - 1).max() for one in (ours, without)]
    apart = [float((one.parameters["context"] - context.detach()).norm()) for one in (ours, without)]
    assert far[0] < 1e-4 < 1e-3 < far[1] and apart[0] < 0.05 * apart[1]


METHODS = ["coop", "vpt", "cocoop", "prograd", "promptsrc", "clip_adapter"]


@pytest.mark.parametrize("method", mostly_slow(METHODS, ["coop", "vpt"]))
def test_prompts_on_crops_are_the_same_alone_and_beside_others(tiny_backbone, task, monkeypatch, method):
    seeds, complete = [1, 2], settings(method, SMALL | RELEASED | {"learning_rate": 0.01})
    draws = [draws_of(task, [1])[0], draws_of(task, [2], shots=5)[0]]
    together = single_task.tune_task(tiny_backbone, method, complete, task, draws, seeds)
    monkeypatch.setattr(single_task, "is_accelerator", lambda device: True)  # batches of one shape
    for k, seed in enumerate(seeds):
        (alone,) = single_task.tune_task(tiny_backbone, method, complete, task, [draws[k]], [seed])
        np.testing.assert_allclose([r["loss"] for r in alone.history], [r["loss"] for r in together[k].history], rtol=1e-4)
        for name, value in alone.parameters.items():
            torch.testing.assert_close(value, together[k].parameters[name], atol=1e-4, rtol=1e-3, msg=name)


@pytest.mark.parametrize("method", ["prograd", "promptsrc"])
def test_a_teacher_sees_the_crops_too(tiny_backbone, task, method):
    seeds, complete = [1, 2], settings(method, SMALL | RELEASED)
    draws, learners = draws_of(task, seeds), BatchedLearners(method, complete, tiny_backbone.architecture, seeds, tiny_backbone)
    run = single_task.Run(tiny_backbone, method, complete, task, draws, seeds, learners)
    run.train.begin()
    batch = next(run._batches([np.random.default_rng(seed).permutation for seed in seeds]))
    with torch.no_grad():
        known = run.own_loss._known(run.train.features(run.learners.prompts(), batch), batch.rows)
    for k, draw in enumerate(draws):
        rows = batch.rows[k].numpy()
        images, boxes = task.images("train")[draw.train[rows]], run.train.crops.boxes[k, rows].numpy()
        seen = np.stack([pillow(image, box) for image, box in zip(images, boxes, strict=True)])
        expected = tiny_backbone.vision.encode(tiny_backbone.vision.read(seen))
        torch.testing.assert_close(known[k], expected, atol=5e-3, rtol=0)


def test_a_prompt_of_several_tasks_is_tuned_on_crops_of_all(tiny_backbone, tmp_path):
    tasks = [write_task(tmp_path / "one"), write_task(tmp_path / "other", seed=1)]
    draws, complete = [[draws_of(task, [1], 3)[0] for task in tasks]], settings("coop", SMALL | RELEASED)
    manner = multitask.Manner("own", "task")
    first, again = (multitask.tune_multitask(tiny_backbone, "coop", complete, manner, tasks, draws, [1])[0] for _ in range(2))
    plain = multitask.tune_multitask(tiny_backbone, "coop", settings("coop", SMALL | {"epochs": 2}), manner, tasks, draws, [1])[0]
    assert first.fingerprint() == again.fingerprint() and first.history[0]["loss"] != plain.history[0]["loss"]


def test_a_learner_of_several_tasks_has_no_images_to_crop():
    with pytest.raises(UserError, match=r"^settings\.softcpt\.augmentation: unknown setting"):
        settings("softcpt", {"augmentation": "crops_and_flips"})


def test_the_image_tower_is_counted_in_every_step():
    size = Size((2, 2), train=10, validation=6, test=0, images=0)
    plain, own = (MethodCosts("coop", settings("coop", {"epochs": 3, "batch_size": 4} | more)) for more in ({}, RELEASED | {"epochs": 3}))
    assert (plain.tuning(size, 2)["encode: images"], plain.tuning(size, 2)["tune coop: images"]) == (2 * (10 + 6), 0)
    assert (own.tuning(size, 2)["encode: images"], own.tuning(size, 2)["tune coop: images"]) == (2 * 6, 3 * 2 * 10)
    assert (plain.step([size], 2).images, own.step([size], 2).images) == (0, 8)
