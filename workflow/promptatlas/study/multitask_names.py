"""Names and jobs of the prompts that several tasks share: a part of `study`, which knows the layout of the results folder.

`multitask`: source prompts tuned on many tasks (MVLPT). `joint`: groups of targets that share one prompt. Knows nothing of
torch, of Snakemake or of what is in the files.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from promptatlas.study.jobs import JointJob, MultitaskJob

LEAVE_ONE_OUT = "leave_one_out"
SOURCES = {LEAVE_ONE_OUT: "multitask", "all": "multitask_all"}
LISTED = "multitask_of"
AVERAGE, AVERAGED = "average", "_averaged"
ROWS = tuple(source + ending for ending in ("", AVERAGED) for source in (*SOURCES.values(), LISTED))
MULTITASK = "multitask"  # what adapters call the multitask source prompt, whichever it is


class Unions:
    """What a study says of shared prompts before anything is computed."""

    config: dict[str, Any]
    folder: Path
    tasks: tuple[str, ...]
    methods: tuple[str, ...]
    seeds: tuple[int, ...]

    @property
    def multitask(self) -> str | None:
        """What tables call the source that is tuned on many tasks, one of `ROWS`, or nothing.

        `multitask` and `multitask_of` never learned from the target itself; the ending says that it is the mean of all seeds' prompts.
        """
        row = LISTED if self.multitask_listed else SOURCES.get(self.config["multitask"])
        return row and row + (AVERAGED if self.union["average_seeds"] else "")

    @property
    def multitask_listed(self) -> tuple[str, ...]:
        """The tasks of the multitask source, where the configuration lists them."""
        given = self.config["multitask"]
        return tuple(given) if isinstance(given, list) else ()

    @property
    def leaves_one_out(self) -> bool:
        """Whether every target has a multitask source of its own, tuned on all other tasks."""
        return self.config["multitask"] == LEAVE_ONE_OUT

    @property
    def multitask_targets(self) -> tuple[str, ...]:
        """The tasks that shared prompts serve: those that are not listed as source tasks."""
        return tuple(task for task in self.tasks if task not in self.multitask_listed)

    @property
    def joint(self) -> str | list[list[str]]:
        """Groups of targets that share a prompt, `auto` for groups to be found, or nothing."""
        return self.config["joint"]

    @property
    def union(self) -> dict[str, Any]:
        return self.config["union"]

    def multitask_tasks(self, *targets: str) -> tuple[str, ...]:
        """The tasks on which the source prompt for these targets is tuned, in alphabetical order as in MVLPT."""
        left_out = targets if self.leaves_one_out else ()
        return tuple(sorted(task for task in self.multitask_listed or self.tasks if task not in left_out))

    def multitask_settings(self, method: str) -> dict[str, Any]:
        """The method's settings with the number of epochs of its multitask source prompts."""
        settings, epochs = self.config["settings"][method], self.union["source_epochs"]
        return settings if epochs == "method" else settings | {"epochs": epochs}

    def multitask_prompt(self, method: str, which: int | str, target: str) -> Path:
        """The source prompt for `target` of a seed, or the average of those of all seeds."""
        stem = f"without-{target}" if self.leaves_one_out else "listed" if self.multitask_listed else "all"
        return self.folder / "multitask" / method / _seed(which) / f"{stem}.safetensors"

    def multitask_source(self, method: str, seed: int, target: str) -> Path:
        """The source prompt that the row `multitask` applies."""
        return self.multitask_prompt(method, AVERAGE if self.union["average_seeds"] else seed, target)

    def multitask_outputs(self, job: MultitaskJob) -> list[Path]:
        every = (*self.seeds, *((AVERAGE,) if self.union["average_seeds"] else ()))
        paths = [self.multitask_prompt(job.method, which, target) for target in job.targets for which in every]
        return list(dict.fromkeys(paths))

    def joint_prompt(self, method: str, source: str, which: int | str, group: tuple[str, ...]) -> Path:
        """A prompt that was tuned for a group, or (source `without`) the one it starts from, which saw none of it."""
        name = "+".join(group) if len(group) < 5 else f"{group[0]}+{len(group) - 1}-{_short(group)}"
        return self.folder / "joint" / "prompts" / method / source / _seed(which) / f"{name}.safetensors"

    def joint_groups(self, method: str) -> Path:
        """Where groups that were found are noted, with the gains that speak for them."""
        return self.folder / "joint" / "groups" / f"{method}.json"

    def joint_score(self, method: str, source: str, adaptation: str, seed: int, task: str) -> Path:
        return self.folder / "joint" / "scores" / method / f"{source}-{adaptation}" / _seed(seed) / f"{task}.json"

    @property
    def joint_sources(self) -> tuple[str, ...]:
        """From what adaptation starts: from scratch, and from the multitask source if the study has one."""
        return ("scratch", *((self.multitask,) if self.multitask else ()))

    def joint_outputs(self, job: JointJob) -> list[Path]:
        return [
            self.joint_score(job.method, source, adaptation, seed, task)
            for source in self.joint_sources
            for adaptation in ("single", "joint")
            for seed in self.seeds
            for task in job.tasks
        ]


def _seed(which: int | str) -> str:
    return which if isinstance(which, str) else f"seed{which}"


def _short(names: tuple[str, ...]) -> str:
    return hashlib.sha256("\x1f".join(names).encode()).hexdigest()[:12]
