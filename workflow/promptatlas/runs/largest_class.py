"""Always answering the largest class: what a score is worth that does not beat it. Knows nothing of models or of how scores came about."""

from __future__ import annotations

from typing import Any

import pandas as pd

from promptatlas.study.designs import LARGEST_CLASS
from promptatlas.tasks import metrics

SAME = 1e-9  # scores closer than this are the same


def beats(score: pd.Series, blind: pd.Series) -> pd.Series:
    """Whether each score is above that of always answering the largest class; NA where one of them is missing."""
    return (score > blind + SAME).astype("boolean").mask(score.isna() | blind.isna())


def records(transfer: pd.DataFrame, tasks: pd.DataFrame) -> list[dict[str, Any]]:
    """Per task the score of its largest class, how many prompts (protocol, method and source; means over seeds) were tried on it,
    how many beat that, and what helps where none does; nothing for tables of earlier versions."""
    if LARGEST_CLASS not in tasks:
        return []
    tried = transfer.groupby(["target", "protocol", "method", "source"])["score"].mean().dropna()
    found = []
    for row in tasks.dropna(subset=[LARGEST_CLASS]).itertuples():
        scores = tried[tried.index.get_level_values("target") == row.task].to_numpy()
        above = int((scores > row.largest_class + SAME).sum())
        helps = metrics.lookup(row.metric).mean_over == "images" and row.largest_class > row.chance + SAME
        found.append({
            "task": row.task, "metric": row.metric, "score": row.largest_class, "n_prompts": len(scores), "n_above": above,
            "none_above": bool(len(scores) and not above), "remedy": metrics.BALANCED if helps and len(scores) and not above else "",
        })  # fmt: skip
    return found


def sentence(one: dict[str, Any]) -> str:
    """What is to be said of a record where no prompt is above; without subject and full stop."""
    remedy = f"; {one['remedy']}" if one["remedy"] else ""
    return f"no prompt scores above the {100 * one['score']:.1f} % of always answering the largest class{remedy}"
