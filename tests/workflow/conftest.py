"""The tiny study, finished once, of which every process that tests has a copy, and every test that changes it another."""

import shutil
from pathlib import Path

import pytest

import untrained
from once import once
from tiny_study import Finished, begin


def pytest_collection_modifyitems(items):
    """Who needs the small backbone runs a study with it."""
    for item in items:
        if item.path.parent == Path(__file__).parent and "backbone" in item.fixturenames:
            item.add_marker(pytest.mark.study)


@pytest.fixture(scope="session")
def backbone(tmp_path_factory) -> Path:
    return once(tmp_path_factory, "untrained_backbone", untrained.write)


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
