"""What a look at the folders of a study's tasks tells before any job: whether they are there and look like data, and which tasks
carry a name that the catalogue has. Knows nothing of what is in pictures.
"""

from __future__ import annotations

import json

from promptatlas.errors import UserError
from promptatlas.failures import is_hole
from promptatlas.spelling import plain
from promptatlas.study import Study
from promptatlas.tasks import catalogue
from promptatlas.tasks.readers import folder


def wrong(study: Study) -> list[UserError]:
    """One sentence for each task whose folder, or list of pictures, could not be read, unless its pictures were read from there
    earlier and are kept. Data that could be downloaded are none of these.
    """
    return [error for task, error in _odd(study).items() if not _kept(study, task)]


def _odd(study: Study) -> dict[str, UserError]:
    found = {}
    for task in study.real_tasks:
        listed = study.entry(task).sources
        if any(source["reader"] != "folder" for source in listed):
            continue
        try:
            for source in listed:
                folder.glance(source, study.data_root)
        except UserError as error:
            found[task] = UserError(f"task `{task}`: {error}")
    return found


def _kept(study: Study, task: str) -> bool:
    (record,) = study.task_records([task])
    try:
        read_from = json.loads(study.fetched.read_bytes()).get(task)
    except (OSError, ValueError, AttributeError):
        return False
    return read_from in study.entry(task).sources and record.exists() and not is_hole(record)


def remarks(study: Study) -> list[str]:
    """What may be meant otherwise: a folder of one's own under the name of a published task; and which folders are gone."""
    gone = [f"{error}; its pictures as they were prepared earlier are used" for task, error in _odd(study).items() if _kept(study, task)]
    return gone + [
        f"`{plain(task)}` is the published task {catalogue.entry(task).task.title!r}, with its classes, templates and metric, read from "
        f"{about['folder']}; give a task of your own another name"
        for task, about in study.config["data"].items()
        if task in catalogue.published() and "folder" in about
    ]
