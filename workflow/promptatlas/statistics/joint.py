"""What sharing a prompt does: prompts of groups and of the multitask source beside each task's own (MVLPT, Table 2).

Knows nothing of how prompts are tuned or groups found.
"""

from collections.abc import Sequence

import pandas as pd

from promptatlas.statistics.methods import compare

SINGLE, JOINT = "single", "joint"
SCRATCH, FROZEN = "scratch", "frozen"


def compare_joint(joint: pd.DataFrame, transfer: pd.DataFrame, sources: Sequence[str]) -> list[dict]:
    """One record per prompt method, from the tables `joint` and `transfer`: `statistics.methods.compare` with ways to have a
    prompt in place of methods and each task's own prompt from scratch as the base.

    Ways are `single` and `joint`, from scratch; `<source> single` and `<source> joint`, from a multitask source; and
    `<source> frozen`, that source as it is. sources: what tables call multitask sources. groups: those of two tasks and more.
    """
    records = []
    for method, own in joint.groupby("method", sort=False):
        adapted = own.assign(method=[way(*one) for one in zip(own["source"], own["adaptation"], strict=True)])
        frozen = transfer[
            (transfer["method"] == method) & (transfer["protocol"] == FROZEN) & transfer["source"].isin(sources)
        ].rename(columns={"target": "task"})
        frozen = frozen.assign(method=[way(source, FROZEN) for source in frozen["source"]])
        table = pd.concat([adapted, frozen], ignore_index=True)
        groups = own.loc[(own["source"] == SCRATCH) & (own["adaptation"] == JOINT)].drop_duplicates("task")
        shared = [sorted(part["task"]) for _, part in groups.groupby("group", sort=False) if len(part) > 1]
        records.append({"method": method, "classes": own["classes"].iloc[0], "groups": shared, **compare(table, SINGLE)})
    return records


def way(source: str, adaptation: str) -> str:
    """What a way to have a prompt is called, from the columns of the tables."""
    return adaptation if source == SCRATCH else f"{source} {adaptation}"
