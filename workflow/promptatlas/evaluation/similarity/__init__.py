"""Similarity of tasks from cached features: a table with one row per (measure, source, target).

Knows nothing of transfer results. Each file holds one family of measures and registers them by decorator. pandas is imported
where a table is made: every plan of a study asks for the names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from promptatlas.base.errors import UserError
from promptatlas.evaluation.similarity import label, truth, visual  # noqa: F401  (importing registers the measures)
from promptatlas.evaluation.similarity.registry import MEASURES, Corpus, Measure, chosen, lookup, measure, needs, register, registered

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "COLUMNS",
    "MEASURES",
    "Corpus",
    "Measure",
    "chosen",
    "compute",
    "corpus",
    "lookup",
    "measure",
    "needs",
    "register",
    "registered",
]

MEASURES.seal()

COLUMNS = ("measure", "family", "directed", "source", "target", "method", "seed", "value")
ENCODED = ("features_train", "class_features")
TRUTH = "truth"
Prompts = Mapping[tuple[str, int], Mapping[str, Mapping[str, np.ndarray]]]


def corpus(tasks: dict, wanted: Sequence[str] = (), prompts: Mapping[str, Mapping[str, np.ndarray]] | None = None) -> Corpus:
    """Gather `tasks` (name -> (Task, encoded arrays with features_train (N, D) and class_features (C, D), and, where `wanted` has
    labels, labels_train)); prompts: by task, those of one method and seed."""
    for name, (_, encoded) in tasks.items():
        for key in (*ENCODED, *(["labels_train"] if "labels" in wanted else [])):
            if key not in encoded or not len(encoded[key]):
                raise UserError(f"the encoded task '{name}' has no '{key}'; delete its file under encoded/ and run again")
            if not np.isfinite(encoded[key]).all():
                raise UserError(f"'{key}' of the encoded task '{name}' is not finite; delete its file under encoded/ and run again")
    images, classes = (tuple(encoded[key] for _, encoded in tasks.values()) for key in ENCODED)
    return Corpus(
        names=tuple(tasks),
        tasks=tuple(task for task, _ in tasks.values()),
        images=images,
        classes=classes,
        labels=tuple(encoded["labels_train"] for _, encoded in tasks.values()) if "labels" in wanted else (),
        logits=tuple(own @ names.T for own, names in zip(images, classes, strict=True)) if "logits" in wanted else (),
        prompts=tuple(prompts[name] for name in tasks) if prompts else (),
    )


def compute(tasks: dict, names: str | Sequence[str] = "all", prompts: Prompts | None = None) -> pd.DataFrame:
    """The table `similarity` for `tasks` (see `corpus`) and the measures called `names`.

    One row per measure and ordered pair, the pair of a task with itself included; for measures that need prompts, one per method
    and seed, from `prompts`: (method, seed) -> task -> arrays. What is defined for no pair has no values; the ground truth
    (`factor_overlap`) is left out there, as only drawn tasks have it.
    """
    import pandas as pd

    blocks = []
    for one in chosen(names) if tasks else ():
        for (method, seed), values in _matrices(one, tasks, prompts or {}):
            if one.family == TRUTH and not np.isfinite(values).any():
                continue
            source, target = np.meshgrid([*tasks], [*tasks], indexing="ij")
            blocks.append(
                pd.DataFrame(
                    {
                        "measure": one.name,
                        "family": one.family,
                        "directed": one.directed,
                        "source": source.ravel(),
                        "target": target.ravel(),
                        "method": method,
                        "seed": pd.array([pd.NA if seed is None else seed] * values.size, dtype="Int64"),
                        "value": values.ravel(),
                    }
                )
            )
    if not blocks:
        return pd.DataFrame(columns=list(COLUMNS))
    return pd.concat(blocks, ignore_index=True)[list(COLUMNS)]


def _matrices(one: Measure, tasks: dict, prompts: Prompts) -> Iterator[tuple[tuple[str, int | None], np.ndarray]]:
    """By method and seed, ("", None) where a measure looks at no prompts, its values (n, n); NaN where a task has no prompt."""
    if "prompts" not in one.needs:
        yield ("", None), _values(one, corpus(tasks, one.needs))
        return
    for at, given in prompts.items():
        there = [name for name in tasks if name in given]
        values = np.full((len(tasks), len(tasks)), np.nan)
        places = [number for number, name in enumerate(tasks) if name in given]
        if there:
            values[np.ix_(places, places)] = _values(one, corpus({name: tasks[name] for name in there}, one.needs, given))
        yield at, values


def _values(one: Measure, gathered: Corpus) -> np.ndarray:
    """What a measure gives, if it is what a measure has to give."""
    values, count = np.asarray(one.compute(gathered), dtype=np.float64), len(gathered.names)
    if values.shape != (count, count):
        raise UserError(f"measure {one.name!r} gave an array of shape {values.shape} for {count} tasks; it has to give one number per pair")
    if not one.directed and not np.allclose(values, values.T, equal_nan=True):
        raise UserError(f"measure {one.name!r} is registered as not directed, but differs by direction; register it as directed")
    return values
