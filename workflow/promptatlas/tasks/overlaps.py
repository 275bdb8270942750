"""Which tasks share images: the prompt of one may have been trained on what the other is tested with.

Images count as the same when they are equal as prepared, so tasks that are fitted to the model in two ways (`resize`) share
only square images here, and of images that no draw needs nothing is known.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from promptatlas.tasks.base_new import whole_of
from promptatlas.tasks.prepared import DIGEST_BYTES, SPLITS, PreparedTask

COLUMNS = ("source", "target", "shared", "target_images", "tested", "n_test", "source_is_whole", "target_is_whole")
FEW = 3


def overlaps(tasks: Mapping[str, PreparedTask]) -> pd.DataFrame:
    """One row per ordered pair of tasks that share images; base and new classes of one task are no pair.

    shared: how many of the `target_images` different prepared images of the target are images of the source; tested: how
    many of its `n_test` test images are training or validation images of the source; source_is_whole, target_is_whole: whether
    every image of the task is prepared, otherwise there may be more.
    """
    numbers = _numbered(tasks)
    names, count = (
        list(tasks),
        1 + max((int(own.max()) for by_split in numbers.values() for own in by_split.values() if len(own)), default=0),
    )
    there, trained = (np.zeros((len(names), count), dtype=bool) for _ in range(2))
    for row, name in enumerate(names):
        for split, own in numbers[name].items():
            there[row, own] = True
            trained[row, own] |= split != "test"
    whole = {name: _is_whole(task) for name, task in tasks.items()}
    rows = []
    for target_row, target in enumerate(names):
        tested = numbers[target]["test"]
        shared = (there & there[target_row]).sum(axis=1)
        for source_row, source in enumerate(names):
            if shared[source_row] and whole_of(source) != whole_of(target):
                rows.append((
                    source, target, int(shared[source_row]), int(there[target_row].sum()), int(trained[source_row, tested].sum()),
                    len(tested), whole[source], whole[target],
                ))  # fmt: skip
    kinds = dict.fromkeys(COLUMNS[:2], str) | dict.fromkeys(COLUMNS[2:6], int) | dict.fromkeys(COLUMNS[6:], bool)
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(kinds)


def _numbered(tasks: Mapping[str, PreparedTask]) -> dict[str, dict[str, np.ndarray]]:
    """By task and split one number per prepared image, the same for the same images, from 0."""
    places = [(name, split) for name in tasks for split in SPLITS]
    if not places:
        return {}
    digests = [tasks[name].digests(split).reshape(-1, DIGEST_BYTES) for name, split in places]
    _, numbers = np.unique(np.concatenate(digests), axis=0, return_inverse=True)
    parts = np.split(numbers.reshape(-1), np.cumsum([len(part) for part in digests])[:-1])
    found: dict[str, dict[str, np.ndarray]] = {}
    for (name, split), own in zip(places, parts, strict=True):
        found.setdefault(name, {})[split] = own
    return found


def _is_whole(task: PreparedTask) -> bool:
    return all(len(task.index(split)) + len(task.skipped(split)) == len(task.pool_labels(split)) for split in SPLITS)


def notes(table: pd.DataFrame, task: str) -> list[str]:
    """What is to be said of the images that a task shares with others, in a sentence without subject and full stop, if anything."""
    rows = table[table["target"] == task].sort_values(["tested", "shared"], ascending=False, kind="stable")
    parts = [_share(row) for row in rows.itertuples()]
    more = f", and images with {len(parts) - FEW} more tasks" if len(parts) > FEW else ""
    return [f"shares {', '.join(parts[:FEW])}{more}"] if parts else []


def _share(row: Any) -> str:
    if row.shared == row.target_images:
        share = "all its images" if row.target_is_whole else f"all its {row.shared:,} prepared images"
    elif row.source_is_whole and row.target_is_whole:
        share = f"{row.shared:,} of its {row.target_images:,} images"
    else:
        share = f"at least {row.shared:,} of its images"
    tested = f" ({row.tested:,} of its {row.n_test:,} test images are training or validation images there)" if row.tested else ""
    return f"{share} with {row.source}{tested}"
