"""Prompts that several tasks share: which tasks, what their rows are called, and how long they are tuned.

The multitask source prompts are tuned on many tasks (MVLPT). `joint`: groups of targets that share one prompt. Knows nothing of
files, of jobs, of torch or of Snakemake.
"""

from collections.abc import Mapping
from typing import Any

LEAVE_ONE_OUT = "leave_one_out"
SOURCES = {LEAVE_ONE_OUT: "multitask", "all": "multitask_all"}
LISTED = "multitask_of"
AVERAGE, AVERAGED = "average", "_averaged"
ROWS = tuple(source + ending for ending in ("", AVERAGED) for source in (*SOURCES.values(), LISTED))
MULTITASK = "multitask"  # what adapters call the multitask source prompt, whichever it is


class MultitaskOptions:
    """What a study says of multitask sources and joint adaptation before anything is computed."""

    def __init__(self, config: Mapping[str, Any], tasks: tuple[str, ...]):
        self._config = config
        self._tasks = tasks

    @property
    def row(self) -> str | None:
        """What tables call the source that is tuned on many tasks, one of `ROWS`, or nothing.

        `multitask` and `multitask_of` were never trained on the target itself; the ending says that it is the mean of all seeds' prompts.
        """
        row = LISTED if self.listed else SOURCES.get(self._config["multitask"])
        return row and row + (AVERAGED if self.options["average_seeds"] else "")

    @property
    def listed(self) -> tuple[str, ...]:
        """The tasks of the multitask source, where the configuration lists them."""
        given = self._config["multitask"]
        return tuple(given) if isinstance(given, list) else ()

    @property
    def leaves_one_out(self) -> bool:
        """Whether every target has a multitask source of its own, tuned on all other tasks."""
        return self._config["multitask"] == LEAVE_ONE_OUT

    @property
    def targets(self) -> tuple[str, ...]:
        """The tasks that multitask and joint prompts serve: those that are not listed as source tasks."""
        return tuple(task for task in self._tasks if task not in self.listed)

    @property
    def joint(self) -> str | list[list[str]]:
        """Groups of targets that share a prompt, `auto` for groups to be found, or nothing."""
        return self._config["joint"]

    @property
    def options(self) -> dict[str, Any]:
        """How multitask sources and joint prompts are tuned: `union` in the configuration."""
        return self._config["union"]

    def tasks(self, *targets: str) -> tuple[str, ...]:
        """The tasks on which the source prompt for these targets is tuned, in alphabetical order as in MVLPT."""
        left_out = targets if self.leaves_one_out else ()
        return tuple(sorted(task for task in self.listed or self._tasks if task not in left_out))

    def settings(self, method: str) -> dict[str, Any]:
        """The method's settings with the number of epochs of its multitask source prompts."""
        settings, epochs = self._config["settings"][method], self.options["source_epochs"]
        return settings if epochs == "method" else settings | {"epochs": epochs}

    @property
    def sources(self) -> tuple[str, ...]:
        """From what joint adaptation starts: from scratch, and from the multitask source if the study has one."""
        return ("scratch", *((self.row,) if self.row else ()))
