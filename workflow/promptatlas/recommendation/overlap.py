"""Prompts that were trained on the target itself: on its own images their score is no surprise, and says nothing of new ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from promptatlas.base.errors import UserError
from promptatlas.exchange import image_hashes
from promptatlas.recommendation.candidates import CandidateFile, Found, Place, named
from promptatlas.study.paths import Paths
from promptatlas.tasks.prepared import digests
from promptatlas.tasks.task import Task

OWN = "trained on the target itself, so that its score on these images says nothing"


def leave_out_own(found: Found, target: Task, images: np.ndarray, known: bool) -> None:
    """Leave out the prompts of the target's own task: by name where it is `known`, and by the images where their hashes are at hand. Where
    they are not, though the classes are the target's, `unseen` of `found` has the name.

    UserError if that are all.
    """
    own, hashes = {*_bytes(digests(np.asarray(images)))}, _Hashes(found.places)
    kept = []
    for file in found.files:
        of_name = known and target.name in file.tasks
        alike = file.card["class_names"] == list(target.class_names)
        seen, all_seen = hashes.of(file) if alike and not of_name else (set[bytes](), True)
        if of_name or not own.isdisjoint(seen):
            found.leave_out(named(file), OWN)
            continue
        kept.append(file)
        if not all_seen:
            found.unseen.append(named(file))
    if not kept:
        raise UserError(f"all prompts were trained on {target.name!r} itself; use them as they are, or name prompts of other tasks")
    found.files = kept


class _Hashes:
    """Of the training and validation images of tasks, in studies where these lie prepared and in atlases; each is read once."""

    def __init__(self, places: Sequence[Place]) -> None:
        self._places = places
        self._read = dict[tuple[str, str], set[bytes] | None]()

    def of(self, file: CandidateFile) -> tuple[set[bytes], bool]:
        """Of the images that a prompt may have been trained on, and whether that are all: no task of its own is unknown, or not at hand."""
        every = [self._of_task(file.place, task) for task in file.tasks]
        there = [hashes for hashes in every if hashes is not None]
        return set[bytes]().union(*there), bool(every) and len(there) == len(every)

    def _of_task(self, place: str, task: str) -> set[bytes] | None:
        if (place, task) not in self._read:
            of_name = (_at(one, task) for one in self._places if one.name == place)
            there = [{*_bytes(hashes)} for hashes in of_name if hashes is not None]
            self._read[place, task] = set[bytes]().union(*there) if there else None
        return self._read[place, task]


def _at(place: Place, task: str) -> np.ndarray | None:
    return place.image_hashes.get(task) if place.given.is_file() else image_hashes.of_task(Paths.at(place.given), task)


def _bytes(rows: np.ndarray) -> Iterable[bytes]:
    return (row.tobytes() for row in np.ascontiguousarray(rows))
