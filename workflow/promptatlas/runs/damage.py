"""Result files that are damaged: cut off, not to be read, of another place, or without what makes them a result, as a score
that is no number.

A damaged file counts as missing: it is named, kept in the folder `damaged`, and computed again. Not damaged is a file of a newer
promptatlas, one that says why there is no result, and one that the disk does not give. Knows nothing of torch or Snakemake.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from safetensors import SafetensorError

from promptatlas.base.errors import Failed, UserError, of_the_disk
from promptatlas.base.json_record import Newer
from promptatlas.records import whole
from promptatlas.records.whole import Reader
from promptatlas.study.study import Study

FEW = 5


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


def _is_damaged(path: Path, read: Reader) -> bool:
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


def _checks(study: Study) -> Iterator[tuple[Path, Reader]]:
    """Every file with what reads it, and raises UserError if it is damaged."""
    for job in study.jobs.every:
        yield from job.checks()
    for kind in ("prompts", "groups"):  # of groups of targets, between what a job reads and what it is there for
        yield from ((path, whole.by_suffix(path)) for path in sorted((study.folder / "joint" / kind).rglob("[!.]*.*")))
    for path in (*study.tables, study.paths.summary, study.paths.report, study.paths.resolved_config):
        yield path, whole.by_suffix(path)
