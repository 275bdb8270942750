"""The job that has a network: finds the data sets and weights of a study, and downloads what is missing."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from promptatlas.backbone import hub
from promptatlas.base.errors import UserError
from promptatlas.base.files import replace
from promptatlas.base.progress import Say
from promptatlas.runs import changes
from promptatlas.study.study import Study
from promptatlas.tasks import readers
from promptatlas.tasks.catalogue import TaskEntry


def fetch(study: Study, say: Say) -> None:
    """Write which source of every task is there, and see that the weights are there. One UserError says everything that is
    missing and how to get each; what was found or downloaded stays.
    """
    may_download, reasons = _network(study)
    found: dict[str, dict[str, Any]] = {}
    missing: dict[str, TaskEntry] = {}
    for number, name in enumerate(study.data.real_tasks, start=1):
        entry = study.data.entry(name)
        source = readers.find(entry.sources, study.data.root)
        if source is None and may_download:
            source = _downloaded(study, entry, say, reasons)
        if source is None:
            missing[name] = entry
            continue
        found[name] = {
            "reader": source["reader"],
            "source": entry.sources.index(source),
            "of": changes.sought(entry),
            "place": changes.place(study, name, source),
        }
        say(f"data {number:>3}/{len(study.data.real_tasks)}  {name}: {source['reader']}")
    weights = _missing_weights(study, may_download) if study.backbone.is_published else ""
    _list(study).unlink(missing_ok=True)
    if missing or weights:
        raise UserError(_message(study, missing, weights, reasons))
    replace(study.paths.fetched, (json.dumps({"tasks": found}, indent=1, sort_keys=True) + "\n").encode())


def _network(study: Study) -> tuple[bool, Counter[str]]:
    """Whether downloads are allowed and possible; without a network each would spend a minute to find out."""
    if not study.config["download"]:
        return False, Counter(["`download` is false in the configuration"])
    reason = hub.unreachable()
    return not reason, Counter([reason] if reason else [])


def _downloaded(study: Study, entry: TaskEntry, say: Say, reasons: Counter[str]) -> dict[str, Any] | None:
    """The first source of a task that could be downloaded; why others could not goes to `reasons`."""
    for source in entry.sources:
        if source["reader"] == "folder":
            continue
        try:
            say(f"download {entry.task.name} ({source['reader']})")
            readers.reader(source).download(source, study.data.root)
            return source
        except UserError as error:
            reasons[str(error)] += 1
    return None


def _missing_weights(study: Study, may_download: bool) -> str:
    """Why the weights of a published backbone are not here; empty if they are."""
    from promptatlas.backbone import export

    try:
        export.fetch(study.config["backbone"]["model"], study.config["backbone"]["pretrained"], may_download)
    except UserError as error:
        return str(error)
    return ""


def _message(study: Study, missing: dict[str, TaskEntry], weights: str, reasons: Counter[str]) -> str:
    """One line for each thing that is missing with the first way to get it; if there are others, all go to a file beside the results."""
    ways = {name: _ways(study, entry) for name, entry in missing.items()} | ({"weights": [weights]} if weights else {})
    lines = [f"  {name}: {several[0]}" for name, several in ways.items()]
    tried = "; ".join(f"{reason} ({count} times)" if count > 1 else reason for reason, count in reasons.items())
    told = f"No download: {tried}. " if tried else ""
    path, others = _list(study), any(len(several) > 1 for several in ways.values())
    if others:
        replace(path, "\n".join(f"{name}\n" + "".join(f"  - {way}\n" for way in several) for name, several in ways.items()).encode())
        told += f"Other ways to get them are in {path}. "
    return (
        f"the study {study.name} lacks {len(lines)} of {len(study.data.real_tasks) + study.backbone.is_published} data sets and "
        f"weights, so nothing was started:\n" + "\n".join(lines) + f"\n{told}Run again when they are there."
    )


def _list(study: Study) -> Path:
    """Every way to get what is missing, while it is."""
    return study.folder / "missing.txt"


def _ways(study: Study, entry: TaskEntry) -> list[str]:
    ways = [readers.reader(source).advice(source, study.data.root) for source in entry.sources]
    return [*ways, *([f"see {entry.homepage}"] if entry.homepage else [])]
