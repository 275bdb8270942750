"""What takes longest is tested first: files are dealt out to the cores, and one core would else wait at the end for the other."""

LONG_FILES = (
    "test_slurm", "test_failures", "test_every_stage_fails", "test_what_changes_touch", "test_study_runs", "test_readme", "test_protocol_studies", "test_interruptions", "test_bad_input",
    "test_few_shot", "test_own_pictures", "test_nasty_names", "test_shared_prompts", "test_other_queues", "test_pretraining",
)  # fmt: skip
LONG_FOLDERS = ("cluster", "workflow", "core")


def pytest_collection_modifyitems(items):
    def place(item):
        file, folder = item.path.stem, item.path.parent.name
        among = LONG_FILES.index(file) if file in LONG_FILES else len(LONG_FILES)
        return among, LONG_FOLDERS.index(folder) if folder in LONG_FOLDERS else len(LONG_FOLDERS)

    items.sort(key=place)
