"""What of a study's data is no longer what it was prepared from: source files, descriptions of tasks, and what the study wants of
them, input by input. Everything is known from notes beside what was prepared and a look at the sources, whatever Snakemake
remembers. Reads only; knows nothing of torch, nor of what follows from a change.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from promptatlas.backbone.kinds import LOCAL
from promptatlas.base.errors import UserError
from promptatlas.base.messages import plain
from promptatlas.base.version import NUMERICS_VERSION
from promptatlas.records.fingerprint import digest
from promptatlas.runs.failures import is_failed
from promptatlas.study.study import Study
from promptatlas.tasks import readers, seen, upright
from promptatlas.tasks.catalogue import TaskEntry
from promptatlas.tasks.readers.files import EXTENSIONS
from promptatlas.tasks.seen import Seen

# Where a source is, as against what it is: the same files elsewhere are no change.
PLACES = ("path", "manifest", "root")
IMAGES, LABELS, FOLDER = "image files", "label files", "folder"
DESCRIBED = ("templates", "metric", "title", "family")  # known without reading any image or label


@dataclass(frozen=True)
class Change:
    """What differs of one task. inputs: name -> details, or ""; later: files that only have other times; gone: whether the source
    files are not there any more; mark: changes when any of it does.
    """

    inputs: Mapping[str, str] = field(default_factory=dict)
    later: Mapping[str, Seen] = field(default_factory=dict)
    gone: bool = False
    mark: str = ""

    @property
    def told(self) -> list[str]:
        return [f"{what} ({details})" if details else what for what, details in self.inputs.items()]


def of_configuration(study: Study) -> list[str]:
    """The keys that say something else than when the tables were made; none if that is not known."""
    try:
        before = json.loads(study.paths.resolved_config.read_bytes())
        now = json.loads(json.dumps(study.description))
        return sorted(key for key in {*before, *now} if before.get(key) != now.get(key))
    except (OSError, ValueError, AttributeError, TypeError):
        return []


def of_tasks(study: Study) -> dict[str, Change]:
    """By name how each real task differs from what it was prepared from."""
    return {task: of_task(study, task) for task in study.data.real_tasks}


def is_prepared(study: Study, task: str) -> bool:
    (record,) = study.paths.task_records([task])
    return record.exists() and not is_failed(record)


def of_task(study: Study, task: str) -> Change:
    note, source = seen.read(study.paths.made_from(task)), study.data.source(task)
    if source is None:
        return Change({"source": "to be found anew"}, mark=sought(study.data.entry(task)))
    described = description(study, task, source)
    try:
        files = look(source, study.data.root)
    except UserError as error:
        return Change({FOLDER: str(error)}, mark=digest([described, str(error)]))
    if note is None:
        return Change({"what it was prepared from": "not noted"}, mark=_mark(described, files))
    change = compared(note, described, place(study, task), files)
    return replace(change, mark=_mark(described, files) if change.inputs else note["mark"])


def _mark(described: Mapping[str, str], files: seen.Look | None) -> str:
    """Changes with whatever differs."""
    return digest([dict(described), sorted((name, *file[1:]) for name, file in (files or {}).items())])


def compared(note: Mapping[str, Any], described: Mapping[str, str], where: list[str], files: seen.Look | None) -> Change:
    """note: as `noted` made it; described, where and files: as `description`, `place` and `look` give them now."""
    old = note.get("description", {})
    inputs = dict.fromkeys((what for what in described if old.get(what) != described[what]), "")
    if files is None and note.get("place") == where:
        return Change(inputs, gone=True)
    if files is None:
        return Change(inputs | {FOLDER: f"{' and '.join(where)} is not there"})
    found, later = seen.differences(note, files)
    for what, mine in ((IMAGES, is_image), (LABELS, lambda name: not is_image(name))):
        if some := {name: what for name, what in found.items() if mine(name)}:
            inputs[what] = seen.counted(some)
    return Change(inputs, later)


def is_image(name: str) -> bool:
    return name.lower().endswith((*EXTENSIONS, "/"))


def look(source: Mapping[str, Any], data_root: Path) -> seen.Look | None:
    """The files of a source; None if it is not there."""
    reader = readers.reader(dict(source))
    if source["reader"] == "torchvision":  # whose `present` may import torch
        return reader.look(source, data_root) or None
    return reader.look(source, data_root) if reader.present(source, data_root) else None


def place(study: Study, task: str, source: Mapping[str, Any] | None = None) -> list[str]:
    """Where a source of a task, or the one that was found, is: as it is written in the configuration or in the catalogue."""
    given, source = study.config["data"].get(task, {}), source or study.data.source(task) or {}
    written = [str(given[key]) for key in ("folder", "root") if key in given]
    return written or [str(source[key]) for key in PLACES if key in source]


def description(study: Study, task: str, source: Mapping[str, Any]) -> dict[str, str]:
    """Everything but files that decides what is prepared of a task, each as a short text or a hash.

    Of the places the last name counts: images that are divided by promptatlas are divided by it.
    """
    entry = study.data.entry(task)
    names = [Path(one).name for one in place(study, task)]
    about = {key: value for key, value in source.items() if key not in (*PLACES, "splits", "redraw", "classes")}
    about |= readers.code(dict(source))
    values = {
        "templates": entry.task.templates,
        "metric": entry.task.metric,
        "classes": [entry.task.class_names, entry.spellings, source.get("classes")],
        "title": entry.task.title,
        "family": entry.task.family,
        FOLDER: names,
        "splits": [source.get("splits"), source.get("redraw")],
        "source": [about, *(key for key in PLACES if key in source)],
        "resize": entry.resize or study.config["resize"],
        "shots": study.shots_of(task),
        "seeds": study.seeds,
        "draw": study.config["draw"],
        "test_pictures": study.config["test_pictures"],
        "broken_pictures": study.config["broken_pictures"],
        "backbone": _image_size(study),
        "library numerics": [upright.VERSION, NUMERICS_VERSION],
    }
    if study.backbone.interpolation != "bicubic":
        values["interpolation"] = study.backbone.interpolation
    if study.choice:
        values["choice"] = [len(study.choice.draws), max(study.choice.shots)]
    return {what: digest(value) for what, value in values.items()}


def _image_size(study: Study) -> int | None:
    try:
        return json.loads(study.paths.architecture.read_bytes())["image_size"]
    except (OSError, ValueError, LookupError, TypeError):
        return None


def noted(files: seen.Look, prepared: set[str], described: Mapping[str, str], where: list[str], mark: str) -> dict[str, Any]:
    """What to remember of a task. prepared: what the images are called that were read; of images that are no files, in archives,
    every file counts; mark: of the look for which it was prepared.
    """
    archived = prepared.isdisjoint(file.path for file in files.values())

    def used(name: str, file: Seen) -> bool:
        return archived or file.path in prepared or not is_image(name)

    return {"mark": mark, "place": where, "description": dict(described), **seen.noted(files, used)}


def of_backbone(study: Study) -> Change:
    """How the files that the frozen model was made from differ. One without a note, put there by others, is taken as it is."""
    note, files = seen.read(study.paths.backbone_made_from), _backbone_files(study)
    described = _backbone_description(study)
    mark = digest([described, sorted((name, *file[1:]) for name, file in files.items())])
    if note is None:
        return Change(mark=mark)
    found, later = seen.differences(note, files)
    inputs = {"backbone file": seen.counted(found)} if found else {}
    inputs |= {} if _is_same(note.get("description", []), described) else {"backbone": ""}
    return Change(inputs, later, mark=mark if inputs else note["mark"])


def backbone_is_given(study: Study) -> bool:
    """Whether the frozen model is there without a note of what it was made from."""
    return (
        all(path.exists() for path in (*study.paths.backbone_files, study.paths.backbone_record))
        and seen.read(study.paths.backbone_made_from) is None
    )


def note_backbone(study: Study, mark: str) -> None:
    note = {"mark": mark, "description": _backbone_description(study), **seen.noted(_backbone_files(study))}
    seen.write(study.paths.backbone_made_from, note)


def _backbone_files(study: Study) -> seen.Look:
    found = {path.name: seen.single(path) for path in study.backbone.sources}
    return {name: file for name, file in found.items() if file}


def _backbone_description(study: Study) -> list[str]:
    """Names of published weights and, if they are on the hub, their commit, where it is known; files count by what is in them, wherever
    they are."""
    model, pretrained = study.config["backbone"]["model"], study.config["backbone"]["pretrained"]
    named = [LOCAL if model.startswith(LOCAL) else model, "" if study.backbone.sources else pretrained]
    return [*named, study.backbone.commit] if study.backbone.commit else named


def _is_same(noted: list[str], described: list[str]) -> bool:
    """A commit counts where both know it: older notes have none, and a machine without the hub's cache knows none."""
    return noted[:2] == described[:2] and (noted[2:] == described[2:] or not (noted[2:] and described[2:]))


def of_fetched(study: Study) -> str:
    """A mark that changes when other data, or other weights, have to be found or fetched than were found before."""
    found, wanted = study.data.found, {name: sought(study.data.entry(name)) for name in study.data.real_tasks}
    elsewhere = [
        place(study, name) for name in wanted
        if found and name in found and found[name].get("of") == wanted[name] and not _still(study, name, found[name])
    ]  # fmt: skip
    return digest([wanted, elsewhere, study.config["backbone"] if study.backbone.is_published else None])


def _still(study: Study, name: str, found: Mapping[str, Any]) -> bool:
    """Whether the data of a task are in the place where they were, or are gone from where they still should be."""
    source = study.data.source(name)
    return source is not None and (found.get("place") == place(study, name) or look(source, study.data.root) is not None)


def sought(entry: TaskEntry) -> str:
    """Hash of all sources of a task but for their places."""
    return digest([{key: value for key, value in source.items() if key not in PLACES} for source in entry.sources])


def refresh(study: Study, found: Mapping[str, Change], backbone: Change) -> None:
    """Note the new times of files that are the same."""
    notes = [(study.paths.made_from(task), change) for task, change in found.items()] + [(study.paths.backbone_made_from, backbone)]
    for path, change in notes:
        if change.later and not change.inputs:
            note = seen.read(path)
            assert note is not None, "times differ from those of a note"
            seen.write(path, seen.with_times(note, change.later))


def _source(study: Study, task: str) -> dict[str, Any]:
    """The source of a task that has one."""
    source = study.data.source(task)
    assert source is not None
    return source


def told(study: Study, found: Mapping[str, Change]) -> list[str]:
    """A line for each task that was prepared and is prepared again, or whose data set is gone; of folders `data_folders` tells that."""
    known = {task: change for task, change in found.items() if is_prepared(study, task)}
    lines = [
        f"task {plain(task)} is prepared again, because of {', '.join(change.told)}"
        for task, change in known.items() if change.inputs
    ]  # fmt: skip
    return lines + [
        f"the data set of task {plain(task)} is not there any more; its images as they were prepared earlier are used"
        for task, change in known.items() if change.gone and not change.inputs and _source(study, task)["reader"] != "folder"
    ]  # fmt: skip
