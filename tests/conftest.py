"""What takes longest is tested first: files are dealt out to the cores, and one core would else wait at the end for the other.

Also the small models that tests of several packages share.
"""

import pytest

LONG_FILES = (
    "test_slurm", "test_failures", "test_every_stage_fails", "test_what_changes_touch", "test_study_runs", "test_readme",
    "test_protocol_studies", "test_interruptions", "test_bad_input", "test_few_shot", "test_own_pictures", "test_nasty_names",
    "test_shared_prompts", "test_other_queues", "test_pretraining",
)  # fmt: skip
LONG_FOLDERS = ("cluster", "workflow", "training", "runs", "methods", "backbone", "exchange")


def pytest_collection_modifyitems(items):
    def place(item):
        file, folder = item.path.stem, item.path.parent.name
        among = LONG_FILES.index(file) if file in LONG_FILES else len(LONG_FILES)
        return among, LONG_FOLDERS.index(folder) if folder in LONG_FOLDERS else len(LONG_FOLDERS)

    items.sort(key=place)


@pytest.fixture(scope="session", params=[False, True], ids=["gelu", "quick_gelu"])
def tiny(request, tmp_path_factory):
    """A random small CLIP in open_clip's form and in ours."""
    from twins import TINY, twin

    return twin(TINY | {"quick_gelu": request.param}, tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def tiny_backbone(tmp_path_factory):
    from twins import TINY, twin

    return twin(TINY | {"quick_gelu": False}, tmp_path_factory.mktemp("tiny"))[1]
