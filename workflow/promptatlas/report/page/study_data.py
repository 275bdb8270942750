"""What a page takes from a study beside its tables and cells: test labels and small images of its prepared tasks, and where it all is."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from promptatlas.base.errors import Failed, UserError
from promptatlas.report.page import origin, sample_images
from promptatlas.report.page.cell_evidence import Gathered
from promptatlas.runs.asked import Asked
from promptatlas.study.protocols import TEMPLATE
from promptatlas.study.study import Study
from promptatlas.tasks.prepared import PreparedTask


@dataclass(frozen=True)
class StudyData:
    """tasks: those that are prepared here, by name; images: how many training images of each the page has; origin: see
    `origin.of_study`, None for a page of mere tables."""

    tasks: Mapping[str, PreparedTask] = field(default_factory=dict)
    images: int = 0
    origin: dict[str, Any] | None = None

    @classmethod
    def study(cls, study: Study, asked: Asked) -> StudyData:
        tasks = {}
        for name in study.tasks:
            with suppress(Failed, UserError):  # it failed, or the study was copied without it: the page is made all the same
                tasks[name] = PreparedTask.open(study.paths.task_folder(name))
        return cls(tasks, study.config["report"]["images"], origin.of_study(study, asked))

    def labels(self) -> dict[str, np.ndarray]:
        """By task the class numbers (N,) of its test images, where each has one."""
        found = {}
        for name, task in self.tasks.items():
            with suppress(UserError):
                found.update(sample_images.labels_of({name: task}))
        return found

    def shown(self, cells: Gathered, labels: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """By task the rows of the test images that the page has."""
        count = sample_images.TESTED * self.images
        return {
            name: sample_images.disputed(cells.of_target(name), cells.of_target(name, TEMPLATE), own, count, name)
            for name, own in labels.items()
        }

    def thumbnails(self, shown: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """By task its small images; of one whose images are not here there are none."""
        found = {}
        for name, task in self.tasks.items() if self.images else ():
            with suppress(UserError):
                found[name] = sample_images.of_task(task, self.images, shown.get(name, np.array([], dtype=np.int64)))
        return found
