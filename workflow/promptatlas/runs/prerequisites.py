"""What a run needs before its study is looked at: somebody who works, a folder that may be written, a readable configuration.

Knows nothing of what is in the configuration.
"""

import os
from pathlib import Path

from promptatlas.base.errors import UserError
from promptatlas.study import yaml_file

NOTES = Path(".snakemake")  # where Snakemake keeps its own


def wrong(file: Path, *workers: int | None) -> list[UserError]:
    """One sentence for each that is not so.

    file: the configuration of the working directory, which may be missing; workers: how many work at once, of each kind that was said.
    """
    found = [
        UserError(f"--cores, --jobs and --local-cores must be at least 1, not {count}")
        for count in dict.fromkeys(workers)
        if count is not None and count < 1
    ]
    if not all(os.access(place, os.W_OK) for place in (Path(), NOTES) if place.exists()):
        found.append(UserError(f"{Path.cwd()} may not be written; make it writable, or run a copy of it"))
    if file.exists():
        try:
            yaml_file.load(file)
        except UserError as error:
            found.append(error)
    return found
