"""Which tasks are of one family, and whether "beyond family" can be asked at all.

Tasks of a family resemble each other in how their prompts transfer and in everything else, whatever the measure. A test that
renames single tasks takes that for a link: with unrelated effects of families on both sides it rejects in 30 of 100 cases
instead of 5. Renaming whole families and tasks inside them (`permutation.block_relabellings`) does not.
"""

from collections import Counter
from collections.abc import Sequence
from math import factorial, prod

import pandas as pd

NONE = ("", "own")  # tasks of one's own for which no family was given, and tasks that could not be prepared


def of_tasks(tasks: pd.DataFrame) -> pd.Series:
    """Family by task from the table `tasks`; a task without one is its own."""
    named = zip(tasks["task"], tasks["family"].fillna(""), strict=True)
    return pd.Series({task: f"only {task}" if family in NONE else f"family {family}" for task, family in named}, dtype=object)


def repeated(families: Sequence[str]) -> bool:
    """Whether some tasks share a family and others do not: with one family for all, or one each, there is nothing beyond it."""
    return 1 < len(set(families)) < len(families)


def summary(families: Sequence[str]) -> dict:
    """What a report says of families: whether beyond family is asked, their number, and the smallest p that renaming can give.

    `smallest_p` is one over the number of ways to rename families of equal size and tasks inside them; None where not asked.
    """
    if not repeated(families):
        return {"n": len(set(families)), "beyond": False, "smallest_p": None}
    sizes = Counter(Counter(families).values())
    ways = prod(factorial(many) * factorial(size) ** many for size, many in sizes.items())
    return {"n": len(set(families)), "beyond": True, "smallest_p": 1 / ways}
