"""One archive of a finished study for publication: tables, prompts, configuration, provenance, figures and page, but no
pictures of data sets and no weights of the backbone.

The same study gives the same bytes, wherever and whenever it is packed. Knows nothing of what is in the files.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
from pathlib import Path

from promptatlas import provenance
from promptatlas.errors import UserError
from promptatlas.study import Study

ENDING = ".tar.gz"


def pack(study: Study, path: Path) -> list[Path]:
    """Write the archive whole or not at all; returns what is in it. UserError for a study that is not finished."""
    if not path.name.endswith(ENDING):
        raise UserError(f"{path} must end in {ENDING}; give another name with -o")
    require_finished(study)
    files = contents(study)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            _write(file, study, files)
        os.replace(temporary, path)
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror}); give a place with room and rights with -o") from error
    finally:
        temporary.unlink(missing_ok=True)
    return files


def contents(study: Study) -> list[Path]:
    """Every file of the archive."""
    whole = [*study.tables, study.resolved_config, study.provenance_file, study.summary, study.report]
    folders = {study.figures, *(study.folder / name for name in ("prompts", "shared", "multitask", "joint"))}
    found = {*whole, *(path for folder in folders for path in folder.rglob("*") if _belongs(path))}
    return sorted(found, key=Path.as_posix)


def _belongs(path: Path) -> bool:
    return path.is_file() and not path.is_symlink() and not path.name.startswith(".")


def require_finished(study: Study) -> None:
    """UserError unless everything is there, as configured now and as the provenance describes it."""
    again = "run the study, then pack again"
    wanted = [*study.all_prompts, *study.all_cells, *study.all_scores, *study.tables, study.resolved_config, *study.conclusions]
    missing = [path for path in wanted if not path.exists()]
    if missing:
        raise UserError(
            f"{study.name} is not finished: {len(missing)} of {len(wanted)} files are missing, such as {missing[0]}; {again}"
        )
    if json.loads(study.resolved_config.read_bytes()) != json.loads(json.dumps(study.description)):
        raise UserError(f"{study.name} was run with another configuration than the present one; {again}")
    noted = json.loads(study.provenance_file.read_bytes()).get("results")
    now = provenance.results(study)
    if noted != now:
        name = next((name for name in now if noted is None or noted.get(name) != now[name]), "a result")
        raise UserError(f"{study.folder / name} is not what {study.provenance_file.name} describes; {again}")


def _write(file: io.BufferedIOBase, study: Study, files: list[Path]) -> None:
    """Names in order; nothing of the machine, the user or the hour."""
    with (
        gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path in files:
            entry = tarfile.TarInfo(f"{study.name}/{path.relative_to(study.folder).as_posix()}")
            entry.size, entry.mode = path.stat().st_size, 0o644
            with path.open("rb") as content:
                archive.addfile(entry, content)
