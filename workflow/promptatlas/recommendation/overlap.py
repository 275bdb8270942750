"""Prompts that were trained on the target itself: on its own images their score is no surprise, and says nothing of new ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from promptatlas.base.errors import UserError
from promptatlas.recommendation.candidates import CandidateFile, Found
from promptatlas.study.paths import Paths
from promptatlas.tasks.prepared import PreparedTask, digests
from promptatlas.tasks.task import Task

OWN = "trained on the target itself, so that its score on these images says nothing"


def leave_out_own(found: Found, target: Task, images: np.ndarray, known: bool) -> None:
    """Leave out the prompts of the target's own task: by name where it is `known`, and in studies whose images are at hand by these.

    UserError if that are all.
    """
    own, seen = {*_bytes(digests(np.asarray(images)))}, dict[tuple[str, str], bool]()
    folders = {place.name: Paths.at(place.given) for place in found.places}
    kept = []
    for file in found.files:
        named = known and target.name in file.tasks
        alike = not named and file.card["class_names"] == list(target.class_names) and _shares(file, folders, own, seen)
        if named or alike:
            found.leave_out(f"{file.place}: {file.called}", OWN)
        else:
            kept.append(file)
    if not kept:
        raise UserError(f"all prompts were trained on {target.name!r} itself; use them as they are, or name prompts of other tasks")
    found.files = kept


def _shares(file: CandidateFile, folders: Mapping[str, Paths], own: set[bytes], seen: dict[tuple[str, str], bool]) -> bool:
    """Whether a task that a prompt was trained on has some of the target's images among those that it may be trained on."""
    for task in file.tasks:
        if (file.place, task) not in seen:
            seen[file.place, task] = not own.isdisjoint(_prepared(folders[file.place], task))
    return any(seen[file.place, task] for task in file.tasks)


def _prepared(paths: Paths, task: str) -> set[bytes]:
    """Digests of the training and validation images of a task that lies prepared in a study; none if it does not."""
    folder = paths.task_folder(task)
    if not (folder / "task.json").is_file():
        return set()
    try:
        prepared = PreparedTask.open(folder)
        return {*_bytes(prepared.digests("train")), *_bytes(prepared.digests("validation"))}
    except UserError:
        return set()


def _bytes(rows: np.ndarray) -> Iterable[bytes]:
    return (row.tobytes() for row in np.ascontiguousarray(rows))
