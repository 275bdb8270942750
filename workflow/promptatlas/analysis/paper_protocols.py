"""The table `protocol`: scores in the layout of papers, with what papers printed beside.

One row per method, source, target and measure; `target` may be `average`. Scores are means over the seeds that did not fail,
0..1; an average is the mean over tasks of these, so a seed that lacks one task counts on the others. `deviation` is the standard
deviation over the `n_seeds` seeds that have all of the same quantity. A harmonic mean is that of the two means, so the one of `average` is
not the average of those of the tasks: this is how the papers report it. `origin` is `measured`, `published`, or how a number
that was not itself published was made of some that were. `note` says in which settings these differ from the study's.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from promptatlas.analysis import published
from promptatlas.analysis.published.settings import difference
from promptatlas.analysis.statistics.failed import failed_by_reason
from promptatlas.analysis.statistics.summary import cautions, plain, template_scores
from promptatlas.study.designs import Design
from promptatlas.tasks.base_new import BASE, NEW, SUBSETS, subset_name, whole_of

COLUMNS = (
    "design", "origin", "reference", "method", "source", "target", "measure", "score", "deviation", "n_seeds", "note",
)  # fmt: skip
AVERAGE, SCORE, HARMONIC, ZERO_SHOT, TEMPLATE = "average", "score", "harmonic_mean", "zero_shot", "template"
MEASURED, PUBLISHED = "measured", "published"
MEAN_OF, HARMONIC_OF = "mean of the published scores", "harmonic mean of the published scores"
NAN = float("nan")


def harmonic_mean(base: np.ndarray | float, new: np.ndarray | float) -> Any:
    """2bn / (b + n), 0 where both are, NaN where one is."""
    both = np.asarray(base, float) + np.asarray(new, float)
    return np.divide(2 * np.asarray(base, float) * new, both, out=np.zeros_like(both), where=both != 0)[()]


def measured(transfer: pd.DataFrame, design: Design) -> pd.DataFrame:
    """The rows of a study's table `transfer`; zero-shot is a method, untrained prompts are left out."""
    rows = list(_base_new(transfer, design) if design.in_base_and_new else _targets(transfer, design))
    return _table({"design": design.name, "origin": MEASURED, "reference": "this study"} | row for row in rows)


def _table(rows: Iterable[dict]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=list(COLUMNS)).astype({"score": float, "deviation": float, "n_seeds": int})


def _trained(transfer: pd.DataFrame, sources: Iterable[str]) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Method, source and scores (targets x seeds): first zero-shot, which has no seed, then each method's prompts."""
    template = transfer[transfer["source"] == TEMPLATE].drop_duplicates("target")
    yield ZERO_SHOT, "", template.pivot(index="target", columns="protocol", values="score")
    for method, part in transfer.groupby("method", sort=False):
        for source in sources:
            own = part[part["source"] == source]
            yield method, source, own.pivot(index="target", columns="seed", values="score")


def _row(method: str, source: str, target: str, measure: str, by_seed: np.ndarray, score: float | None = None) -> dict:
    by_seed = by_seed[np.isfinite(by_seed)]
    deviation = float(np.std(by_seed, ddof=1)) if len(by_seed) > 1 else NAN
    return {
        "method": method, "source": source, "target": target, "measure": measure,
        "score": _mean(by_seed) if score is None else float(score),
        "deviation": deviation, "n_seeds": 0 if method == ZERO_SHOT else len(by_seed), "note": "",
    }  # fmt: skip


def _mean(by_seed: np.ndarray) -> float:
    return float(np.mean(by_seed)) if len(by_seed) else NAN


def _over_tasks(scores: np.ndarray) -> float:
    """Mean over tasks of each one's mean over its seeds, from (T, S); NaN where a task has none."""
    return float(np.mean([_mean(own[np.isfinite(own)]) for own in scores]))


def _base_new(transfer: pd.DataFrame, design: Design) -> Iterator[dict]:
    """Base, new and their harmonic mean, by task and for the averages over tasks."""
    scores: dict[str, dict[str, list[np.ndarray]]] = {}
    for method, source, table in _trained(transfer, design.learners):
        for task in design.given:
            names = [subset_name(task, classes) for classes in SUBSETS]
            if source in ("", names[0]):
                scores.setdefault(method, {})[task] = [table.loc[name].to_numpy(float) for name in names]
    for method, by_task in scores.items():
        for target, (base, new) in by_task.items():
            yield _row(method, "", target, BASE, base)
            yield _row(method, "", target, NEW, new)
            there = np.isfinite(base) & np.isfinite(new)
            of_means = harmonic_mean(_mean(base[there]), _mean(new[there]))
            yield _row(method, "", target, HARMONIC, harmonic_mean(base, new), of_means)
        every = np.array(list(by_task.values()))  # (T, 2, S)
        base, new = every.mean(axis=0)
        yield _row(method, "", AVERAGE, BASE, base, _over_tasks(every[:, 0]))
        yield _row(method, "", AVERAGE, NEW, new, _over_tasks(every[:, 1]))
        both = np.where(np.isfinite(every).all(axis=1, keepdims=True), every, NAN)
        of_means = harmonic_mean(_over_tasks(both[:, 0]), _over_tasks(both[:, 1]))
        yield _row(method, "", AVERAGE, HARMONIC, harmonic_mean(base, new), of_means)


def _targets(transfer: pd.DataFrame, design: Design) -> Iterator[dict]:
    """The score of every target that a prompt is tried on, and the average over those that are no source."""
    for method, source, table in _trained(transfer, design.learners):
        targets = [task for task in design.tasks if design.measures(source or TEMPLATE, task)]
        for target in targets:
            yield _row(method, source, target, SCORE, table.loc[target].to_numpy(float))
        others = [task for task in targets if task not in design.learners]
        if others:
            scores = table.loc[others].to_numpy(float)
            yield _row(method, source, AVERAGE, SCORE, scores.mean(axis=0), _over_tasks(scores))


def with_published(table: pd.DataFrame, design: Design, weights: str, shots: int, config: Mapping[str, Any]) -> pd.DataFrame:
    """`table` and, below, what was printed for the same weights, shots, methods, sources and tasks with all their classes.

    config: the study's resolved configuration. Settings that differ are named in `note`.
    """
    printed = published.printed(design.name, design.given, weights, shots)
    same = [task for task in design.given if "classes" not in config["data"].get(task, {})]
    if set(printed["target"]) - {AVERAGE} == set(same) == set(design.given):
        same.append(AVERAGE)  # as printed, not that of rounded numbers
    there = printed["method"].isin(table["method"]) & printed["source"].isin(["", *design.learners]) & printed["target"].isin(same)
    rows = []
    for _, part in printed[there].groupby(["method", "source"], sort=False):
        first = part.iloc[0]
        about = {"design": design.name, "reference": first["reference"], "method": first["method"], "source": first["source"]}
        about |= {"deviation": NAN, "n_seeds": 0, "note": difference(first, config)}
        values = {(row.target, row.measure): row.score for row in part.itertuples()}
        numbers = {PUBLISHED: values} | (_of_base_new(values, design) if design.in_base_and_new else _of_targets(values, design))
        rows += [
            about | {"origin": origin, "target": target, "measure": measure, "score": score}
            for origin, by_target in numbers.items()
            for (target, measure), score in by_target.items()
        ]
    return pd.concat([table, _table(rows)], ignore_index=True) if rows else table


Printed = dict[tuple[str, str], float]


def _of_base_new(values: Printed, design: Design) -> dict[str, Printed]:
    """What was not printed but follows: averages if every task of the study was, harmonic means where base and new were."""
    means: Printed = {}
    if (AVERAGE, BASE) not in values and all((task, BASE) in values for task in design.given):
        means = {(AVERAGE, classes): float(np.mean([values[task, classes] for task in design.given])) for classes in SUBSETS}
    known = values | means
    targets = [target for target, measure in known if measure == BASE and (target, HARMONIC) not in values]
    harmonic = {(target, HARMONIC): harmonic_mean(known[target, BASE], known[target, NEW]) for target in targets}
    return {MEAN_OF: means, HARMONIC_OF: harmonic}


def _of_targets(values: Printed, design: Design) -> dict[str, Printed]:
    """The average if it was not printed, but every target of the study that is no source was."""
    others = [task for task in design.given if task not in design.learners]
    if (AVERAGE, SCORE) in values or not others or any((task, SCORE) not in values for task in others):
        return {}
    return {MEAN_OF: {(AVERAGE, SCORE): float(np.mean([values[task, SCORE] for task in others]))}}


def summary(
    table: pd.DataFrame,
    transfer: pd.DataFrame,
    tasks: pd.DataFrame,
    baselines: pd.DataFrame,
    design: Design,
    shared: pd.DataFrame | None = None,
) -> dict:
    """The dict written to summary.json: what was measured, and the averages beside the printed ones."""
    there = transfer[transfer["score"].notna()]
    return plain(
        {
            "design": design.name,
            "tasks": list(design.given),
            "sources": list(design.learners),
            "methods": list(dict.fromkeys(transfer["method"])),
            "seeds": sorted({int(seed) for seed in there["seed"]}),
            "shots": sorted({int(shots) for shots in transfer["shots"]}),
            "backbone": transfer["backbone"].iloc[0],
            "n_tasks_measured": len({whole_of(name) for name in there["target"]} & set(design.given)),
            "n_cells": len(there),
            "n_missing_cells": int(transfer["score"].isna().sum()),
            "compute_seconds": float(transfer["seconds"].sum()),
            "holes": failed_by_reason(transfer, baselines),
            "averages": table[table["target"] == AVERAGE].drop(columns=["design", "target"]).to_dict("records"),
            **cautions(transfer, tasks, shared, template_scores(transfer), baselines),
        }
    )
