"""What the workflow asks of a study: is it sound, which results are to be computed anew, and is nobody else working on it.

Knows of Snakemake only that it is the one who asks.
"""

import fcntl
import os
import sys
from pathlib import Path
from typing import Any, Iterable, NoReturn

from promptatlas.errors import UserError
from promptatlas.study import Study

# Jobs may run in other processes, also on other machines; the environment reaches them all and is no provenance.
FORCED = "PROMPTATLAS_FORCED"
_locks: list[Any] = []


def plan(config: dict[str, Any]) -> Study:
    """The study that `config` describes; a user's mistake ends the process with one sentence and status 1."""
    try:
        return Study(config)
    except UserError as error:
        end(error)


def begin(study: Study, forced: Iterable[str]) -> None:
    """Before the first job: lock the study and hand on which files and rules were named to be computed anew."""
    lock(study)
    os.environ[FORCED] = os.pathsep.join(sorted(forced))


def forced(study: Study, job: str, files: Iterable[Path]) -> set[Path]:
    """Which of a job's `files` are to be computed anew: all if the job was named, else those that were named.

    With `only` in the configuration just those of that source.
    """
    named = set(os.environ.get(FORCED, "").split(os.pathsep))
    only = study.config["only"]
    return {path for path in files if named & {job, str(path)} and only in (None, path.stem)}


def lock(study: Study) -> None:
    """Make sure that this process alone works on the study, until it ends in whatever way."""
    study.folder.mkdir(parents=True, exist_ok=True)
    file = (study.folder / ".lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        end(UserError(f"another run is working on {study.folder}; wait for it to end or stop it, then run again"))
    except OSError:
        print(f"promptatlas: {study.folder} cannot be locked on this file system; do not run it twice at once", file=sys.stderr)
    _locks.append(file)


def end(error: UserError) -> NoReturn:
    print(f"promptatlas: {error}", file=sys.stderr)
    sys.exit(1)
