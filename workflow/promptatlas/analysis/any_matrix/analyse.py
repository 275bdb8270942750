"""The table `statistics` and the dict of summary.json for given matrices: what a study's have, as far as it needs no study."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from promptatlas.analysis.any_matrix.compare import comparison
from promptatlas.analysis.any_matrix.given import Given, GivenMatrix
from promptatlas.analysis.any_matrix.groups import Groups, groups
from promptatlas.analysis.any_matrix.scales import MatrixScale, undefined
from promptatlas.analysis.budget import gains, record
from promptatlas.analysis.statistics import contrasts, families as kinship, together
from promptatlas.analysis.statistics.analyse import agreement_of, regret_rows, similarity_rows, table_of, variance_rows
from promptatlas.analysis.statistics.contrasts import named, pairs
from promptatlas.analysis.statistics.held_out import best_of_columns
from promptatlas.analysis.statistics.matrices import similarity_matrices
from promptatlas.analysis.statistics.relations import FEWEST_TASKS, effects, usable
from promptatlas.analysis.statistics.scales import seed_mean
from promptatlas.analysis.statistics.seriation import order_by
from promptatlas.analysis.statistics.summary import (
    agreements,
    correlations,
    effects_by_seed,
    mean_interval_width,
    not_tested,
    plain,
    ranked,
    records_of,
)
from promptatlas.analysis.verdict.of_matrices import of_matrices

MOST_DRAWN = 999  # random groups


@dataclass(frozen=True)
class Analysis:
    """given: what was read; scales: by name; primary: the scale of headlines; left_out: why other scales make no sense; tables, by
    name: transfer, similarity, tasks, statistics, explained, contrasts, effects, comparison, groups; summary: the dict of summary.json."""

    given: Given
    scales: dict[str, MatrixScale]
    primary: MatrixScale
    left_out: dict[str, str]
    tables: dict[str, pd.DataFrame]
    summary: dict[str, Any]


def analysis(
    given: Given,
    scales: dict[str, MatrixScale],
    primary: MatrixScale,
    left_out: dict[str, str],
    similarity: pd.DataFrame,
    tasks: pd.DataFrame,
    permutations: int = 9999,
    confirmatory: Sequence[str] = (),
) -> Analysis:
    """similarity: as `similarities.gather` gives it; tasks: as `families.read` does; confirmatory: measures named beforehand."""
    families = kinship.of_tasks(tasks)
    table = table_of(_rows(given, scales, primary, similarity, families, permutations, confirmatory))
    means = [seed_mean(primary.matrix(one)) for one in given.matrices]
    grouped = [groups(primary.matrix(one), min(permutations, MOST_DRAWN)) for one in given.matrices]
    order = order_by(given.tasks, means)
    tables = {
        "transfer": transfer_table(given, scales),
        "similarity": similarity,
        "tasks": tasks,
        "statistics": table,
        "explained": _explained(given, primary, similarity, families, permutations),
        "contrasts": _contrasts(given, primary, similarity, families),
        "effects": effects_table(given, primary),
        "comparison": comparison(given.matrices, primary),
        "groups": groups_table(given, grouped),
    }
    notes = given.notes + [told for scale in scales.values() if (told := undefined(given, scale))]
    summary = {
        "n_tasks": len(given.tasks),
        "n_cells": int(sum(np.isfinite(one.score).sum() for one in given.matrices)),
        "n_missing_cells": int(sum(np.isnan(one.score).sum() for one in given.matrices)),
        "methods": list(dict.fromkeys(one.method for one in given.matrices)),
        "protocols": list(dict.fromkeys(one.protocol for one in given.matrices)),
        "seeds": sorted({seed for one in given.matrices for seed in one.seeds}),
        "unit": given.unit,
        "less_was_better": given.turned,
        "notes": notes,
        "scales": {name: {"title": scale.title, "about": scale.about, "unit": scale.unit} for name, scale in scales.items()},
        "scales_left_out": left_out,
        "primary_response": primary.name,
        "order": order,
        "by_method": [_method(one, primary, tables["effects"]) for one in given.matrices],
        "variance": records_of(table, "variance_share", "reliability", "social_relations"),
        "correlations": correlations(table, similarity),
        "not_tested": not_tested(table),
        "mean_interval_width": mean_interval_width(table, primary.name),
        "families": kinship.summary(list(families)),
        "agreement": agreements(table),
        "explained": together.records(tables["explained"], primary.name),
        "contrasts": tables["contrasts"].to_dict("records"),
        "groups": [_groups(one, found) for one, found in zip(given.matrices, grouped, strict=True)],
        "budget": _budget(given) if "gain" in scales else [],
        "compared": tables["comparison"].to_dict("records"),
        "regret": records_of(table, *(test for test in table["test"].unique() if test.startswith("regret"))),
    }
    verdict = of_matrices(given.matrices, primary, summary)
    return Analysis(given, scales, primary, left_out, tables, plain(summary | {"verdict": verdict}))


def _rows(
    given: Given,
    scales: dict[str, MatrixScale],
    primary: MatrixScale,
    similarity: pd.DataFrame,
    families: pd.Series,
    permutations: int,
    confirmatory: Sequence[str],
) -> list[dict]:
    rows: list[dict] = []
    for one in given.matrices:
        measures = similarity_matrices(similarity, one.tasks, one.method) if len(similarity) else {}
        for name, scale in scales.items():
            common = {"response": name, "method": one.method, "protocol": one.protocol}
            values = scale.matrix(one)
            rows += [common | row for row in variance_rows(values)]
            for row in similarity_rows(values, measures, one.tasks, families, set(), permutations):
                named = row["test"] == "two_way" and name == primary.name and row["measure"] in confirmatory
                rows.append(common | row | {"confirmatory": named})
        common = {"response": "raw", "method": one.method, "protocol": one.protocol}
        rows += [common | row for row in regret_rows(seed_mean(one.score), measures, permutations, 100 if given.unit == "share" else 1)]
    return [*rows, *_agreement(given, scales, families, permutations)]


def _explained(given: Given, scale: MatrixScale, similarity: pd.DataFrame, families: pd.Series, permutations: int) -> pd.DataFrame:
    """What all similarities together explain of each matrix, on the scale of headlines."""
    rows: list[dict] = []
    for one in given.matrices if len(similarity) else ():
        measures, kin = similarity_matrices(similarity, one.tasks, one.method), [families[task] for task in one.tasks]
        common = {"response": scale.name, "method": one.method, "protocol": one.protocol, "set": "given"}
        rows += [common | row for row in together.explained_rows(scale.matrix(one), measures, kin, permutations)]
    return together.table_of(rows)


def _contrasts(given: Given, scale: MatrixScale, similarity: pd.DataFrame, families: pd.Series) -> pd.DataFrame:
    """Every two similarities by each matrix, and every two matrices, on the scale of headlines."""
    rows: list[dict] = []
    kin = [families[task] for task in given.tasks]
    measures = similarity_matrices(similarity, given.tasks, "") if len(similarity) else {}
    for one in given.matrices:
        common = {"response": scale.name, "method": one.method, "protocol": one.protocol}
        rows += [common | row for row in contrasts.measure_rows(seed_mean(scale.matrix(one)), measures, kin)]
    for a, b in pairs(given.matrices):
        values, common = (scale.matrix(a), scale.matrix(b)), {"response": scale.name} | named(a, b)
        rows += [common | row for row in contrasts.method_rows(values, (a.seeds, b.seeds), measures, kin)]
    return contrasts.table_of(rows)


def _agreement(given: Given, scales: dict[str, MatrixScale], families: pd.Series, permutations: int) -> list[dict]:
    """Do two methods, or two protocols of one, agree on who helps whom?"""
    rows: list[dict] = []
    for a, b in pairs(given.matrices):
        method, protocol = ("~".join(sorted(set(pair))) for pair in ((a.method, b.method), (a.protocol, b.protocol)))
        for name, scale in scales.items():
            common = {"response": name, "method": method, "protocol": protocol}
            one, other = seed_mean(scale.matrix(a)), seed_mean(scale.matrix(b))
            rows += [common | row for row in agreement_of(one, other, given.tasks, families, permutations)]
    return rows


def transfer_table(given: Given, scales: dict[str, MatrixScale]) -> pd.DataFrame:
    """One row per score that is there: method, protocol, seed, source, target and its value on each scale."""
    parts = []
    for one in given.matrices:
        on = {name: (scale.matrix(one), scale.rows(one)) for name, scale in scales.items()}
        names = [*one.tasks, *one.rows]
        whole = {name: np.concatenate([values, *(row[:, None] for row in rows.values())], axis=1) for name, (values, rows) in on.items()}
        seed, source, target = np.nonzero(np.isfinite(whole["raw"]))
        parts.append(
            pd.DataFrame(
                {"method": one.method, "protocol": one.protocol, "seed": np.array(one.seeds)[seed], "source": np.array(names)[source],
                 "target": np.array(one.tasks)[target]}
                | {name: values[seed, source, target] for name, values in whole.items()}
            )
        )  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def effects_table(given: Given, scale: MatrixScale) -> pd.DataFrame:
    """What each task gives as a source and receives as a target on the scale of headlines, mean over seeds; NaN for too few cells."""
    parts = []
    for one in given.matrices:
        mean = seed_mean(scale.matrix(one))
        keep = usable(mean)
        gives, receives = np.full((2, len(one.tasks)), np.nan)
        if len(keep) >= FEWEST_TASKS:
            found = effects(mean[np.ix_(keep, keep)])
            gives[keep], receives[keep] = found.source, found.target
        about = {"method": one.method, "protocol": one.protocol, "task": list(one.tasks)}
        parts.append(pd.DataFrame(about | {"gives": gives, "receives": receives, "own": np.diagonal(mean)}))
    return pd.concat(parts, ignore_index=True)


def _budget(given: Given) -> list[dict]:
    """What to train when not everything can be; gains name a protocol only where there are several."""
    return [one | {"protocol": one["protocol"] or given.matrices[0].protocol} for one in record.records(gains.of_given(given))]


def groups_table(given: Given, found: Sequence[Groups]) -> pd.DataFrame:
    """The group of each task, numbered from 1; tasks in none have no row."""
    rows = [
        {"method": one.method, "protocol": one.protocol, "task": task, "group": int(label) + 1}
        for one, its in zip(given.matrices, found, strict=True)
        for task, label in zip(one.tasks, its.label, strict=True)
        if label >= 0
    ]
    return pd.DataFrame(rows, columns=["method", "protocol", "task", "group"])


def _groups(one: GivenMatrix, found: Groups) -> dict:
    members = [
        [task for task, label in zip(one.tasks, found.label, strict=True) if label == group] for group in range(found.label.max() + 1)
    ]
    numbers = {name: getattr(found, name) for name in ("apparent", "held_out", "random", "p", "stability", "reason")}
    return {"method": one.method, "protocol": one.protocol, "groups": members} | numbers


def _method(one: GivenMatrix, scale: MatrixScale, effects: pd.DataFrame) -> dict:
    """What one matrix has: means on the scale of headlines, and who gives and who receives."""
    mean = seed_mean(scale.matrix(one))
    others = mean[~np.eye(len(one.tasks), dtype=bool)]
    others = others[np.isfinite(others)]
    own = effects[(effects["method"] == one.method) & (effects["protocol"] == one.protocol)].dropna(subset=["gives"])
    names = list(own["task"])
    gives, receives = effects_by_seed(scale.matrix(one), np.array([one.tasks.index(name) for name in names], dtype=int))
    return {
        "method": one.method,
        "protocol": one.protocol,
        "n_seeds": int(np.isfinite(one.score).any(axis=(1, 2)).sum()),
        "n_cells": int(np.isfinite(one.score).sum()),
        "n_pairs": len(others),
        "mean_of_pairs": _mean(others),
        "mean_of_own": _mean(np.diagonal(mean)),
        "best_of_pairs": float(others.max()) if len(others) else math.nan,
        "worst_of_pairs": float(others.min()) if len(others) else math.nan,
        "over_baseline": _over_baseline(one),
        "givers": ranked(names, own["gives"].to_numpy(), gives),
        "receivers": ranked(names, own["receives"].to_numpy(), receives),
        "best_sources": best_of_columns(one.tasks, scale.matrix(one) * (100 if scale.unit == "%" else 1)),
    }


def _over_baseline(one: GivenMatrix) -> dict | None:
    """In how many of the pairs that are measured in all seeds a source beats the baseline in every seed; None without one."""
    gain = one.score - one.baseline[:, None]
    there = np.isfinite(gain).all(axis=0) & ~np.eye(len(one.tasks), dtype=bool)
    return {"pairs": int(there.sum()), "share": float((gain[:, there] > 0).all(axis=0).mean())} if there.any() else None


def _mean(values: np.ndarray) -> float:
    there = np.isfinite(values)
    return float(values[there].mean()) if there.any() else math.nan
