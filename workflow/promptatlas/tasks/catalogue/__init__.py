"""Which tasks there are, by name: the embedded ones and, one YAML file each, published ones.

Quick to import and to ask: a file is parsed when its task is wanted.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from promptatlas.base.errors import UserError
from promptatlas.base.messages import suggest
from promptatlas.tasks.catalogue.benchmarks import BENCHMARKS
from promptatlas.tasks.catalogue.descriptions import override, own
from promptatlas.tasks.catalogue.entry import TaskEntry, from_record
from promptatlas.tasks.mini import MINI_TASKS
from promptatlas.tasks.task import Task

__all__ = ["TaskEntry", "described", "entry", "every", "names", "override", "own", "published", "task"]

FOLDER = Path(__file__).parent


def names(benchmark: str = "mini") -> list[str]:
    """Names of the tasks of a benchmark, in its own order."""
    if benchmark not in BENCHMARKS:
        raise UserError(f"Benchmark {benchmark!r} is unknown; {suggest(benchmark, BENCHMARKS)}")
    return list(BENCHMARKS[benchmark])


@cache
def published() -> tuple[str, ...]:
    """Names of the tasks with a file in the catalogue: those of benchmarks first, in their order."""
    files = sorted(path.stem for path in FOLDER.glob("*.yaml"))
    ordered = [name for tasks in BENCHMARKS.values() for name in tasks if name in set(files)]
    return tuple(dict.fromkeys([*ordered, *files]))


def every() -> list[str]:
    """Names of all tasks, embedded ones first."""
    return [*MINI_TASKS, *published()]


def task(name: str) -> Task:
    """The task called `name`."""
    return MINI_TASKS[name].task if name in MINI_TASKS else entry(name).task


@cache
def entry(name: str) -> TaskEntry:
    """All that the catalogue says of the published task `name`."""
    if name in MINI_TASKS:
        raise UserError(f"Task {name!r} is drawn by promptatlas; it has no source of data.")
    if name not in published():
        known = f"the tasks of {', '.join(BENCHMARKS)}"
        raise UserError(f"Task {name!r} is unknown; {suggest(name, every(), f'known: {known}.')}")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    record = yaml.load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"), Loader=loader)
    return from_record(name, record, tuple(benchmark for benchmark, tasks in BENCHMARKS.items() if name in tasks))


def described(name: str, description: Mapping[str, Any]) -> TaskEntry:
    """The task `name` as a study's configuration describes it: one's own if the catalogue does not know the name."""
    if name in MINI_TASKS:
        raise UserError(
            f"`data` describes `{name}`, but the task {name!r} is drawn by promptatlas and has no folder or other data; give your own "
            f"task another name, such as `my-{name}`, or leave `{name}` out of `data`"
        )
    if name not in published():
        return own(name, description)
    try:
        return override(entry(name), description)
    except UserError as error:
        raise UserError(
            f"{error} (`{name}` is the name of a published task; a task of your own needs another, such as `my-{name}`)"
        ) from None
