"""summary.json of a study that compares methods on tasks of their own. Knows nothing of how the report looks."""

from collections.abc import Sequence

import pandas as pd

from promptatlas.statistics.checks import TOLERATED_POINTS, zero_shot_check
from promptatlas.statistics.holes import holes
from promptatlas.statistics.joint import compare_joint
from promptatlas.statistics.methods import compare
from promptatlas.statistics.summary import plain


def summary(
    transfer: pd.DataFrame,
    tasks: pd.DataFrame,
    baselines: pd.DataFrame,
    methods: pd.DataFrame,
    joint: pd.DataFrame | None,
    sources: Sequence[str],
) -> dict:
    """The dict written to summary.json, from the tables of those names; `sources` are those tuned on many tasks."""
    scores = methods["score"] if joint is None else pd.concat([methods["score"], joint["score"]])
    template = transfer[transfer["source"] == "template"].drop_duplicates("target").set_index("target")["score"]
    return plain(
        {
            "design": "few_shot",
            "tasks": list(tasks["task"]),
            "methods": list(dict.fromkeys(methods["method"])),
            "seeds": sorted({int(seed) for seed in transfer["seed"]}),
            "shots": sorted({int(shots) for shots in transfer["shots"]}),
            "backbone": transfer["backbone"].iloc[0],
            "n_scores": int(scores.notna().sum()),
            "n_missing_scores": int(scores.isna().sum()),
            "comparison": compare(methods),
            "joint": [] if joint is None else compare_joint(joint, transfer, sources),
            "holes": holes(transfer, baselines, joint),
            "zero_shot_check": zero_shot_check(tasks, template, baselines),
            "zero_shot_tolerated_points": TOLERATED_POINTS,
        }
    )
