"""The data of a study's tasks: what is said of it, where it was found, and how its images are fitted to the model.

Knows nothing of what is in the files, of jobs, of torch or of Snakemake.
"""

import json
from collections.abc import Mapping
from functools import cached_property
from os.path import expanduser
from pathlib import Path
from typing import Any

from promptatlas.study.designs import Design
from promptatlas.study.paths import Paths
from promptatlas.study.relative_folders import tidy
from promptatlas.tasks import base_new, catalogue


class Data:
    """Where the images of a study's tasks come from."""

    def __init__(self, config: Mapping[str, Any], design: Design, paths: Paths):
        self._config = config
        self._design = design
        self._paths = paths

    @property
    def root(self) -> Path:
        """The folder of all data sets that have no place of their own."""
        return Path(expanduser(self._config["data_root"]))

    def is_embedded(self, task: str) -> bool:
        """Whether promptatlas draws the images itself."""
        return base_new.whole_of(task) in catalogue.names("mini")

    @property
    def real_tasks(self) -> list[str]:
        return [task for task in self._design.given if not self.is_embedded(task)]

    def entry(self, task: str) -> catalogue.TaskEntry:
        """What the catalogue and the configuration say of a task that is not embedded.

        Folders in the configuration start from where Snakemake runs (`relative_folders` has seen to that), those of the catalogue from
        `data_root`.
        """
        given = self._config["data"].get(task, {})
        folders = {key: str(tidy(Path(expanduser(given[key])).absolute())) for key in ("folder", "root") if key in given}
        return catalogue.described(task, given | folders)

    @cached_property
    def found(self) -> dict[str, dict[str, Any]] | None:
        """By task which of its sources was found; None before anything was."""
        try:
            return json.loads(self._paths.fetched.read_bytes())["tasks"]
        except FileNotFoundError:
            return None
        except (OSError, ValueError, LookupError, TypeError):
            return {}

    def source(self, task: str) -> dict[str, Any] | None:
        """The source of a task's data that was found, as it is described now; None if it is to be found anew."""
        number, sources = (self.found or {}).get(task, {}).get("source"), self.entry(task).sources
        return sources[number] if isinstance(number, int) and number < len(sources) else None

    def resize_of(self, task: str) -> str:
        """How the images of a task are fitted to the model; drawn ones are square."""
        return "squash" if self.is_embedded(task) else self.entry(task).resize or self._config["resize"]
