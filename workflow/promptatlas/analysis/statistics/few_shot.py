"""summary.json of a study that compares methods on tasks of their own."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from promptatlas.analysis import published
from promptatlas.analysis.published.settings import difference
from promptatlas.analysis.statistics.failed import failed_by_reason
from promptatlas.analysis.statistics.joint import compare_joint
from promptatlas.analysis.statistics.methods import compare
from promptatlas.analysis.statistics.summary import cautions, plain, template_scores
from promptatlas.study.designs import Design, FewShot


def summary(
    transfer: pd.DataFrame,
    tasks: pd.DataFrame,
    baselines: pd.DataFrame,
    methods: pd.DataFrame,
    joint: pd.DataFrame | None,
    sources: Sequence[str],
    printed: Sequence[Mapping] = (),
    shared: pd.DataFrame | None = None,
    design: str = FewShot.name,
) -> dict:
    """The dict written to summary.json, from the tables of those names; `sources` are those tuned on many tasks, `printed`
    means that others published, `shared` is the table `shared_images`."""
    every = methods if joint is None else pd.concat([methods, joint])
    measured = every[every["score"].notna()]
    comparison = compare(methods)
    return plain(
        {
            "design": design,
            "tasks": list(tasks["task"]),
            "methods": list(dict.fromkeys(methods["method"])),
            "n_methods_measured": int(methods.loc[methods["score"].notna(), "method"].nunique()),
            "n_tasks_measured": int(measured["task"].nunique()),
            "seeds": sorted({int(seed) for seed in measured["seed"].dropna()}),
            "shots": sorted({int(shots) for shots in transfer["shots"]}),
            "backbone": transfer["backbone"].iloc[0],
            "n_scores": len(measured),
            "n_missing_scores": len(every) - len(measured),
            "comparison": comparison,
            "published_means": _beside(comparison, printed),
            "joint": [] if joint is None else compare_joint(joint, transfer, sources),
            "holes": failed_by_reason(transfer, baselines, joint),
            **cautions(transfer, tasks, shared, template_scores(transfer), baselines),
        }
    )


def published_means(design: Design, weights: str, shots: int, config: Mapping[str, Any]) -> list[dict]:
    """Means (0..1) that were printed for the same tasks, weights and shots; `note` names the settings that differ.

    config: the study's resolved configuration.
    """
    if any("classes" in config["data"].get(task, {}) for task in design.given):
        return []
    rows = published.printed(design.name, design.given, weights, shots).to_dict("records")
    return [{key: row[key] for key in ("method", "form", "score", "reference")} | {"note": difference(row, config)} for row in rows]


def _beside(comparison: Mapping, printed: Sequence[Mapping]) -> list[dict]:
    """Those of the printed means whose method was measured; none where the measured means leave a task out."""
    measured = {one["method"]: one["mean"] for one in comparison["methods"]}
    if comparison["tasks_left_out"]:
        return []
    return [{**one, "measured": measured[one["method"]]} for one in printed if one["method"] in measured]
