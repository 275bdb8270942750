"""The job that has a network: finds the data sets and weights of a study, and downloads what is missing.

Knows nothing of what is in them.
"""

import json
from typing import Any

from promptatlas.cells import replace
from promptatlas.errors import UserError
from promptatlas.reporting import Say
from promptatlas.study import Study
from promptatlas.tasks import readers
from promptatlas.tasks.catalogue import Entry


def fetch(study: Study, say: Say) -> None:
    """Write for every task, and for the weights, where they are. One UserError says everything that is missing, and how to
    get each; what was found or downloaded stays.
    """
    missing = []
    for number, name in enumerate(study.real_tasks, start=1):
        source, why = _found(study, study.entry(name), say)
        if source is None:
            missing.append(f"{name}: {why}")
        else:
            _note(study.source(name), source)
            say(f"data {number:>3}/{len(study.real_tasks)}  {name}: {source['reader']}")
    if study.is_published_backbone:
        missing += _weights(study)
    if missing:
        raise UserError(
            f"the study {study.name} lacks {len(missing)} of {len(study.fetched)} data sets and weights; get them and run again "
            f"(data are looked for below {study.data_root}):" + "".join(f"\n  {line}" for line in missing)
        )


def _found(study: Study, entry: Entry, say: Say) -> tuple[dict[str, Any] | None, str]:
    """The source of a task's data, downloaded if need be; or why there is none."""
    source = readers.find(entry.sources, study.data_root)
    advice = [readers.reader(one).advice(one, study.data_root) for one in entry.sources]
    if source is not None or not study.config["download"]:
        return source, "; or ".join(advice)
    reasons = []
    for one in entry.sources:
        try:
            say(f"download {entry.task.name} ({one['reader']})")
            readers.reader(one).download(one, study.data_root)
            return one, ""
        except UserError as error:
            reasons.append(str(error))
    return None, "; or ".join(advice) + f" (tried: {'; '.join(dict.fromkeys(reasons))})"


def _weights(study: Study) -> list[str]:
    from promptatlas.backbone import export

    model, pretrained = (study.config["backbone"][key] for key in ("model", "pretrained"))
    try:
        export.fetch(model, pretrained, study.config["download"])
    except UserError as error:
        return [f"weights of {model}: {error}"]
    _note(study.weights, study.config["backbone"])
    return []


def _note(path, content: dict[str, Any]) -> None:
    """Write `content`, unless it is there already: what has not changed makes nothing stale."""
    text = (json.dumps(content, indent=1, sort_keys=True) + "\n").encode()
    if not path.exists() or path.read_bytes() != text:
        replace(path, text)
