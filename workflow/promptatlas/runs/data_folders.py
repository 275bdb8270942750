"""What a look at the folders of a study's tasks tells before any job: whether they are there and look like data, and which tasks
carry a name that the catalogue has.
"""

from __future__ import annotations

from promptatlas.base.errors import UserError
from promptatlas.base.messages import plain
from promptatlas.runs import changes
from promptatlas.study.study import Study
from promptatlas.tasks import catalogue
from promptatlas.tasks.labels import fitting
from promptatlas.tasks.readers import folder

GIVEN = {"folder", "root"}  # keys under `data` that say where the images are


def wrong(study: Study) -> list[UserError]:
    """One sentence for each task whose folder, or list of images, could not be read, unless its images were read from there
    earlier and are kept. Data that could be downloaded, or that the catalogue places below `data_root`, are none of these.
    """
    odd = _odd(study)
    return [error for task, error in odd.items() if not _kept(study, task)] + _misfits(
        study, [task for task in _own(study) if task not in odd]
    )


def _own(study: Study) -> list[str]:
    """Tasks whose images are in folders that the configuration names."""
    return [
        task for task in study.data.real_tasks
        if GIVEN & study.config["data"].get(task, {}).keys()
        and all(source["reader"] == "folder" for source in study.data.entry(task).sources)
    ]  # fmt: skip


def _misfits(study: Study, tasks: list[str]) -> list[UserError]:
    """One sentence for each task whose classes, as folders or a list name them, are not those that are described, or not what the
    metric wants; and for a list that is broken. No image is opened, nor looked for."""
    found = []
    for task in tasks:
        entry = study.data.entry(task)
        try:
            for source in entry.sources:
                if known := folder.classes(source, study.data.root):
                    fitting(entry, *known)
        except UserError as error:
            found.append(error if task in str(error) else UserError(f"task `{task}`: {error}"))
    return found


def _odd(study: Study) -> dict[str, UserError]:
    found = {}
    for task in _own(study):
        try:
            for source in study.data.entry(task).sources:
                folder.glance(source, study.data.root)
        except UserError as error:
            found[task] = UserError(f"task `{task}`: {error}")
    return found


def _kept(study: Study, task: str) -> bool:
    return (
        study.data.source(task) is not None
        and (study.data.found or {})[task]["place"] == changes.place(study, task)
        and changes.is_prepared(study, task)
    )


def remarks(study: Study) -> list[str]:
    """What may be meant otherwise: a folder of one's own under the name of a published task; and which folders are gone."""
    gone = [f"{error}; its images as they were prepared earlier are used" for task, error in _odd(study).items() if _kept(study, task)]
    return gone + [
        f"`{plain(task)}` is the published task {catalogue.entry(task).task.title!r}, with its classes, templates and metric, read from "
        f"{about['folder']}; give a task of your own another name"
        for task, about in study.config["data"].items()
        if task in catalogue.published() and "folder" in about
    ]
