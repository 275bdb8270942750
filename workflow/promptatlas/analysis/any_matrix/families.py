"""Which tasks are of one family, from a file of two columns: task, family."""

import pandas as pd

from promptatlas.analysis.any_matrix.columns import simple
from promptatlas.analysis.any_matrix.table import GivenTable
from promptatlas.base.errors import UserError
from promptatlas.base.messages import plain, some, suggest


def read(table: GivenTable | None, tasks: tuple[str, ...], notes: list[str]) -> pd.DataFrame:
    """The columns `task`, `title` and `family`, "" where none is given, as `statistics.families` reads them."""
    frame = pd.DataFrame({"task": list(tasks), "title": list(tasks), "family": ""})
    if table is None:
        return frame
    called = [simple(name) for name in table.head]
    if "family" not in called or "task" not in called:
        raise UserError(f"{table.file} has the columns {some(map(plain, table.head), 6)}; families need two, `task` and `family`")
    known: dict[str, str] = {}
    for number, row in enumerate(table.rows):
        task, family = (str(row[called.index(column)] or "").strip() for column in ("task", "family"))
        if task not in tasks:
            raise UserError(f"{table.at(number, called.index('task'))}: the matrix has no task '{plain(task)}'; {suggest(task, tasks)}")
        if known.setdefault(task, family) != family:
            raise UserError(
                f"{table.at(number, called.index('family'))}: '{plain(task)}' is of family '{plain(known[task])}' above; it can have one"
            )
    if lacking := [task for task in tasks if not known.get(task)]:
        notes.append(f"{table.file}: no family for {some(map(plain, lacking), 6)}; each counts as its own.")
    return frame.assign(family=[known.get(task, "") for task in tasks])
