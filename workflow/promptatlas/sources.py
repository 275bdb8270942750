"""What a look at the folders of a study's tasks tells before any job: whether they are there and look like data, and which tasks
carry a name that the catalogue has. Knows nothing of what is in pictures.
"""

from __future__ import annotations

from promptatlas import changes
from promptatlas.errors import UserError
from promptatlas.spelling import plain
from promptatlas.study import Study
from promptatlas.tasks import catalogue
from promptatlas.tasks.readers import folder

GIVEN = {"folder", "root"}  # keys under `data` that say where the images are


def wrong(study: Study) -> list[UserError]:
    """One sentence for each task whose folder, or list of pictures, could not be read, unless its pictures were read from there
    earlier and are kept. Data that could be downloaded, or that the catalogue places below `data_root`, are none of these.
    """
    return [error for task, error in _odd(study).items() if not _kept(study, task)]


def _odd(study: Study) -> dict[str, UserError]:
    found = {}
    for task in study.real_tasks:
        listed = study.entry(task).sources
        if not GIVEN & study.config["data"].get(task, {}).keys() or any(source["reader"] != "folder" for source in listed):
            continue
        try:
            for source in listed:
                folder.glance(source, study.data_root)
        except UserError as error:
            found[task] = UserError(f"task `{task}`: {error}")
    return found


def _kept(study: Study, task: str) -> bool:
    return (
        study.source(task) is not None
        and study.found[task]["place"] == changes.place(study, task)
        and changes.is_prepared(study, task)
    )


def remarks(study: Study) -> list[str]:
    """What may be meant otherwise: a folder of one's own under the name of a published task; and which folders are gone."""
    gone = [f"{error}; its pictures as they were prepared earlier are used" for task, error in _odd(study).items() if _kept(study, task)]
    return gone + [
        f"`{plain(task)}` is the published task {catalogue.entry(task).task.title!r}, with its classes, templates and metric, read from "
        f"{about['folder']}; give a task of your own another name"
        for task, about in study.config["data"].items()
        if task in catalogue.published() and "folder" in about
    ]
