"""Which tasks there are, by name, and how to prepare them. Knows nothing of models."""

import difflib
from pathlib import Path

from promptatlas.errors import UserError
from promptatlas.tasks.mini import MINI_TASKS
from promptatlas.tasks.prepared import SPLITS, write
from promptatlas.tasks.task import Task

BENCHMARKS = {"mini": tuple(MINI_TASKS)}


def names(benchmark: str = "mini") -> list[str]:
    """Names of the tasks of a benchmark, in the catalogue's order."""
    _require(benchmark, BENCHMARKS, "Benchmark")
    return list(BENCHMARKS[benchmark])


def task(name: str) -> Task:
    """The task called `name`."""
    _require(name, MINI_TASKS, "Task")
    return MINI_TASKS[name].task


def prepare(name: str, folder: str | Path) -> None:
    """Write the prepared folder of task `name`: pictures, labels and factors of all splits, then task.json."""
    _require(name, MINI_TASKS, "Task")
    mini = MINI_TASKS[name]
    splits, factors = {}, []
    for split in SPLITS:
        images, records = mini.pictures.split(split, mini.sizes[split])
        splits[split] = images, mini.labels(records)
        factors += [{"split": split, "number": number, **record} for number, record in enumerate(records)]
    write(folder, mini.task, splits, factors)


def _require(name: str, known, kind: str) -> None:
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}."
        raise UserError(f"{kind} {name!r} is unknown; {hint}")
