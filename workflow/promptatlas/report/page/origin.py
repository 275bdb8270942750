"""Where a cell of the page comes from: its files and logs, by what it was made, and the command that measures it again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from promptatlas.base import place
from promptatlas.base.version import NUMERICS_VERSION
from promptatlas.records.cells import Cell
from promptatlas.report.page import markup
from promptatlas.runs import provenance
from promptatlas.runs.asked import Asked
from promptatlas.study.study import Study

MOST_JOBS = 1000  # whose logs a page names one by one


def of_study(study: Study, asked: Asked) -> dict[str, Any]:
    """What the page needs to name all that belongs to a cell. In paths stand {protocol}, {method}, {seed}, {target} and {source}.

    folder: from which the study was run, and from which the other paths count; program, files, values: how Snakemake was asked, as far
    as it says which study it is; rerun: the same for promptatlas, null where that does not find the Snakefile; cell, prompts (by source,
    "" for any task): files; logs: of jobs, with what each made; made: versions and dates.
    """
    shared = [*(["--configfile", *asked.files] if asked.files else []), *(["--config", *asked.values] if asked.values else [])]
    return {
        "folder": str(Path.cwd()),
        "program": asked.program,
        "files": ["--configfile", *asked.files] if asked.files else [],
        "values": list(asked.values),
        "rerun": None if asked.snakefile or len(asked.files) > 1 else shared,
        "cell": str(study.paths.cell(Cell("{protocol}", "{method}", "{seed}", "{target}", "{source}"))),  # type: ignore[arg-type]
        "prompts": _prompts(study),
        "logs": _logs(study),
        "made": _made(study.all_cells) | {"precision": study.config["precision"]},
    }


def _prompts(study: Study) -> dict[str, str]:
    """By source where its prompts lie: tasks have one each, the row of a multitask prompt one for each target or for all."""
    found = {"": str(study.paths.prompt("{method}", "{seed}", "{source}"))}
    if row := study.multitask.row:
        found[row] = str(study.paths.multitask_source("{method}", "seed{seed}", "{target}"))  # type: ignore[arg-type]
    return found


def _logs(study: Study) -> dict[str, list[dict[str, Any]]] | None:
    """Of transfer and of tuning, the log of each job and what it made, null for everything; none where jobs are too many to be named."""
    transfer, tune = study.jobs.transfer, study.jobs.tune
    if len(transfer) + len(tune) > MOST_JOBS:
        return None
    return {
        "transfer": [
            {
                "log": str(study.paths.log(job.name)), "protocol": job.protocol, "method": job.method,
                "sources": _some(job.sources, study.sources),
                "targets": _some(job.targets, study.tasks),
                "seeds": _some(job.seeds, study.seeds),
            }
            for job in transfer
        ],
        "tune": [
            {
                "log": str(study.paths.log(job.name)), "method": job.method, "sources": _some(job.tasks, study.learners),
                "seeds": _some(job.seeds, study.seeds),
            }
            for job in tune
        ],
    }  # fmt: skip


def _some(these: Sequence[Any], every: Iterable[Any]) -> list[Any] | None:
    return None if {*these} >= {*every} else list(these)


def _made(files: Iterable[Path]) -> dict[str, Any]:
    """Versions of what writes the page, and the day on which the last cell was measured, by the time of its file."""
    try:
        own = version("promptatlas")
    except PackageNotFoundError:
        own = None
    last = max((path.stat().st_mtime for path in files if path.exists()), default=None)
    day = None if last is None else datetime.fromtimestamp(last, UTC).date().isoformat()
    return {"version": own, "numerics": NUMERICS_VERSION, "measured": day} | provenance.code(place.ROOT)


def places(page: str) -> dict[str, str]:
    """Whole paths that the commands of a page name, with what is put in their place when it is published."""
    told = (markup.data_of(page) or {}).get("origin") or {}
    words = [*told.get("program", ()), *told.get("files", ()), *(value.partition("=")[2] for value in told.get("values", ()))]
    named = {word: Path(word).name for word in words if Path(word).is_absolute() and len(word) > 1}
    return named | ({told["folder"]: "."} if len(told.get("folder", "")) > 1 else {})
