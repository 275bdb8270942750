"""What joint adaptation does: prompts of groups and of the multitask source beside each task's own (MVLPT, Table 2)."""

from collections.abc import Sequence
from math import nan

import pandas as pd

from promptatlas.analysis import published
from promptatlas.analysis.statistics.methods import compare
from promptatlas.study import protocols

SINGLE, JOINT = "single", "joint"
SCRATCH, FROZEN = "scratch", protocols.FROZEN.name


def compare_joint(joint: pd.DataFrame, transfer: pd.DataFrame, sources: Sequence[str]) -> list[dict]:
    """One record per prompt method, from the tables `joint` and `transfer`: `statistics.methods.compare` with ways to have a
    prompt in place of methods and each task's own prompt from scratch as the base.

    Ways are `single` and `joint`, from scratch; `<source> single` and `<source> joint`, from a multitask source; and
    `<source> frozen`, that source as it is; each also has standard deviations over seeds, of its mean and by task. sources: what
    tables call multitask sources. groups: those of two tasks and more. published: what was printed for the same, or None.
    """
    records = []
    for method, own in joint.groupby("method", sort=False):
        adapted = own.assign(method=[way(*one) for one in zip(own["source"], own["adaptation"], strict=True)])
        frozen = transfer[(transfer["method"] == method) & (transfer["protocol"] == FROZEN) & transfer["source"].isin(sources)].rename(
            columns={"target": "task"}
        )
        frozen = frozen.assign(method=[way(source, FROZEN) for source in frozen["source"]])
        table = pd.concat([adapted, frozen], ignore_index=True)
        groups = own.loc[(own["source"] == SCRATCH) & (own["adaptation"] == JOINT)].drop_duplicates("task")
        shared = [sorted(part["task"]) for _, part in groups.groupby("group", sort=False) if len(part) > 1]
        found = compare(table, SINGLE)
        tasks = [task for task in sorted(set(own["task"])) if task not in found["tasks_left_out"]]
        for one in found["methods"]:
            one |= _deviations(table[table["method"] == one["method"]], tasks)
        about = {"method": method, "classes": own["classes"].iloc[0], "groups": shared, "published": _published(own, tasks)}
        records.append(about | found)
    return records


def way(source: str, adaptation: str) -> str:
    """What a way to have a prompt is called, from the columns of the tables."""
    return adaptation if source == SCRATCH else f"{source} {adaptation}"


def _deviations(own: pd.DataFrame, tasks: Sequence[str]) -> dict:
    """Standard deviations over seeds, as of scores 0..1: of the mean over `tasks`, and of each task; NaN for fewer than two seeds."""
    by_seed = own.pivot(index="task", columns="seed", values="score")
    mean = by_seed.reindex(tasks).mean(skipna=False)
    return {"deviation": float(mean.std()), "deviation_by_task": by_seed.std(axis=1).to_dict()}


def _published(own: pd.DataFrame, tasks: Sequence[str]) -> dict | None:
    """What MVLPT's Table 2 has for a method and the tasks of its rows of the table `joint`, if weights and shots are the paper's.

    ways: as measured ones are called, with scores by task. mean: the printed one if all tasks of the paper are compared here
    (`tasks`), else, with `derived`, that of the compared ones if all were printed. other_metric: tasks that are scored otherwise here,
    with both metrics.
    """
    weights, shots = own["backbone"].iloc[0].replace("-quickgelu/", "/"), own["shots"].iloc[0]
    if weights != published.TABLE2_WEIGHTS or shots != published.TABLE2_SHOTS:
        return None
    printed = published.table2()
    printed = printed[printed["method"] == own["method"].iloc[0]]
    here = printed[printed["task"].isin(own["task"])]
    if here.empty:
        return None
    whole = set(tasks) == set(printed["task"]) - {published.AVERAGE}
    ways = []
    for (source, adaptation), part in printed.groupby(["source", "adaptation"], sort=False):
        by_task = part.set_index("task")
        scores = by_task["score"].reindex(list(tasks))
        mean, deviation = by_task.loc[published.AVERAGE, ["score", "deviation"]] if whole else (scores.mean(skipna=False), nan)
        known = by_task["score"].filter(sorted(set(own["task"]))).to_dict()
        ways.append({"method": way(source, adaptation), "mean": float(mean), "deviation": float(deviation), "by_task": known})
    metrics = own.drop_duplicates("task").set_index("task")["metric"]
    there = here.drop_duplicates("task").set_index("task")["metric"]
    other = {task: [metrics[task], metric] for task, metric in there.items() if metric != metrics[task]}
    return {"reference": published.TABLE2_SOURCE, "ways": ways, "derived": not whole, "other_metric": other}
