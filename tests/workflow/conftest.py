"""The tiny study, finished once, of which every process that tests has a copy, and every test that changes it another."""

import shutil
from pathlib import Path

import pytest

from once import once
from tiny_study import Finished, begin

VISION = {"image_size": 32, "patch_size": 16, "width": 64, "layers": 1, "head_width": 32}
TEXT = {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 1}


def pytest_collection_modifyitems(items):
    """Who needs the small backbone runs a study with it."""
    for item in items:
        if item.path.parent == Path(__file__).parent and "backbone" in item.fixturenames:
            item.add_marker(pytest.mark.study)


@pytest.fixture(scope="session")
def backbone(tmp_path_factory) -> Path:
    """An untrained CLIP of two layers: what it answers does not matter here."""
    return once(tmp_path_factory, "backbone", untrained)


def untrained(folder: Path) -> None:
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
    folder.mkdir()
    export.write(architecture, model.state_dict(), folder)


@pytest.fixture(scope="session")
def finished(tmp_path_factory, backbone) -> Finished:
    """The finished study, as a user comes to it: every start is real. Not to be changed."""
    made = once(tmp_path_factory, "finished", lambda folder: begin(folder, backbone).started_for_real().run())
    folder = tmp_path_factory.mktemp("copy") / "study"
    shutil.copytree(made, folder)
    return Finished(folder)


@pytest.fixture
def study(finished, tmp_path) -> Finished:
    """A copy of the finished study that a test may change."""
    shutil.copytree(finished.folder, tmp_path / "study")
    return Finished(tmp_path / "study")
