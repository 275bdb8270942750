"""The registry of designs: which prompts are tried on which tasks, and what is made of the scores. Knows names only.

A design that is registered, here or from outside (`plugins` in the configuration), may be named under `design`: its jobs, tables and page
follow.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from promptatlas.base.errors import UserError
from promptatlas.base.registry import Registry, require_column
from promptatlas.base.signatures import require
from promptatlas.study.protocols import CALIBRATION, FROZEN
from promptatlas.tasks.base_new import BASE, SUBSETS, subset_name, whole_of

LARGEST_CLASS = "largest_class"
EVERY = "all"  # of `sources`
BESIDE = (*CALIBRATION, LARGEST_CLASS)  # what rows beside the tasks may be called


@dataclass(frozen=True)
class Ending:
    """What is made of a study's tables. stages: files of workflow/rules; tables: those beside what every study has; figures: whether
    some are drawn."""

    stages: tuple[str, ...]
    tables: tuple[str, ...]
    figures: bool


EXPLAINED = Ending(("similarity", "statistics", "report"), ("similarity", "pairs", "statistics", "explained", "contrasts"), figures=True)
COMPARED = Ending(("few_shot",), (), figures=True)
PRINTED = Ending(("protocol",), ("protocol",), figures=False)


@dataclass(frozen=True)
class Design(ABC):
    """The pairs of source and target that a study measures.

    given: tasks as configured; tasks: those that are measured on; learners: those on which prompts are trained; pooled: those that are
    listed as the tasks of a multitask source, whose prompt is tried on the others only.

    name: what the configuration and the tables call it; question, words: what heads its page, and what is done, in words.
    """

    name: ClassVar[str]
    question: ClassVar[str] = ""
    words: ClassVar[str] = ""
    ending: ClassVar[Ending] = PRINTED
    takes_sources: ClassVar[bool] = False  # whether the configuration names the tasks whose prompts are tried
    takes_protocols: ClassVar[bool] = False  # whether prompts may be used otherwise than as they are
    in_base_and_new: ClassVar[bool] = False  # whether the base and the new classes of a task are tasks of their own
    own_tasks: ClassVar[bool] = False  # whether each task's own prompt is measured, so that methods and ways to share prompts compare
    offers_choice: ClassVar[bool] = False  # whether for every task one of the others' prompts could be chosen
    needs_prompts: ClassVar[bool] = True  # whether a study must have a method with a prompt for each task

    given: tuple[str, ...]
    tasks: tuple[str, ...]
    learners: tuple[str, ...]
    pooled: tuple[str, ...] = ()

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Design:
        """The design of a checked configuration whose tasks are listed."""
        given, listed = tuple(config["tasks"]), config.get("multitask")
        pooled = tuple(listed) if isinstance(listed, list) else ()
        tasks = tuple(subset_name(task, subset) for task in given for subset in SUBSETS) if cls.in_base_and_new else given
        own = tuple(subset_name(task, BASE) for task in given) if cls.in_base_and_new else given
        return cls(given, tasks, _sources(config) if cls.takes_sources else own, pooled)

    @abstractmethod
    def tries(self, source: str, target: str) -> bool:
        """Whether the prompt of one task is tried on another, or on the task itself."""

    def measures(self, source: str, target: str) -> bool:
        """Whether the study has a cell of `source`'s prompt, which may be a row beside the tasks, on `target`."""
        if source in CALIBRATION:
            return True
        if source not in self.tasks:
            return target not in self.pooled
        return self.tries(source, target)

    def draws_from(self, task: str) -> bool:
        """Whether training images are drawn from a task, or from its base or new classes."""
        return any(whole_of(learner) == task for learner in self.learners)


DESIGNS: Registry[type[Design]] = Registry("design")
CALLED = {"tries": ("source", "target"), "measures": ("source", "target"), "draws_from": ("task",)}
Registered = TypeVar("Registered", bound=type[Design])


def register(design: Registered) -> Registered:
    """Add a design. UserError for a name that is taken or that no column could have."""
    require_column("design", design.name)
    for name, arguments in CALLED.items():
        require(f"design `{design.name}`: its `{name}`", getattr(design, name), ("self", *arguments))
    DESIGNS.add(design.name, design)
    return design


@register
class Matrix(Design):
    """Every task's prompt on every task."""

    name = "matrix"
    ending = EXPLAINED
    takes_protocols = own_tasks = offers_choice = True

    def tries(self, source: str, target: str) -> bool:
        return True


@register
class FewShot(Design):
    """Every task's prompt on the task itself."""

    name = "few_shot"
    ending = COMPARED
    own_tasks = True
    needs_prompts = False

    def tries(self, source: str, target: str) -> bool:
        return source == target


@register
class BaseToNew(Design):
    """Prompts of each task's base classes on its base and its new classes."""

    name = "base_to_new"
    question = "Do prompts hold for classes they have not seen?"
    words = (
        "A prompt is trained on images of the base classes, the first half of a task’s classes, and tried on test "
        "images of the base classes (among these) and of the new classes (among those). H is the harmonic mean of the two; in "
        "the rows of the average it is that of the averages, as papers report it."
    )
    in_base_and_new = True

    def tries(self, source: str, target: str) -> bool:
        return whole_of(source) == whole_of(target)


@dataclass(frozen=True)
class FromSources(Design):
    """Prompts of some source tasks on all tasks; of those that are no source nothing is wanted but test images.

    on_others: whether the sources are all tasks but those of one's own, and their prompts are tried on these alone.
    """

    takes_sources = True

    on_others: bool = False

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Design:
        usual = super().of(config)
        return cls(usual.given, usual.tasks, usual.learners, usual.pooled, config["sources"] == EVERY)

    def tries(self, source: str, target: str) -> bool:
        return not self.on_others or target not in self.learners


@register
class CrossDataset(FromSources):
    """From source tasks to tasks of other things."""

    name = "cross_dataset"
    question = "Do prompts hold for other data sets?"
    words = (
        "A prompt is trained on a source task and used as it is on every other, with the class names of the target. "
        "The average is over the targets that are no source."
    )


@register
class Domain(FromSources):
    """From source tasks to other images of the same things."""

    name = "domain"
    question = "Do prompts hold for other images of the same things?"
    words = (
        "A prompt is trained on a source task and used as it is on others with the same or some of its classes, of which "
        "no training image is seen. The average is over the targets that are no source."
    )


DESIGNS.seal()


def _sources(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Those listed, or all tasks of the study but those of one's own."""
    return tuple(task for task in config["tasks"] if task not in config["data"]) if config["sources"] == EVERY else tuple(config["sources"])


def design(config: Mapping[str, Any]) -> Design:
    """The design of a checked configuration whose tasks are listed."""
    return DESIGNS[config["design"]].of(config)


def check(config: Mapping[str, Any]) -> None:
    """UserError for a design that contradicts the other keys."""
    chosen, name = DESIGNS[config["design"]], config["design"]
    if config["sources"] and not chosen.takes_sources:
        with_sources = _named(one.name for one in DESIGNS.values() if one.takes_sources)
        raise UserError(f"`sources` is for {with_sources}, not for {name}; leave it out of the configuration")
    if chosen.takes_sources and not config["sources"]:
        raise UserError(f"`design: {name}` needs `sources`, the tasks whose prompts are tried on the others; list at least one")
    if config["sources"] == EVERY and not 0 < len(_sources(config)) < len(config["tasks"]):
        raise UserError(
            f"`sources: {EVERY}` are the tasks that `data` does not describe, whose prompts are tried on those that it does; the study "
            "needs some of each, such as `tasks: all` and one task under `data`"
        )
    if not chosen.takes_protocols and config["protocols"] != [FROZEN.name]:
        raise UserError(f"`design: {name}` uses prompts as they are, so `protocols` must be [{FROZEN.name}]; mend it in the configuration")
    for key in ("multitask", "joint"):
        if config.get(key) and not chosen.own_tasks:
            with_own = _named(one.name for one in DESIGNS.values() if one.own_tasks)
            raise UserError(f"`{key}` is for {with_own}, not for {name}; leave it out of the configuration")


def check_without_prompts(config: Mapping[str, Any], prompts: Sequence[str]) -> None:
    """UserError unless the study can be one whose `methods` lists none of those that have a prompt for each task, `prompts`."""
    if DESIGNS[config["design"]].needs_prompts:
        without = _named((one.name for one in DESIGNS.values() if not one.needs_prompts), "or")
        raise UserError(
            f"`methods` must list at least one whose prompts can be moved from task to task ({', '.join(prompts)}), not only "
            f"{', '.join(config['methods'])}; add one in the configuration, or write {without} to compare methods on tasks "
            "of their own"
        )
    for key in ("multitask", "joint"):
        if config[key]:
            raise UserError(
                f"`{key}` is about prompts that are tuned on several tasks, and `methods` lists none of {', '.join(prompts)}; add one, or "
                f"leave `{key}` out of the configuration"
            )


def _named(names: Iterable[str], word: str = "and") -> str:
    """Designs as one writes them in the configuration, in a sentence."""
    *most, last = (f"`design: {name}`" for name in names)
    return f"{', '.join(most)} {word} {last}" if most else last
