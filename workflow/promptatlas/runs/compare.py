"""How close a study's tasks are, by the measures that its configuration lists."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from promptatlas.base.errors import Failed
from promptatlas.evaluation import similarity
from promptatlas.records.prompt_file import TunedPrompt
from promptatlas.runs import comparable
from promptatlas.study.study import Study
from promptatlas.tasks.prepared import PreparedTask

if TYPE_CHECKING:
    import pandas as pd


def table(study: Study) -> pd.DataFrame:
    """The table `similarity`; what failed has no rows or no values. Labels and prompts are read if a measure needs them."""
    names = study.config["similarity"]
    needs, tasks = similarity.needs(names), comparable.all_comparable(study)
    if "labels" in needs:
        tasks = {name: (task, encoded | {"labels_train": _labels(study, name)}) for name, (task, encoded) in tasks.items()}
    return similarity.compute(tasks, names, _prompts(study) if "prompts" in needs else None)


def _labels(study: Study, name: str) -> np.ndarray:
    """Of the training images by which tasks are compared: class numbers (N,) or marks (N, C)."""
    task = PreparedTask.open(study.paths.task_folder(name))
    return task.labels("train")[task.reference()]


def _prompts(study: Study) -> dict[tuple[str, int], dict[str, dict[str, np.ndarray]]]:
    """(method, seed) -> task -> the arrays that enter the towers, of the prompts that were trained."""
    found: dict[tuple[str, int], dict[str, dict[str, np.ndarray]]] = defaultdict(dict)
    for job in study.jobs.tune:
        for seed in job.seeds:
            for task in job.tasks:
                with suppress(Failed):
                    prompts = TunedPrompt.load(study.paths.prompt(job.method, seed, task))[0].prompts
                    found[job.method, seed][task] = {name: tensor.numpy() for name, tensor in prompts.tensors().items()}
    return dict(found)
