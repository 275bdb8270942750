"""Similarity of tasks from cached features: a table with one row per (measure, source, target).

Knows nothing of transfer results. Each file holds one family of measures and registers them by decorator. pandas is imported
where a table is made: every plan of a study asks for the names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from promptatlas.base.errors import UserError
from promptatlas.evaluation.similarity import fisher, kernels, label, neighbourhoods, otdd, prompt, transport, truth, visual  # noqa: F401  (importing registers)
from promptatlas.evaluation.similarity.registry import (
    ALL,
    MEASURES,
    STANDARD,
    Behaviour,
    Corpus,
    Measure,
    chosen,
    lookup,
    measure,
    needs,
    register,
    registered,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "ALL",
    "COLUMNS",
    "MEASURES",
    "STANDARD",
    "Behaviour",
    "Corpus",
    "Measure",
    "chosen",
    "compute",
    "corpus",
    "gaps",
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
Arrays = Mapping[str, np.ndarray]
Trained = tuple[str, int]  # method and seed
Prompts = Mapping[Trained, Mapping[str, Arrays]]
WhatFailed = Callable[[Measure, Exception], None]


def corpus(
    tasks: dict, wanted: Sequence[str] = (), prompts: Mapping[str, Arrays] | None = None, start: Arrays | None = None,
    behaviours: Mapping[str, Behaviour] | None = None,
) -> Corpus:  # fmt: skip
    """Gather `tasks` (name -> (Task, encoded arrays with features_train (N, D) and class_features (C, D), and, where `wanted` has
    labels, labels_train)); by task the prompts of one method and seed, and behaviours; start: of these prompts."""
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
        start=start or {},
        behaviours=tuple(behaviours[name] for name in tasks) if behaviours else (),
    )


def compute(
    tasks: dict, names: str | Sequence[str] = STANDARD, prompts: Prompts | None = None, starts: Mapping[Trained, Arrays] | None = None,
    behaviours: Mapping[Trained, Mapping[str, Behaviour]] | None = None, failed: WhatFailed | None = None,
) -> pd.DataFrame:  # fmt: skip
    """The table `similarity` for `tasks` (see `corpus`) and the measures called `names`.

    `names`: a list, "standard" or "all". One row per measure and ordered pair, the pair of a task with itself included; for measures
    that need prompts, one per method and seed, from `prompts`: (method, seed) -> task -> arrays, and where they need them `starts`, the
    arrays of the untrained prompts, and `behaviours` of the prompts. What is defined for no pair has no values; the ground truth
    (`factor_overlap`) is left out there, as only drawn tasks have it. failed: is told of a measure that raises or gives no matrix, whose
    values are then unknown; without it the error is raised.
    """
    import pandas as pd

    blocks = []
    for one in chosen(names) if tasks else ():
        for (method, seed), values in _matrices(one, tasks, prompts or {}, starts or {}, behaviours or {}, failed):
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


def _matrices(
    one: Measure,
    tasks: dict,
    prompts: Prompts,
    starts: Mapping[Trained, Arrays],
    behaviours: Mapping[Trained, Mapping[str, Behaviour]],
    failed: WhatFailed | None,
) -> Iterator[tuple[tuple[str, int | None], np.ndarray]]:
    """By method and seed, ("", None) where a measure looks at no prompts, its values (n, n); NaN where a task has no prompt, or too
    few images or classes."""
    enough = {name: given for name, given in tasks.items() if not _lacks(one, given[1])}
    if "prompts" not in one.needs:
        yield ("", None), _placed(one, tasks, enough, failed)
        return
    for at, given in prompts.items():
        some = {name: task for name, task in enough.items() if name in given}
        yield at, _placed(one, tasks, some, failed, given, starts.get(at), behaviours.get(at))


def _placed(one: Measure, tasks: dict, some: dict, failed: WhatFailed | None, *of_prompts: Any) -> np.ndarray:
    """What a measure gives for `some` of the tasks, in the places of all (n, n); NaN elsewhere, and everywhere if it fails."""
    values = np.full((len(tasks), len(tasks)), np.nan)
    places = [number for number, name in enumerate(tasks) if name in some]
    if some:
        gathered = corpus(some, one.needs, *of_prompts)
        try:
            values[np.ix_(places, places)] = _values(one, gathered)
        except Exception as error:
            if failed is None:
                raise
            failed(one, error)
    return values


def gaps(tasks: dict, names: str | Sequence[str] = STANDARD) -> list[str]:
    """A sentence for each measure of `names` and task (see `corpus`) that has too little for it."""
    return [
        f"{one.name} is not defined for task {name}: {lack}"
        for one in chosen(names)
        for name, (_, encoded) in tasks.items()
        if (lack := _lacks(one, encoded))
    ]


def _lacks(one: Measure, encoded: Mapping[str, np.ndarray]) -> str:
    """What an encoded task has too little of for a measure; empty if it has enough."""
    for least, key, what in ((one.images, "features_train", "images"), (one.classes, "class_features", "classes")):
        count = len(encoded.get(key, ()))
        if 0 < count < least:
            return f"it has {count} {what} by which tasks are compared, and {least} are needed"
    return ""


def _values(one: Measure, gathered: Corpus) -> np.ndarray:
    """What a measure gives, if it is what a measure has to give."""
    values, count = np.asarray(one.compute(gathered), dtype=np.float64), len(gathered.names)
    if values.shape != (count, count):
        raise UserError(f"measure {one.name!r} gave an array of shape {values.shape} for {count} tasks; it has to give one number per pair")
    if not one.directed and not np.allclose(values, values.T, equal_nan=True):
        raise UserError(f"measure {one.name!r} is registered as not directed, but differs by direction; register it as directed")
    return values
