"""What jobs are said to need is what steps of the code keep, and what they ask a cluster for follows the sizes of tasks and models."""

from dataclasses import replace
from unittest.mock import patch

import pytest
import torch
import torch.nn.functional as F

from promptatlas.backbone import precision as precisions, text, vision
from promptatlas.backbone.classifier import PromptedClassifier
from promptatlas.backbone.untrained import untrained
from promptatlas.methods import settings
from promptatlas.plan.made_up import MadeUp, sized
from promptatlas.runs import session
from promptatlas.study import memory
from promptatlas.study.costs import MethodCosts
from promptatlas.study.sizes import described
from promptatlas.study.study import Study

PUBLISHED = {"backbone": {"model": "ViT-B-16-quickgelu", "pretrained": "openai"}, "benchmark": "elevater"}
MEASURED_PEAK = 941  # MiB, of the job of the default study that took most on a CPU: prompts of UPT


def kept(model, method, classes, batch, learners):
    """Bytes of all that autograd holds after a step has gone forward, weights left out, and what the formula counts in."""
    task, own = MadeUp(sized(classes, batch, 0), model.architecture.image_size), settings(method)
    prompts = single(model, method, own, learners)
    frozen = {one.untyped_storage().data_ptr() for part in (model.text, model.vision) for one in part.parameters()}
    held, sizes = [], {}

    def note(tensor):
        held.append(tensor)
        storage = tensor.untyped_storage()
        sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        classifier = PromptedClassifier(model, task.task.class_names, prompts)
        if prompts.visual is None:
            features = F.normalize(torch.ones(1, batch, model.architecture.embed_dim), dim=-1)
        else:
            features = classifier.image_features(prompts, model.vision.embed(model.vision.read(task.images("train"))).unsqueeze(0))
        _answers = classifier.answer(prompts, features)
    return sum(count for place, count in sizes.items() if place not in frozen), MethodCosts(method, own).step([task.size], learners)


def single(model, method, own, learners):
    from promptatlas.training.learners import BatchedLearners

    return BatchedLearners(method, own, model.architecture, list(range(learners)), model).prompts()


@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_step_keeps_as_much_as_is_foretold(device, precision, monkeypatch):
    """In the form of a GPU, too, run on a CPU."""
    gpu = device == "cuda"
    monkeypatch.setitem(precisions.HALF, "cpu", gpu)
    monkeypatch.setitem(precisions.FOLDED, "cpu", gpu)
    monkeypatch.setitem(vision.FUSED, "cpu", gpu)
    with patch.object(text, "is_accelerator", lambda _: gpu):
        model = untrained("mini", "mini", "cpu", precision)
        towers = memory.Towers.of(model.architecture)
        for method, classes, batch, learners in (("coop", 60, 4, 3), ("coop", 60, 4, 1), ("vpt", 5, 8, 3), ("upt", 5, 8, 2)):
            found, step = kept(model, method, classes, batch, learners)
            assert memory.step_bytes(step, towers, device, precision) == pytest.approx(found, rel=0.2), method


def test_sizes_of_a_model_are_those_of_its_description_and_of_what_is_known_of_it():
    model = untrained("mini", "mini", "cpu")
    assert memory.Towers.described("mini") == memory.Towers.of(model.architecture)
    assert memory.Towers.described("ViT-B-16-quickgelu") == memory.Towers(512, 224, 197, 768, 12, 512, 12)
    assert memory.Towers.described("ViT-B-16").weights / 4 == pytest.approx(149_620_737, rel=0.02)  # parameters as published
    assert memory.Towers.described("RN50").vision_layers == 0
    numbers = sum(one.numel() for part in (model.text, model.vision) for one in part.parameters())
    assert memory.Towers.described("mini").weights / 4 == pytest.approx(numbers, rel=0.05)


# Million parameters of image towers as timm and open_clip build them, without what projects their features.
IMAGE_TOWERS = {
    "EVA02-E-14-plus": 4348.7, "EVA01-g-14": 1011.1, "EVA02-L-14-336": 303.6, "EVA02-B-16": 85.9, "PE-Core-bigG-14-448": 1880.1,
    "PE-Core-L-14-336": 316.1, "PE-Core-T-16-384": 6.0, "ViT-gopt-16-SigLIP2-384": 1163.7, "ViT-SO400M-14-SigLIP-384": 428.2,
    "ViT-B-32-SigLIP2-256": 94.6, "ViTamin-XL-384": 434.7, "ViTamin-L2": 332.5, "ViTamin-S": 21.9, "MobileCLIP2-S4": 318.6,
    "MobileCLIP2-S3": 122.9, "MobileCLIP-S2": 35.2, "convnext_xxlarge": 843.4, "convnext_xlarge": 348.1,
    "convnext_large_d": 196.2, "convnext_base_w": 87.6, "convnext_small": 49.5, "convnext_tiny": 27.8, "swin_base_patch4_window7_224": 86.7,
    "vit_medium_patch16_gap_256": 38.3, "RN50": 38.3, "RN50x64": 420.4, "coca_ViT-L-14": 306.7,
}  # fmt: skip


def test_a_vision_transformer_in_timms_form_counts_as_in_open_clips():
    """MobileCLIP2-L-14's image tower is that of ViT-L-14, but for a bias."""
    timms, ours = (memory.Towers.described(name) for name in ("MobileCLIP2-L-14", "ViT-L-14"))
    assert replace(timms, text_layers=0, text_width=0) == replace(ours, text_layers=0, text_width=0)


def test_image_towers_that_take_no_prompts_count_as_many_weights_as_they_have():
    """Rather too many, but at most 60 million more than half as many again."""
    for name, published in IMAGE_TOWERS.items():
        found = memory.Towers.described(name).image_weights / 1e6
        assert published <= found <= 1.9 * published + 60, (name, found)


def test_tables_of_tokens_have_the_rows_of_their_vocabulary():
    found = memory.Towers.described("ViT-H-14-worldwide")
    assert found.vocabulary == 901_629
    # The image tower of ViT-H-14, 632 million, and a text tower of 302 million beside its table, all as published.
    assert found.weights / 4 == pytest.approx(632e6 + 302e6 + 901_629 * 1024, rel=0.02)


def test_images_have_tokens_in_every_tower_that_takes_visual_prompts():
    found = memory.Towers.described("ViT-L-14-CLIPA")
    assert (found.tokens, found.vision_width, found.vision_layers, found.vocabulary) == (257, 1024, 24, 32_000)
    architecture = replace(untrained("mini", "mini", "cpu").architecture, kind="clipa")
    assert memory.Towers.of(architecture) == memory.Towers.described("mini")


def test_weights_count_as_many_bytes_as_their_file_has(tmp_path):
    study = Study({"results": str(tmp_path)})
    sizes = {task: described(study, task) for task in study.tasks}
    job = study.jobs.tune[0]
    before = memory.host_mib(study, job, sizes)
    study.paths.backbone_folder.mkdir(parents=True)
    with open(study.paths.backbone_files[0], "wb") as file:
        file.truncate(10 * 2**30)  # takes no place on a disk
    assert memory.host_mib(study, job, sizes) - before == pytest.approx(1.25 * 2 * 10 * 1024, rel=0.03)


def asked(study, stage, **which):
    """MiB that jobs of a stage ask for at first, by name."""
    jobs = [job for job in study.jobs.stages[stage] if all(getattr(job, key) == value for key, value in which.items())]
    return {job.name: session.resources(study, stage, job.runs_model, job)["mem_mib"](None, 1) for job in jobs}


def test_small_jobs_ask_for_what_the_configuration_says():
    study = Study({"memory_mib": 500, "device": "cpu"})
    assert {*asked(Study({}), "tune").values(), *asked(Study({}), "probe").values()} == {3000}
    assert all(MEASURED_PEAK < own < 2.5 * MEASURED_PEAK for own in asked(study, "tune").values())


def test_large_tasks_ask_for_more():
    cut = {"prompts_per_job": 1, "targets_per_job": 1}
    on_cpu, on_gpu = (asked(Study(PUBLISHED | {"device": device, "jobs": cut}), "tune", method="vpt") for device in ("cpu", "cuda"))
    # Three prompts of VPT and 32 images: 3 x 32 x 197 tokens x 768 features x 12 layers, 36 bytes each, are 6 GiB beside 2.2 of all else.
    assert 8000 < on_cpu["tune_vpt_cifar_10"] < 12000
    assert on_gpu["tune_vpt_cifar_10"] == 3000 < on_gpu["tune_vpt_country211"]  # 3 x 4,220 images of 150 kB
    large = PUBLISHED | {"backbone": {"model": "ViT-L-14-336", "pretrained": "openai"}, "device": "cuda", "jobs": cut}
    assert asked(Study(large), "tune")["tune_vpt_cifar_10"] > on_gpu["tune_vpt_cifar_10"]


def test_what_is_said_of_a_stage_is_asked_and_a_repeated_job_asks_for_more():
    study = Study(PUBLISHED | {"device": "cpu", "resources": {"tune": {"memory_mib": 700}}})
    assert {*asked(study, "tune").values()} == {700}
    (job,) = (job for job in study.jobs.transfer if job.method == "upt")
    again = session.resources(study, "transfer", True, job)["mem_mib"]
    assert again(None, 3) == 3 * again(None, 1) == 3 * max(3000, memory.host_mib(study, job, study.jobs.sizes))


def test_every_kind_of_job_can_say_what_it_needs():
    every = ["coop", "vpt", "cocoop", "maple", "softcpt", "tip_adapter_f"]
    study = Study({"methods": every, "multitask": "leave_one_out", "joint": "auto", "protocols": ["frozen", "init"]})
    sizes = {task: described(study, task) for task in study.tasks}
    assert all(memory.host_mib(study, job, sizes) >= 1000 for job in study.jobs.compute)
