"""What could not be computed, by reason, for those who read a report."""

import pandas as pd

from promptatlas.analysis.statistics.joint import FROZEN, way
from promptatlas.study.multitask import ROWS

UNTUNED = ("scratch", "template")


def failed_by_reason(transfer: pd.DataFrame, baselines: pd.DataFrame, joint: pd.DataFrame | None = None) -> list[dict]:
    """One record per reason in the tables of those names, with the results that it kept from being computed: their method,
    prompt, task and seeds.

    prompt: nothing for a task's own, else the task that it was trained on or, for multitask and joint prompts, a way to have one. Rows of
    untuned prompts are left out: where they fail so does everything else.
    """
    own = transfer[~transfer["source"].isin(UNTUNED)]
    parts = [own.assign(prompt=[_prompt(*one) for one in zip(own["source"], own["target"], strict=True)]), baselines.assign(prompt="")]
    if joint is not None:
        ways = [way(*one) for one in zip(joint["source"], joint["adaptation"], strict=True)]
        parts.append(joint.assign(prompt=ways, target=joint["task"]))
    parts = [part[part["failed"] != ""] for part in parts if "failed" in part]  # tables of earlier versions have no such column
    rows = pd.concat(parts) if parts else pd.DataFrame({"failed": []})
    return [
        {"reason": reason, "results": [_result(key, part) for key, part in some.groupby(["method", "prompt", "target"], sort=False)]}
        for reason, some in rows.groupby("failed", sort=False)
    ]


def _prompt(source: str, target: str) -> str:
    if source in ROWS:
        return way(source, FROZEN)
    return "" if source == target else source


def _result(key: tuple[str, str, str], rows: pd.DataFrame) -> dict:
    method, prompt, task = key
    return {"method": method, "prompt": prompt, "task": task, "seeds": sorted({int(seed) for seed in rows["seed"].dropna()})}
