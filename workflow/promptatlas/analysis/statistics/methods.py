"""How good methods are on tasks of their own, side by side.

Methods are compared by paired differences: the same task, the same few-shot images, the same seed. Tasks and seeds are
both a sample of those one could have had, and a difference depends on both, also jointly on all tasks of a seed (a learner
that is shared by all tasks has one start). So the interval of a mean difference is that of two crossed random effects, and with
one seed there is none; two methods that know no seed differ by tasks alone.
"""

import itertools
import math

import numpy as np
import pandas as pd

from promptatlas.analysis.statistics.crossed import LEVEL, crossed_interval, over_tasks

BASE = "zero_shot"


def compare(table: pd.DataFrame, base: str = BASE) -> dict:
    """The table `methods` in numbers; scores are 0..1, differences from `base` and their intervals in points of 100.

    Only tasks on which every method is measured count; what a method has on the others is `by_task_left_out`. A seed that lacks
    some of these tasks counts on the others: a difference is the mean over tasks of what its pairs (of the same task and seed)
    differ by, and says on how many pairs, tasks and seeds it rests. `methods` is ordered from the best mean to the worst, and
    `pairs` has each method beside every worse one. What cannot be estimated is NaN.
    """
    scores = _scores(table)
    names = sorted(set(table["task"]))
    tasks = [name for name in names if scores and all(name in own for own in scores.values())]
    means = {method: np.array([np.mean(list(own[task].values())) for task in tasks]) for method, own in scores.items()}
    overall = {method: float(values.mean()) if tasks else math.nan for method, values in means.items()}
    order = sorted(scores, key=lambda method: (-np.nan_to_num(overall[method], nan=-1.0), method))
    places = pd.DataFrame(means, index=tasks).rank(axis=1, ascending=False).mean()
    methods = [
        {
            "method": method,
            "mean": overall[method],
            "rank": place,
            "mean_rank": float(places[method]),
            **_difference(scores, method, base, tasks),
            "by_task": dict(zip(tasks, means[method].tolist(), strict=True)),
            "by_task_left_out": {task: float(np.mean(list(own.values()))) for task, own in scores[method].items() if task not in tasks},
        }
        for place, method in enumerate(order, start=1)
    ]
    pairs = [{"better": one, "worse": other, **_difference(scores, one, other, tasks)} for one, other in itertools.combinations(order, 2)]
    return {
        "n_tasks": len(tasks),
        "tasks_left_out": [name for name in names if name not in tasks],
        "n_seeds": int(table.loc[table["score"].notna(), "seed"].nunique()),
        "shots": sorted({int(shots) for shots in table["shots"] if shots}),
        "level": LEVEL,
        "methods": methods,
        "pairs": pairs,
    }


def _scores(table: pd.DataFrame) -> dict[str, dict[str, dict[int | None, float]]]:
    """method -> task -> seed (None where a method has none) -> score."""
    scores: dict[str, dict[str, dict[int | None, float]]] = {}
    for method, task, seed, score in zip(table["method"], table["task"], table["seed"], table["score"], strict=True):
        if np.isfinite(score):
            own = scores.setdefault(method, {}).setdefault(task, {})
            own[None if pd.isna(seed) else int(seed)] = float(score)
    return scores


def _difference(scores: dict, method: str, other: str, tasks: list[str]) -> dict:
    """Paired difference in points of two methods: mean, interval, on how many tasks the first is better, and of how much."""
    nothing = {"difference": math.nan, "low": math.nan, "high": math.nan, "better_on": None, "n_pairs": 0, "n_tasks": 0, "n_seeds": 0}
    if not tasks or method == other or other not in scores:
        return nothing
    seeds = sorted({seed for one in (method, other) for task in tasks for seed in scores[one][task] if seed is not None})

    def of(one: str) -> np.ndarray:
        """(T, S) in points; NaN where a seed is missing."""
        return np.array([[100 * own.get(None, own.get(seed, math.nan)) for seed in seeds or [0]] for own in map(scores[one].get, tasks)])

    values = of(method) - of(other)
    there = np.isfinite(values)
    values, there = values[there.any(axis=1)], there[there.any(axis=1)]
    if not len(values):
        return nothing
    by_task = np.nansum(values, axis=1) / there.sum(axis=1)
    low, high = crossed_interval(values) if seeds else over_tasks(by_task)
    return {
        "difference": float(by_task.mean()),
        "low": low,
        "high": high,
        "better_on": int((by_task > 0).sum()),
        "n_pairs": int(there.sum()),
        "n_tasks": len(values),
        "n_seeds": int(there.any(axis=0).sum()) if seeds else 0,
    }
