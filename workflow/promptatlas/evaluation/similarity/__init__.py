"""Similarity of tasks from cached features: a table with one row per (measure, source, target).

Knows nothing of transfer results. Each file holds one family of measures and registers them by decorator. pandas is imported
where a table is made: every plan of a study asks for the names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from promptatlas.base.errors import UserError
from promptatlas.evaluation.similarity import label, truth, visual  # noqa: F401  (importing registers the measures)
from promptatlas.evaluation.similarity.registry import Corpus, Measure, lookup, measure, registered

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COLUMNS", "Corpus", "Measure", "compute", "lookup", "measure", "registered"]

COLUMNS = ("measure", "family", "directed", "source", "target", "method", "seed", "value")
TRUTH = "truth"


def corpus(tasks: dict) -> Corpus:
    """Gather `tasks` (name -> (Task, encoded arrays with features_train (N, D) and class_features (C, D)))."""
    for name, (_, encoded) in tasks.items():
        for key in ("features_train", "class_features"):
            if key not in encoded or not len(encoded[key]):
                raise UserError(f"the encoded task '{name}' has no '{key}'; delete its file under encoded/ and run again")
            if not np.isfinite(encoded[key]).all():
                raise UserError(f"'{key}' of the encoded task '{name}' is not finite; delete its file under encoded/ and run again")
    return Corpus(
        names=tuple(tasks),
        tasks=tuple(task for task, _ in tasks.values()),
        images=tuple(encoded["features_train"] for _, encoded in tasks.values()),
        classes=tuple(encoded["class_features"] for _, encoded in tasks.values()),
    )


def compute(tasks: dict, names: list[str] | None = None) -> pd.DataFrame:
    """The table `similarity` for `tasks` (see `corpus`) and the measures called `names` (None: all that are registered).

    One row per measure and ordered pair, the pair of a task with itself included. What is defined for no pair
    has no values; the ground truth (`factor_overlap`) is left out there, as only drawn tasks have it.
    """
    import pandas as pd

    if not tasks:
        return pd.DataFrame(columns=list(COLUMNS))
    gathered = corpus(tasks)
    blocks = []
    for chosen in [lookup(name) for name in (registered() if names is None else names)]:
        values = np.asarray(chosen.compute(gathered), dtype=np.float64)
        if chosen.family == TRUTH and not np.isfinite(values).any():
            continue
        source, target = np.meshgrid(gathered.names, gathered.names, indexing="ij")
        blocks.append(
            pd.DataFrame(
                {
                    "measure": chosen.name,
                    "family": chosen.family,
                    "directed": chosen.directed,
                    "source": source.ravel(),
                    "target": target.ravel(),
                    "method": "",
                    "seed": pd.array([pd.NA] * values.size, dtype="Int64"),
                    "value": values.ravel(),
                }
            )
        )
    if not blocks:
        return pd.DataFrame(columns=list(COLUMNS))
    return pd.concat(blocks, ignore_index=True)[list(COLUMNS)]
