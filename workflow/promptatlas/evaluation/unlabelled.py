"""What can be said of a target without any label: how sure each prompt is of its answers and with what it agrees, and how close its images
and class names lie to those of every source.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from promptatlas.evaluation import similarity
from promptatlas.evaluation.estimates import ESTIMATORS, Observed, estimate
from promptatlas.evaluation.estimates.numbers import softmax

Encoded = tuple[Any, Mapping[str, np.ndarray]]
SEEN = {"images", "class_names"}  # of the target, its features
FROM_ANSWERS = {"hand_written", "majority"}


def estimators() -> list[str]:
    """Names of the estimators that look at answers alone."""
    return [name for name, one in ESTIMATORS.items() if {*one.needs} <= FROM_ANSWERS and not one.costly]


def measures() -> list[str]:
    """Names of the measures of similarity that look at features alone."""
    return [name for name in similarity.registered() if similarity.lookup(name).needs and {*similarity.lookup(name).needs} <= SEEN]


def by_answers(logits: np.ndarray, hand_written: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """By estimator (P,), larger = better, from logits (P, N, C) of P prompts and (N, C) of the zero-shot one; NaN where one is not
    defined. A prompt whose logits are not finite numbers has none, and no part in the majority."""
    sound = np.isfinite(logits).all(axis=(1, 2))
    majority = np.mean([softmax(own) for own in logits[sound]], axis=0) if sound.any() else None
    names = estimators()
    found = [estimate(Observed(own, hand_written=hand_written, majority=majority), names) for own in logits]
    return {name: np.array([one[name].value for one in found]) for name in names}


def by_closeness(sources: Mapping[str, Encoded], target: Encoded) -> dict[str, np.ndarray]:
    """By measure (S,), larger = closer, of S source tasks to a target, each a `Task` and its features (see `similarity.corpus`), of a
    target that may be a source too; NaN where a measure is not defined.

    As many images are compared from each task as the target has, if it has fewer than they.
    """
    tasks = {f"source {name}": given for name, given in sources.items()} | {"target": target}
    table = similarity.compute(tasks, measures())
    column = table[(table["target"] == "target") & (table["source"] != "target")]
    return {name: column.loc[column["measure"] == name, "value"].to_numpy() for name in measures()}
