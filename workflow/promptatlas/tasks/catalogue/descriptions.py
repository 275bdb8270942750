"""Tasks as a study's configuration describes them: one's own, or what differs from the catalogue."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from promptatlas.base.errors import UserError
from promptatlas.base.messages import shown, suggest
from promptatlas.tasks import metrics
from promptatlas.tasks.catalogue.checking import check
from promptatlas.tasks.catalogue.entry import TaskEntry, from_record

OWN_TEMPLATES = ("a photo of a {}.",)
# how a tree, a list or another format is read, as against where it is
LAYOUT = ("splits", "redraw", "format", "label", "image")
LISTS = (".json", ".csv")


def own(name: str, description: Mapping[str, Any]) -> TaskEntry:
    """A user's own task.

    `folder` is a tree of images, a manifest (.json or .csv), whose images lie in `root` or beside it, or data of another format; or
    `source` is a source of any reader. Unless `classes` are given, their names are unknown until the images are read
    (`TaskEntry.with_classes`).
    """
    check(description, "own", f"the description of task `{name}`")
    defaults = {"title": name, "family": "own", "metric": metrics.ONE_CLASS, "templates": OWN_TEMPLATES, "licence": "your own"}
    layout = {key: description[key] for key in LAYOUT if key in description}
    source = description["source"] if "source" in description else _folder(description)
    entry = from_record(name, defaults | {**description, "sources": [source | layout]})
    return replace(entry, metric_given="metric" in description)


def override(entry: TaskEntry, description: Mapping[str, Any]) -> TaskEntry:
    """`entry` with what the user wants otherwise: another source, fewer classes, templates, or size of images.

    With classes or templates of one's own there is no expected score.
    """
    check(description, "override", f"the description of task `{entry.task.name}`")
    entry = replace(entry, sources=_sources(entry, description), resize=description.get("resize", entry.resize))
    if "classes" in description:
        entry = _part(entry, description["classes"])
    if "templates" in description:
        task = replace(entry.task, templates=tuple(description["templates"]))
        entry = replace(entry, task=task, expected_zero_shot={})
    return entry


def _part(entry: TaskEntry, classes: Sequence[str]) -> TaskEntry:
    """The task of some of the classes, for data that hold no others."""
    unknown = [name for name in classes if name not in entry.task.class_names]
    if unknown:
        hint = suggest(unknown[0], entry.task.class_names)
        raise UserError(f"`classes` of task `{entry.task.name}`: {shown(unknown[0])} is none of its classes; {hint}")
    spellings = {spelling: name for spelling, name in entry.spellings.items() if name in classes}
    return replace(entry, task=replace(entry.task, class_names=tuple(classes)), spellings=spellings, sizes={}, expected_zero_shot={})


def _sources(entry: TaskEntry, description: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    if "folder" in description:
        usual = next((source for source in entry.sources if source["reader"] == "folder"), {})
        # a tree elsewhere is divided as the catalogue says, unless the user says how; a manifest divides by itself
        layout = {} if _is_manifest(description) else {key: usual[key] for key in LAYOUT if key in usual}
        given = {key: description[key] for key in LAYOUT if key in description}
        return (_folder(description) | (given or layout),)
    wanted = description.get("source") or ("huggingface" if {"repository", "revision"} & set(description) else None)
    sources = [source for source in entry.sources if wanted in (None, source["reader"])]
    if not sources:
        known = ", ".join(dict.fromkeys(source["reader"] for source in entry.sources))
        raise UserError(f"task `{entry.task.name}` has no source of reader {wanted}; known are {known}, or give its `folder`")
    given = {key: description[key] for key in ("repository", "revision") if key in description}
    if given:
        # the other mirrors of the task have columns and splits of their own
        sources = [sources[0] | ({"revision": "main"} if "repository" in given else {}) | given]
    if "root" in description:
        sources = [source | {"root": description["root"]} for source in sources if source["reader"] == "torchvision"]
        if not sources:
            raise UserError(f"`root` of task `{entry.task.name}` is for torchvision or a manifest; give its `folder` instead")
    return tuple(sources)


def _is_manifest(description: Mapping[str, Any]) -> bool:
    return description["folder"].lower().endswith(LISTS)


def _folder(description: Mapping[str, Any]) -> dict[str, Any]:
    place, above = ("manifest", "path") if _is_manifest(description) else ("path", "root")
    root = {above: description["root"]} if "root" in description else {}
    return {"reader": "folder", place: description["folder"], **root}
