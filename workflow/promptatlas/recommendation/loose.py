"""Images of a target without any label: those in a folder, and the names of the classes that they may show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from promptatlas.base.errors import UserError
from promptatlas.base.progress import Say
from promptatlas.base.rng import named_rng
from promptatlas.recommendation.labelled import Wanted, describe, opened, shots_of
from promptatlas.study.relative_folders import tidy
from promptatlas.tasks.mini import MINI_TASKS
from promptatlas.tasks.readers import files, others
from promptatlas.tasks.readers.files import Files
from promptatlas.tasks.readers.formats import every
from promptatlas.tasks.task import Task

Classes = Sequence[str | Sequence[str]]
NAMES = "name the classes that they may show, one per line of a text file, with --classes"


@dataclass(frozen=True)
class Loose:
    """Images (N, R, R, 3) uint8, perhaps on disk, fitted to the model by `resize`. available: how many there are; notes: what is to be
    known of them, in sentences without a full stop."""

    task: Task
    images: np.ndarray
    resize: str
    available: int
    notes: tuple[str, ...]

    @property
    def per_class(self) -> float:
        """Images for each class, if all had as many."""
        return len(self.images) / len(self.task.class_names)


def is_loose(path: str | Path) -> bool:
    """Whether a path is a folder that holds images and no folders with images, nor annotations of them, so that nothing tells their
    classes."""
    folder = Path(path).expanduser()
    if not folder.is_dir() or not files.images(folder, deep=False) or every.of({}, folder):
        return False
    return not any(files.images(folder / name) for name in files.folders(folder))


def _described(folder: Path, task: str | None, templates: Sequence[str], classes: Classes) -> tuple[Task, str | None]:
    """What the images may show, and how they are to be fitted where the task says so. UserError where nobody names the classes."""
    if task in MINI_TASKS and not templates and not classes:
        return MINI_TASKS[task].task, "squash"
    entry = describe(folder, task, templates, classes)
    if entry is None or not entry.task.class_names:
        raise UserError(f"the images in {folder} have no labels; {NAMES}, or put them into one folder per class")
    return entry.task, entry.resize


def read(folder: Path, task: str | None, templates: Sequence[str], classes: Classes, scratch: Path, wanted: Wanted, say: Say) -> Loose:
    """As many of all images below `folder` as are wanted for each class, drawn at random. UserError where there are none."""
    folder = tidy(folder.expanduser().absolute())
    if not folder.is_dir():
        raise UserError(f"the folder {folder} does not exist or is a file; give a folder of images")
    about, fitted = _described(folder, task, templates, classes)
    found = files.images(folder)
    if not found:
        raise UserError(f"{folder} holds no images; give a folder of images{others.only(folder)}")
    pool = Files(folder, [file.path for file in found])
    count = min(len(pool), shots_of(wanted, len(about.class_names)) * len(about.class_names))
    rows = np.sort(named_rng("recommend", "unlabelled", wanted.seed).permutation(len(pool))[:count])
    resize = fitted or wanted.resize
    images, _, broken = opened(pool, rows, about.name, resize, wanted, scratch, say)
    return Loose(about, images, resize, len(pool), tuple(broken))
