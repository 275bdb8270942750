"""What takes longest is tested first: with a file of tests per core, one core would else wait at the end for the other."""

LONGEST = ("cluster", "workflow", "core")


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: LONGEST.index(item.path.parent.name) if item.path.parent.name in LONGEST else len(LONGEST))
