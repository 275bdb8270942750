"""Result files that are damaged: cut off, not to be read, of another place, or without what makes them a result, as a score
that is no number.

A damaged file counts as missing: it is named, kept in the folder `damaged`, and computed again. Not damaged is a file of a newer
promptatlas, one that says why there is no result, and one that the disk does not give. Knows nothing of torch or Snakemake.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from promptatlas.base import json_record
from promptatlas.base.errors import FAILED, Failed, UserError, of_the_disk
from promptatlas.base.json_record import Newer, require_known
from promptatlas.records import cells, probe_file, score
from promptatlas.records.draw_file import read_draw
from promptatlas.study.jobs import DrawJob, EncodeJob, Job, PrepareJob, ProbeJob, ShareJob, TransferJob
from promptatlas.study.study import Study
from promptatlas.tasks.prepared import PreparedTask

MAGIC = b"PAR1"
FEW = 5
Check = tuple[Path, Callable[[Path], object]]


def found(study: Study) -> list[Path]:
    """The damaged files among all that the study's jobs write, tables included, in the order in which they are computed."""
    return [path for path, read in _checks(study) if _is_damaged(path, read)]


def place(study: Study, path: Path) -> Path:
    """Where a damaged file is kept."""
    return study.folder / "damaged" / path.relative_to(study.folder)


def set_aside(study: Study, damaged: Iterable[Path]) -> None:
    for path in damaged:
        kept = place(study, path)
        kept.parent.mkdir(parents=True, exist_ok=True)
        os.replace(path, kept)


def named(study: Study, damaged: list[Path]) -> str:
    """The files as a sentence lists them."""
    names = ", ".join(str(path.relative_to(study.folder)) for path in damaged[:FEW])
    return names + (f" and {len(damaged) - FEW} more" if len(damaged) > FEW else "")


def _is_damaged(path: Path, read: Callable[[Path], object]) -> bool:
    try:
        with path.open("rb"):
            read(path)
    except (Failed, Newer, OSError):
        return False
    except UserError:
        return True
    except SafetensorError as error:
        return of_the_disk(error) is None
    return False


def _checks(study: Study) -> Iterator[Check]:
    """Every file with what reads it, and raises UserError if it is damaged."""
    for job in study.jobs.every:
        yield from _of_job(study, job)
    for kind in ("prompts", "groups"):  # of groups of targets, between what a job reads and what it is there for
        yield from ((path, _by_suffix(path)) for path in sorted((study.folder / "joint" / kind).rglob("[!.]*.*")))
    for path in (*study.tables, study.paths.summary, study.paths.report, study.paths.resolved_config):
        yield path, _by_suffix(path)


def _of_job(study: Study, job: Job) -> Iterator[Check]:
    if isinstance(job, TransferJob):
        yield from ((study.paths.cell(cell), partial(cells.read_own, cell=cell)) for cell in job.cells())
    elif isinstance(job, PrepareJob):
        yield from _of_task(study, job.task)
    elif isinstance(job, DrawJob):
        yield from ((path, read_draw) for path in job.outputs)
    elif isinstance(job, EncodeJob):
        yield from ((path, _header) for path in job.outputs)
    elif isinstance(job, ProbeJob):
        yield from ((path, probe_file.read_probes) for path in job.outputs)
    else:
        learners = job.learners if isinstance(job, ShareJob) else ()
        for path in job.outputs:
            yield path, score.read if path.suffix == ".json" else _header if path in learners else _prompt


def _of_task(study: Study, name: str) -> Iterator[Check]:
    """The arrays of a task count only beside a record that does not say why there are none."""
    (record,) = study.paths.task_records([name])
    yield record, lambda path: PreparedTask.open(path.parent)
    try:
        PreparedTask.open(record.parent)
    except (UserError, OSError):
        return
    yield from ((path, _by_suffix(path)) for path in study.paths.prepared_files(name) if path != record)


def _by_suffix(path: Path) -> Callable[[Path], object]:
    readers = {".json": _json, ".safetensors": _prompt, ".npy": _array, ".parquet": _table, ".csv": _lines, ".html": _page}
    return readers[path.suffix]


def _json(path: Path) -> None:
    json_record.read(path, "the record")


def _array(path: Path) -> None:
    try:
        np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError:
        raise
    except Exception:  # the head of such a file is Python, whose parser raises many kinds
        raise json_record.corrupt(path, "the array") from None


def _table(path: Path) -> None:
    content = path.read_bytes()
    if len(content) < 12 or content[:4] != MAGIC or content[-4:] != MAGIC:
        raise json_record.corrupt(path, "the table")


def _lines(path: Path) -> None:
    """A twin of a table has a head, and its last line is whole."""
    if not path.read_bytes().endswith(b"\n"):
        raise json_record.corrupt(path, "the table")


def _page(path: Path) -> None:
    if not path.read_bytes().rstrip().endswith(b"</html>"):
        raise json_record.corrupt(path, "the page")


def _header(path: Path) -> dict[str, str]:
    """What a file of tensors says of itself; a file that is cut off has no such header. Raises SafetensorError, too."""
    with safe_open(path, framework="np") as file:
        about = file.metadata() or {}
    require_known(about, path)
    return about


def _prompt(path: Path) -> None:
    about = _header(path)
    if FAILED in about:
        return
    with safe_open(path, framework="np") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    sound = {"method", "position", "template"} <= about.keys() and any(name.startswith("prompts.") for name in tensors)
    if not sound or not all(one.dtype == np.float32 and np.isfinite(one).all() for one in tensors.values()):
        raise json_record.corrupt(path, "the prompt")
