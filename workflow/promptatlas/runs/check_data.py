"""What is to be known of a study's images before anything runs on them.

Tasks are prepared as jobs prepare them, small and in a folder that is thrown away, so that what is told here is what a run would tell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from promptatlas.base.errors import UserError
from promptatlas.base.messages import counted
from promptatlas.base.progress import Say
from promptatlas.runs.prepare import needs_of
from promptatlas.study.study import Study
from promptatlas.tasks import catalogue, overlaps, preparation, readers
from promptatlas.tasks.catalogue import TaskEntry
from promptatlas.tasks.decoding import Opened
from promptatlas.tasks.draws import by_class
from promptatlas.tasks.oddities import ADJECTIVES
from promptatlas.tasks.prepared import SPLITS, PreparedTask
from promptatlas.tasks.readers import folder
from promptatlas.tasks.sizes_and_modes import SizesAndModes

SIZE = 32  # pixels, at which images are prepared here: enough to tell them apart


@dataclass
class SeenTask:
    """What a look at one task found. facts and remarks: sentences without a full stop; wrong: why a run would go without the task."""

    name: str
    facts: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        return [
            self.name,
            *(f"  {fact}" for fact in self.facts),
            *(f"  note: {one}" for one in self.remarks),
            *(f"  wrong: {one}" for one in self.wrong),
        ]


@dataclass(frozen=True)
class TaskToSee:
    """A task to look at. sources: where its images may be; needs: what is wanted of it; root: of data sets without a place of their own."""

    entry: TaskEntry
    needs: preparation.Needs
    root: Path


def of_study(study: Study) -> list[TaskToSee]:
    """The tasks of a study that are not embedded."""
    return [TaskToSee(study.data.entry(name), needs_of(study, name, SIZE), study.data.root) for name in study.data.real_tasks]


def of_folders(folders: Mapping[str, Path]) -> list[TaskToSee]:
    """Folders of images, or lists of them, by the names of tasks, as a study without other words takes them. UserError for a name that
    no task can have."""
    needs = preparation.Needs(SIZE, "crop", 16, (1, 2, 3), "coop")
    return [TaskToSee(catalogue.described(name, {"folder": str(path.absolute())}), needs, Path()) for name, path in folders.items()]


def look(tasks: Iterable[TaskToSee], scratch: Path, workers: int, say: Say) -> list[SeenTask]:
    """Look at every task; scratch: a folder that is thrown away; say: what progress is told with."""
    found, prepared = [], {}
    for asked in tasks:
        task = SeenTask(asked.entry.task.name)
        found.append(task)
        source = readers.find(asked.entry.sources, asked.root)
        if why := _odd(asked, source):
            task.wrong.append(why)
            continue
        assert source is not None, "it is odd that there is none"
        place = scratch / task.name
        if images := _prepared(task, asked, source, place, workers, say):
            prepared[task.name] = PreparedTask.open(place)
            task.facts += _facts(prepared[task.name], images)
            task.remarks += prepared[task.name].notes
    shared = overlaps.overlaps(prepared)
    for task in found:
        task.remarks += overlaps.notes(shared, task.name)
    return found


def _odd(asked: TaskToSee, source: dict[str, Any] | None) -> str:
    """Why there is nothing to prepare, as far as names of files and folders tell it."""
    usual = source or asked.entry.sources[0]
    if usual["reader"] == "folder":
        try:
            folder.glance(usual, asked.root)
        except UserError as error:
            return str(error)
    return "" if source else f"its images are not there; {readers.reader(usual).advice(usual, asked.root)}"


def _prepared(task: SeenTask, asked: TaskToSee, source: dict[str, Any], place: Path, workers: int, say: Say) -> Opened | None:
    """Prepare the task and note what is wrong with it. Its images; nothing where there is nothing to look at."""

    def attempt(needs: preparation.Needs, note: Callable[[str], None]) -> Opened:
        def heard(line: str) -> None:
            """Progress goes on; notes of the prepared task are read there."""
            if line.startswith("prepare "):
                say(line)
            elif line.startswith(preparation.NO_PROMPT):
                task.wrong.append(line)
            elif not line.startswith(f"task {task.name}: "):
                note(line)

        return preparation.prepare(asked.entry, source, asked.root, place, needs, workers, heard)

    try:
        return attempt(asked.needs, task.remarks.append)
    except UserError as error:
        task.wrong.append(_without_name(str(error), task.name))
    if asked.needs.broken_pictures == "stop":
        with suppress(UserError):  # images that cannot be read may be all that is wrong
            return attempt(replace(asked.needs, broken_pictures="skip"), lambda _: None)
    return None


def _without_name(text: str, name: str) -> str:
    return text.removeprefix(f"task {name!r}: ").removeprefix(f"task `{name}`: ").rstrip(".")


def _facts(task: PreparedTask, images: Opened) -> list[str]:
    labels = {split: task.pool_labels(split) for split in SPLITS}
    counts = ", ".join(f"{len(labels[split]):,} {ADJECTIVES[split]}" for split in labels)
    facts = [
        f"{len(task.task.class_names):,} classes: {counts} images (split: {task.task.split_source}), scored by {task.task.metric}",
    ]
    if len(labels["train"]):
        facts.append(_per_class(task, labels["train"]))
    opened = sum(len(task.index(split)) + len(task.skipped(split)) for split in labels)
    every = sum(map(len, labels.values()))
    if opened < every:
        facts.append(f"{opened:,} of {every:,} images were opened, those that the study needs")
    sizes = SizesAndModes.of(images.files()).words()
    return facts + ([sizes] if sizes else [])


def _per_class(task: PreparedTask, labels: np.ndarray) -> str:
    counts, names = by_class(labels, len(task.task.class_names)), task.task.class_names
    few, many = int(np.argmin(counts)), int(np.argmax(counts))
    if counts[few] == counts[many]:
        return f"{counted(int(counts[few]), 'training image')} of each class"
    return f"{counts[few]:,} ({names[few]}) to {counts[many]:,} ({names[many]}) training images of a class"
