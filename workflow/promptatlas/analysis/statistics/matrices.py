"""From tidy tables to dense task x task arrays.

Rows are sources, columns are targets; the tasks are those of the `tasks` table, sorted by name, so that results do
not depend on the order in which a study lists them. Every other source is a calibration row (`scratch`, `template`), and so
is always answering the largest class.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from promptatlas.base.errors import UserError
from promptatlas.study.designs import LARGEST_CLASS

ZERO_SHOT = "template"
PROBE = "linear_probe"


@dataclass(frozen=True)
class Scores:
    """All measured scores of one protocol and method; missing cells are NaN.

    score: (S, n, n); calibration: source name -> (S, n); chance, n_test, zero_shot, probe: (n,) per target, the last that of a linear
    probe.
    """

    protocol: str
    method: str
    tasks: tuple[str, ...]
    seeds: tuple[int, ...]
    score: np.ndarray
    calibration: dict[str, np.ndarray]
    chance: np.ndarray
    n_test: np.ndarray
    zero_shot: np.ndarray
    probe: np.ndarray


def among(scores: Scores, index: np.ndarray) -> Scores:
    """The same of the tasks number `index` (m,) only, as sources and as targets, in that order."""
    return replace(
        scores,
        tasks=tuple(scores.tasks[one] for one in index),
        score=scores.score[:, index[:, None], index],
        calibration={source: row[:, index] for source, row in scores.calibration.items()},
        **{name: getattr(scores, name)[index] for name in ("chance", "n_test", "zero_shot", "probe")},
    )


def task_names(tasks: pd.DataFrame) -> tuple[str, ...]:
    """The study's task names in the order used by all arrays."""
    return tuple(sorted(tasks["task"]))


def collect(transfer: pd.DataFrame, tasks: pd.DataFrame, baselines: pd.DataFrame | None = None) -> list[Scores]:
    """One `Scores` per (protocol, method) of the table `transfer`, in order of appearance; linear probes are in the table `baselines`."""
    names = task_names(tasks)
    unknown = sorted(set(transfer["target"]) - set(names))
    if unknown:
        raise UserError(f"the table transfer holds the target '{unknown[0]}', which the table tasks lacks; collect the study again")
    twice = transfer.duplicated(["protocol", "method", "source", "target", "seed"])
    if twice.any():
        row = transfer[twice].iloc[0]
        raise UserError(
            f"the table transfer holds {row.protocol}/{row.method} {row.source} -> {row.target} seed {row.seed} twice; "
            "collect the study again"
        )
    groups = transfer.groupby(["protocol", "method"], sort=False)
    probe = probe_scores(baselines).reindex(names).to_numpy(float)
    return [_scores(protocol, method, group, names, transfer, tasks, probe) for (protocol, method), group in groups]


def probe_scores(baselines: pd.DataFrame | None) -> pd.Series:
    """Score of the linear probe by task, mean over seeds; empty where there is none."""
    if baselines is None:
        return pd.Series(dtype=float)
    return baselines[baselines["method"] == PROBE].groupby("target")["score"].mean()


def _scores(
    protocol: str,
    method: str,
    group: pd.DataFrame,
    names: tuple[str, ...],
    transfer: pd.DataFrame,
    tasks: pd.DataFrame,
    probe: np.ndarray,
) -> Scores:
    seeds = tuple(sorted(group["seed"].unique()))
    calibration = sorted(set(group["source"]) - set(names))
    dense = {source: np.full((len(seeds), len(names)), np.nan) for source in (*names, *calibration)}
    columns = {name: index for index, name in enumerate(names)}
    for source, target, seed, score in zip(group["source"], group["target"], group["seed"], group["score"], strict=True):
        dense[source][seeds.index(seed), columns[target]] = score
    if LARGEST_CLASS in tasks:
        blind = tasks.set_index("task")[LARGEST_CLASS].reindex(names).to_numpy(float)
        dense[LARGEST_CLASS] = np.tile(blind, (len(seeds), 1))
        calibration.append(LARGEST_CLASS)
    by_target = transfer.groupby("target")
    return Scores(
        protocol=protocol,
        method=method,
        tasks=names,
        seeds=tuple(int(seed) for seed in seeds),
        score=np.stack([dense[name] for name in names], axis=1),
        calibration={source: dense[source] for source in calibration},
        chance=by_target["chance"].mean().reindex(names).to_numpy(float),
        n_test=by_target["n_test"].mean().reindex(names).to_numpy(float),
        zero_shot=zero_shot(transfer, tasks, names),
        probe=probe,
    )


def zero_shot(transfer: pd.DataFrame, tasks: pd.DataFrame, names: Sequence[str]) -> np.ndarray:
    """Zero-shot score per target (n,): the mean `template` cell, else the column of the table `tasks`, else NaN."""
    cells = transfer[transfer["source"] == ZERO_SHOT].groupby("target")["score"].mean().reindex(names)
    if "zero_shot" in tasks:
        cells = cells.fillna(tasks.set_index("task")["zero_shot"].reindex(names))
    return cells.to_numpy(float)


def similarity_matrices(similarity: pd.DataFrame, names: Sequence[str], method: str) -> dict[str, np.ndarray]:
    """Measure -> (n, n) for `method`, mean over seeds where a measure has any; pairs that are not given are NaN."""
    owner = similarity["method"].fillna("")
    rows = similarity[(owner == "") | (owner == method)]
    return {
        measure: part.pivot_table(index="source", columns="target", values="value", aggfunc="mean")
        .reindex(index=names, columns=names)
        .to_numpy(float)
        for measure, part in rows.groupby("measure", sort=False)
    }


def seeded(similarity: pd.DataFrame, method: str) -> set[str]:
    """Measures that have values by seed for `method`: those of its prompts."""
    rows = similarity[similarity["seed"].notna() & (similarity["method"].fillna("") == method)]
    return set(rows["measure"])
