"""What to train when not everything can be, as it stands in summary.json: by protocol and method the best sources for every number of them,
and tasks to train jointly, both with what they are worth in seeds that did not choose them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from math import comb
from typing import Any

import numpy as np

from promptatlas.analysis.budget import groups, sources
from promptatlas.analysis.budget.gains import GainsBySeed
from promptatlas.analysis.statistics.scales import seed_mean

NUMBERS = (1, 2, 3, 5)  # of sources
MOST_TASKS = 60  # beyond it finding the answer takes minutes
MOST_GROUPS = 8_000  # to search: groups of four of 20 tasks, of three of 36, pairs of 60


def records(found: Sequence[GainsBySeed]) -> list[dict[str, Any]]:
    """One dict per protocol and method with gains; what one seed cannot tell is NaN."""
    return [_record(one) for one in found if len(one.tasks) <= MOST_TASKS and np.isfinite(_between(one)).any()]


def _between(one: GainsBySeed) -> np.ndarray:
    """Mean gains (n, n) from other tasks."""
    return np.where(np.eye(len(one.tasks), dtype=bool), np.nan, seed_mean(one.values))


def _record(one: GainsBySeed) -> dict[str, Any]:
    mean = _between(one)
    return {
        "protocol": one.protocol,
        "method": one.method,
        "n_tasks": len(one.tasks),
        "n_seeds": len(one.values),
        "n_missing": int(np.isnan(mean).sum()) - len(one.tasks),
        "unit": one.unit,
        "before": one.before,
        "sources": list(_sources(one, mean)),
        "groups": _groups(one, mean),
    }


def _sources(one: GainsBySeed, mean: np.ndarray) -> Iterator[dict[str, Any]]:
    """By number of sources, until one more gains nothing."""
    for k in NUMBERS:
        choice = sources.choose_sources(mean, k)
        if len(choice.sources) < k:
            return
        often = sources.often(one.values, k)
        serves = [
            {"source": one.tasks[source], "targets": _names(one, np.flatnonzero(choice.serves == source)), "often": float(often[source])}
            for source in choice.sources
        ]
        yield {"k": k, "gain": choice.value, "serves": serves} | asdict(sources.judged(one.values, k))


def _groups(one: GainsBySeed, mean: np.ndarray) -> dict[str, Any] | None:
    """The largest groups that can be searched; None where not even pairs can."""
    count = len(one.tasks)
    largest = max((size for size in (2, 3, 4) if sum(comb(count, n) for n in range(1, size + 1)) <= MOST_GROUPS), default=0)
    if not largest:
        return None
    found = groups.partition(mean, largest)
    worth, stable = groups.of_tasks(mean, found), groups.together(one.values, largest)
    several = [
        {"tasks": _names(one, group), "gain": float(worth[list(group)].mean()), "together": _least(stable, group)}
        for group in found
        if len(group) > 1
    ]
    alone = _names(one, [group[0] for group in found if len(group) == 1])
    judged = groups.judged(one.values, largest)
    return {"largest": largest, "groups": several, "alone": alone, "gain": float(np.nanmean(worth))} | asdict(judged)


def _least(stable: np.ndarray, group: Sequence[int]) -> float:
    return float(stable[np.ix_(group, group)][np.triu_indices(len(group), 1)].min())


def _names(one: GainsBySeed, tasks: Sequence[int] | np.ndarray) -> list[str]:
    return [one.tasks[task] for task in tasks]
