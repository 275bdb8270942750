"""In which order and in which groups tests are dealt out to the processes of xdist, and what a test may start.

Also the small models that tests of several packages share.
"""

import ctypes
import gc
import sys

import pytest

import browser
import starts
from tiers import Guard

# What takes longest comes first: one process would else wait at the end for the other.
LONG_FILES = (
    "test_slurm", "test_interruptions", "test_failures", "test_study_runs", "test_what_changes_touch", "test_readme",
    "test_every_stage_fails", "test_protocol_studies", "test_own_images", "test_few_shot", "test_shared_prompts", "test_plugins",
    "test_bad_input", "test_nasty_names", "test_other_queues", "test_taken_prompts", "test_methods_compared", "test_pretraining",
)  # fmt: skip
LONG_FOLDERS = ("cluster", "workflow", "training", "runs", "methods", "backbone", "exchange")
# The tests of a file stay together, as they share what the file has made; each of these makes its own.
ALONE = {"test_failures", "test_study_runs", "test_bad_input", "test_interruptions", "test_interrupted", "test_provenance", "test_plan"}

TRIM = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None  # of glibc


def pytest_configure(config):
    config.pluginmanager.register(Guard(), "guard of the tiers")


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """What is imported and collected stays to the end: not looked through for garbage, neither meanwhile nor with every later search."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_sessionfinish():
    gc.unfreeze()


def pytest_collection_modifyitems(items):
    def place(item):
        file, folder = item.path.stem, item.path.parent.name
        among = LONG_FILES.index(file) if file in LONG_FILES else len(LONG_FILES)
        return among, LONG_FOLDERS.index(folder) if folder in LONG_FOLDERS else len(LONG_FOLDERS)

    items.sort(key=place)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Files as a whole, but for those whose tests stand alone."""
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return nodeid if file.rpartition("/")[2].removesuffix(".py") in ALONE else file

    return Scheduling(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.fixture(scope="session", autouse=True)
def server():
    """What the tests start are forks of it."""
    with starts.serving():
        yield


@pytest.fixture(scope="module", autouse=True)
def freed_memory():
    """What a file has freed goes back to the system: below what stays, such as compiled kernels, a heap does not shrink by itself."""
    yield
    if TRIM:
        TRIM(0)


@pytest.fixture(scope="module", autouse=True)
def one_browser():
    """Of all tests of a file, if one needs it."""
    yield
    browser.BROWSER.stop()


@pytest.fixture
def show():
    with browser.pages() as show:
        yield show


@pytest.fixture(scope="session", params=[False, True], ids=["gelu", "quick_gelu"])
def tiny(request, tmp_path_factory):
    """A random small CLIP in open_clip's form and in ours."""
    from twins import TINY, twin

    return twin(TINY | {"quick_gelu": request.param}, tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def tiny_backbone(tmp_path_factory):
    from twins import TINY, twin

    return twin(TINY | {"quick_gelu": False}, tmp_path_factory.mktemp("tiny"))[1]
