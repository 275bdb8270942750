"""Which cells a study has: all tasks with all, or one of the protocols that papers report. Knows names only.

`matrix`: every task's prompt on every task. `few_shot`: every task's prompt on the task itself. `base_to_new`: prompts of
each task's base classes on its base and its new classes. `cross_dataset` and `domain`: prompts of some source tasks on all tasks; of
those that are no source nothing is wanted but test pictures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promptatlas.base.errors import UserError
from promptatlas.tasks.halves import BASE, PARTS, part_name, whole_of

MATRIX, FEW_SHOT, BASE_TO_NEW, CROSS_DATASET, DOMAIN = "matrix", "few_shot", "base_to_new", "cross_dataset", "domain"
WITH_OWN_TASKS = (MATRIX, FEW_SHOT)  # each task's own prompt is measured, so methods and ways to share prompts can be compared
WITH_SOURCES = (CROSS_DATASET, DOMAIN)
CALIBRATION = ("scratch", "template")
LARGEST_CLASS = "largest_class"
BESIDE = (*CALIBRATION, LARGEST_CLASS)  # what rows beside the tasks may be called


@dataclass(frozen=True)
class Design:
    """given: tasks as configured; tasks: those that are measured on; learners: those on which prompts are learned; pooled: those
    that are listed as the tasks of a multitask source, whose prompt is tried on the others only."""

    name: str
    given: tuple[str, ...]
    tasks: tuple[str, ...]
    learners: tuple[str, ...]
    pooled: tuple[str, ...] = ()

    def measures(self, source: str, target: str) -> bool:
        """Whether the study has a cell of `source`'s prompt, which may be a row beside the tasks, on `target`."""
        if target in self.pooled and source not in (*self.tasks, *CALIBRATION):
            return False
        if self.name == FEW_SHOT:
            return source == target or source not in self.tasks
        return self.name != BASE_TO_NEW or source in CALIBRATION or whole_of(source) == whole_of(target)

    def draws_from(self, task: str) -> bool:
        """Whether training pictures are drawn from a task, or from a part of it."""
        return any(whole_of(learner) == task for learner in self.learners)


def design(config: Mapping[str, Any]) -> Design:
    """The design of a checked configuration whose tasks are listed."""
    name, given = config["design"], tuple(config["tasks"])
    if name == BASE_TO_NEW:
        tasks = tuple(part_name(task, part) for task in given for part in PARTS)
        return Design(name, given, tasks, tuple(part_name(task, BASE) for task in given))
    listed = config.get("multitask")
    pooled = tuple(listed) if isinstance(listed, list) else ()
    return Design(name, given, given, tuple(config["sources"]) if name in WITH_SOURCES else given, pooled)


def check(config: Mapping[str, Any]) -> None:
    """UserError for a design that contradicts the other keys."""
    name, sources = config["design"], config["sources"]
    if name not in WITH_SOURCES and sources:
        raise UserError(
            f"`sources` is for `design: {CROSS_DATASET}` and `design: {DOMAIN}`, not for {name}; leave it out of the configuration"
        )
    if name in WITH_SOURCES and not sources:
        raise UserError(f"`design: {name}` needs `sources`, the tasks whose prompts are tried on the others; list at least one")
    if name == MATRIX:
        return
    if config["protocols"] != ["frozen"]:
        raise UserError(f"`design: {name}` uses prompts as they are, so `protocols` must be [frozen]; mend it in the configuration")
    for key in ("multitask", "joint"):
        if config.get(key) and name not in WITH_OWN_TASKS:
            raise UserError(
                f"`{key}` is for `design: {MATRIX}` and `design: {FEW_SHOT}`, not for {name}; leave it out of the configuration"
            )


def check_without_prompts(config: Mapping[str, Any], prompts: Sequence[str]) -> None:
    """UserError unless the study can be one whose `methods` lists none of those that have a prompt for each task, `prompts`."""
    if config["design"] != FEW_SHOT:
        raise UserError(
            f"`methods` must list at least one whose prompts can be moved from task to task ({', '.join(prompts)}), not only "
            f"{', '.join(config['methods'])}; add one in the configuration, or write `design: {FEW_SHOT}` to compare methods on tasks "
            "of their own"
        )
    for key in ("multitask", "joint"):
        if config[key]:
            raise UserError(
                f"`{key}` is about prompts that are tuned on several tasks, and `methods` lists none of {', '.join(prompts)}; add one, or "
                f"leave `{key}` out of the configuration"
            )
