"""The tiny study, finished once per session and copied by every test that changes it."""

import shutil
from pathlib import Path

import pytest

import starts
from tiny_study import Finished, begin

VISION = {"image_size": 32, "patch_size": 16, "width": 64, "layers": 1, "head_width": 32}
TEXT = {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 1}


@pytest.fixture(scope="session", autouse=True)
def server():
    """What the tests start are forks of it."""
    with starts.serving():
        yield


@pytest.fixture(scope="session")
def backbone(tmp_path_factory) -> Path:
    """An untrained CLIP of two layers: what it answers does not matter here."""
    import torch

    from promptatlas.backbone import export
    from promptatlas.backbone.architecture import Architecture

    torch.manual_seed(0)
    model = export.open_clip_model({"embed_dim": 32, "vision_cfg": VISION, "text_cfg": TEXT, "quick_gelu": False})
    architecture = Architecture(
        name="mini", pretrained="mini", embed_dim=32, quick_gelu=False, image_size=32, patch_size=16,
        vision_width=64, vision_layers=1, vision_heads=2, text_width=64, text_layers=1, text_heads=2,
        context_length=77, mean=(0.5,) * 3, std=(0.5,) * 3,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("backbone")
    export.write(architecture, model.state_dict(), folder)
    return folder


@pytest.fixture(scope="session")
def finished(tmp_path_factory, backbone) -> Finished:
    """The finished study, as a user comes to it: every start is real. Not to be changed."""
    study = begin(tmp_path_factory.mktemp("finished"), backbone)
    study.started_for_real().run()
    return study


@pytest.fixture
def study(finished, tmp_path) -> Finished:
    """A copy of the finished study that a test may change."""
    shutil.copytree(finished.folder, tmp_path / "study")
    return Finished(tmp_path / "study")
