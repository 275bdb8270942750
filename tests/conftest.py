"""What takes longest is tested first: files are dealt out to the cores, and one core would else wait at the end for the other."""

LONGEST = (
    "test_slurm", "test_failures", "test_study_runs", "test_readme", "test_protocol_studies", "test_interruptions", "test_bad_input",
    "test_few_shot", "test_own_pictures", "test_nasty_names", "test_shared_prompts", "test_other_queues", "test_pretraining",
)  # fmt: skip
MINUTES = ("cluster", "workflow", "core")


def pytest_collection_modifyitems(items):
    def place(item):
        file, folder = item.path.stem, item.path.parent.name
        among = LONGEST.index(file) if file in LONGEST else len(LONGEST)
        return among, MINUTES.index(folder) if folder in MINUTES else len(MINUTES)

    items.sort(key=place)
