"""summary.json: every number that a report prints, once.

Plain JSON types only; what cannot be estimated is null.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from promptatlas.analysis.pairs.short import short
from promptatlas.analysis.statistics import families, together
from promptatlas.analysis.statistics.checks import TOLERATED_POINTS, zero_shot_check
from promptatlas.analysis.statistics.crossed import crossed_interval
from promptatlas.analysis.statistics.held_out import best_sources, by_place
from promptatlas.analysis.statistics.helping import Gained, helping
from promptatlas.analysis.statistics.jackknife import pseudo_values
from promptatlas.analysis.statistics.joint import compare_joint
from promptatlas.analysis.statistics.matrices import Scores, collect, task_names, zero_shot
from promptatlas.analysis.statistics.methods import compare as compare_methods
from promptatlas.analysis.statistics.published import compare
from promptatlas.analysis.statistics.relations import FEWEST_TASKS, effects, off_diagonal, usable
from promptatlas.analysis.statistics.scales import PRIMARY, beyond_chance, gap_closed, matrix, responses, seed_mean
from promptatlas.analysis.statistics.seriation import common_order
from promptatlas.analysis.statistics.verdicts import KEYS, MEANINGFUL, decisive
from promptatlas.analysis.statistics.views import has
from promptatlas.analysis.verdict.of_study import of_study
from promptatlas.runs.largest_class import records

CEILING = 0.98


def summary(
    transfer: pd.DataFrame,
    similarity: pd.DataFrame,
    statistics: pd.DataFrame,
    tasks: pd.DataFrame,
    baselines: pd.DataFrame | None = None,
    permutations: int = 9999,
    methods: pd.DataFrame | None = None,
    joint: pd.DataFrame | None = None,
    sources: Sequence[str] = (),
    shared: pd.DataFrame | None = None,
    choice: pd.DataFrame | None = None,
    explained: pd.DataFrame | None = None,
    contrasts: pd.DataFrame | None = None,
    pairs: pd.DataFrame | None = None,
    budget: Sequence[dict] = (),
) -> dict:
    """The dict written to summary.json, from the tables of a study; `baselines` may give the scores of a linear probe.

    permutations: of the comparison with printed matrices, the only test that is not in `statistics`. methods: the table of
    that name, whose comparison is the key `comparison`. joint: the table of that name, whose comparison is the key `joint`;
    sources: those in `transfer` that were tuned on many tasks. shared: the table `shared_images`; choice: the table
    of that name, whose rows are the key `choice`; explained, contrasts: likewise, on the primary scale (gains also as raw scores). pairs:
    that of how sure each pair is, whose counts are the key `pairs`. budget: the key of that name, what to train when not
    everything can be. The key `verdict` is the answer in short.
    """
    collected = collect(transfer, tasks, baselines)
    names = task_names(tasks)
    base = zero_shot(transfer, tasks, names)
    chance = collected[0].chance if collected else np.full(len(names), np.nan)
    corrected = beyond_chance(base, chance)
    order = common_order(collected) if collected else list(names)
    result = {
        "n_tasks": len(names),
        "n_tasks_measured": int(np.any([_tasks_measured(scores) for scores in collected], axis=0).sum()) if collected else 0,
        "n_cells": int(sum(np.isfinite(scores.score).sum() for scores in collected)),
        "n_calibration_cells": int(transfer.loc[~transfer["source"].isin(names), "score"].notna().sum()),
        "n_missing_cells": int(sum(np.isnan(scores.score).sum() for scores in collected)),
        "methods": list(dict.fromkeys(scores.method for scores in collected)),
        "protocols": list(dict.fromkeys(scores.protocol for scores in collected)),
        "seeds": sorted({seed for scores in collected for seed in _seeds_measured(scores)}),
        "shots": sorted({int(shots) for shots in transfer["shots"].dropna()}),
        "compute_seconds": float(transfer["seconds"].sum()),
        "primary_response": PRIMARY,
        "order": order,
        "zero_shot_chance_corrected_mean": _mean(corrected),
        "ceiling": CEILING,
        "tasks_at_ceiling": _at_ceiling(collected, names),
        "perfection_gap": perfection_gaps(collected),
        "by_method": [_method(scores) for scores in collected],
        "variance": records_of(statistics, "variance_share", "reliability", "social_relations"),
        "correlations": correlations(statistics, similarity),
        "not_tested": not_tested(statistics),
        "mean_interval_width": mean_interval_width(statistics, PRIMARY),
        "families": families.summary(list(families.of_tasks(tasks))),
        "agreement": agreements(statistics),
        "regret": records_of(statistics, *(test for test in statistics["test"].unique() if test.startswith("regret"))),
        "published": compare(collected, order, families.of_tasks(tasks), permutations),
        "comparison": None if methods is None else compare_methods(methods),
        "joint": [] if joint is None else compare_joint(joint, transfer, sources),
        "choice": [] if choice is None else choice.to_dict("records"),
        "explained": [] if explained is None else together.records(explained, PRIMARY),
        "contrasts": [] if contrasts is None else contrast_records(contrasts, PRIMARY, "raw"),
        "pairs": [] if pairs is None else short(pairs),
        "budget": [*budget],
        **cautions(transfer, tasks, shared, pd.Series(base, index=names), baselines),
    }
    return plain(result | {"verdict": of_study([(scores, Gained.of(scores)) for scores in collected], pairs, result)})


def cautions(
    transfer: pd.DataFrame, tasks: pd.DataFrame, shared: pd.DataFrame | None, measured: pd.Series, baselines: pd.DataFrame | None
) -> dict[str, Any]:
    """What makes scores worth less than they look: odd data, images that tasks share, a largest class that is hard to beat, and
    zero-shot scores, `measured` by task, that are not those expected."""
    odd = tasks[tasks["notes"] != ""] if "notes" in tasks else tasks[:0].assign(notes="")
    return {
        "odd_data": odd[["task", "notes"]].to_dict("records"),
        "shared_images": [] if shared is None else shared.to_dict("records"),
        "largest_class": records(transfer, tasks),
        "zero_shot_check": zero_shot_check(tasks, measured, baselines),
        "zero_shot_tolerated_points": TOLERATED_POINTS,
    }


def template_scores(transfer: pd.DataFrame) -> pd.Series:
    """By target the score of the zero-shot prompt, which has no seed."""
    return transfer[transfer["source"] == "template"].drop_duplicates("target").set_index("target")["score"]


def _mean(values: np.ndarray) -> float:
    there = np.isfinite(values)
    return float(np.asarray(values)[there].mean()) if there.any() else math.nan


def _seeds_measured(scores: Scores) -> list[int]:
    """Seeds of which any cell is there."""
    return [seed for seed, values in zip(scores.seeds, scores.score, strict=True) if np.isfinite(values).any()]


def _tasks_measured(scores: Scores) -> np.ndarray:
    """Which tasks have any cell, as source or as target: (n,)."""
    there = np.isfinite(scores.score).any(axis=0)
    return there.any(axis=0) | there.any(axis=1)


def own_scores(scores: Scores) -> np.ndarray:
    """Score of each task's own prompt, mean over seeds: (n,)."""
    return np.diagonal(seed_mean(scores.score))


def _at_ceiling(collected: list[Scores], names: tuple[str, ...]) -> list[str]:
    """Tasks whose own prompts reach `CEILING`, chance-corrected, on average over the methods of any protocol."""
    reached: set[str] = set()
    for protocol in {scores.protocol for scores in collected}:
        own = [beyond_chance(own_scores(s), s.chance) for s in collected if s.protocol == protocol]
        reached |= {name for name, value in zip(names, seed_mean(np.array(own)), strict=True) if value >= CEILING}
    return sorted(reached)


def perfection_gaps(collected: Sequence[Scores]) -> dict[str, dict]:
    """By scale what the ceiling of the perfection gap factor is, and the tasks without one as targets: those whose zero-shot score
    reaches their ceiling, and those of which either is not known."""
    if not collected:
        return {}
    one, ceilings = collected[0], {"perfection_gap": "1", "perfection_gap_probe": "score of the linear probe"}
    found = {scale: gap_closed(one.zero_shot, one.zero_shot, 1.0 if scale == "perfection_gap" else one.probe) for scale in ceilings}
    return {
        scale: {"ceiling": ceilings[scale], "undefined": [name for name, gap in zip(one.tasks, values, strict=True) if np.isnan(gap)]}
        for scale, values in found.items()
        if scale in responses(one)
    }


def _method(scores: Scores) -> dict:
    """What one method does in one protocol: gains in points over zero-shot, and who gives and who receives."""
    n = len(scores.tasks)
    mean = seed_mean(scores.score)
    gain = 100 * (mean - scores.zero_shot)
    others = gain[~np.eye(n, dtype=bool)]
    others = others[np.isfinite(others)]
    primary = seed_mean(matrix(scores, PRIMARY))
    keep = usable(primary)
    givers, receivers = [], []
    if len(keep) >= FEWEST_TASKS:
        parts = effects(primary[np.ix_(keep, keep)])
        named = [scores.tasks[index] for index in keep]
        gives, receives = effects_by_seed(matrix(scores, PRIMARY), keep)
        givers, receivers = ranked(named, parts.source, gives), ranked(named, parts.target, receives)
    counts = helping(scores)
    return {
        "method": scores.method,
        "protocol": scores.protocol,
        "n_seeds": len(_seeds_measured(scores)),
        "n_cells": int(np.isfinite(scores.score).sum()),
        "n_pairs": len(others),
        "own_gain_points_mean": _mean(np.diagonal(gain)),
        "own_gain_points_worst": float(np.nanmin(np.diagonal(gain))) if np.isfinite(np.diagonal(gain)).any() else math.nan,
        "transfer_gain_points_mean": _mean(others),
        "transfer_helps_share": counts["helps"],
        "transfer_helps": counts,
        "scratch_gain_points_mean": _mean(100 * (seed_mean(scores.calibration["scratch"]) - scores.zero_shot))
        if "scratch" in scores.calibration
        else math.nan,
        "over_scratch": _over_scratch(scores),
        "givers": givers,
        "receivers": receivers,
        "best_sources": best_sources(scores),
    }


def _over_scratch(scores: Scores) -> dict | None:
    """What a start from another task's prompt gains over one from scratch that is tuned as long, in points, with its interval
    over tasks and seeds; None for prompts that are used as they are.
    """
    if not has(scores, "over_scratch"):
        return None
    by_seed = off_diagonal(matrix(scores, "over_scratch"))
    gap = seed_mean(by_seed)
    low, high = crossed_interval(np.array([pseudo_values(one) for one in by_seed]).T)
    pairs = gap[np.isfinite(gap)]
    share = float((pairs > 0).mean()) if len(pairs) else math.nan
    return {"points_mean": _mean(gap), "low": low, "high": high, "helps_share": share}


def effects_by_seed(values: np.ndarray, keep: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Effects of the tasks `keep` (m,) as sources and as targets by seed of (S, n, n): each (S, m), NaN in a seed that lacks too much."""
    gives, receives = np.full((2, len(values), len(keep)), np.nan)
    for seed, one in enumerate(values):
        part = one[np.ix_(keep, keep)]
        if len(usable(part)) == len(keep) >= FEWEST_TASKS:
            found = effects(part)
            gives[seed], receives[seed] = found.source, found.target
    return gives, receives


def ranked(names: list[str], values: np.ndarray, by_seed: np.ndarray) -> list[dict]:
    """Tasks by effect (n,), the largest first. held_out: what the place is worth in seeds that had no part in it, from effects (S, n)."""
    worth = by_place(by_seed)
    order = np.argsort(-values, kind="stable")
    return [{"task": names[index], "effect": float(values[index]), "held_out": float(worth[place])} for place, index in enumerate(order)]


def mean_interval_width(statistics: pd.DataFrame, response: str) -> float:
    """How wide intervals of the links with similarity are on a scale."""
    rows = statistics[(statistics["test"] == "two_way") & (statistics["response"] == response)]
    return _mean(rows["high"] - rows["low"])


def records_of(statistics: pd.DataFrame, *tests: str) -> list[dict]:
    chosen = statistics[statistics["test"].isin(tests)]
    return chosen.drop(columns=["confirmatory", "p_holm"]).to_dict("records")


def not_tested(statistics: pd.DataFrame) -> list[dict]:
    """Measures that could not be held against scores, and why."""
    rows = statistics[(statistics["test"] == "two_way") & statistics["estimate"].isna()]
    return rows[["response", "method", "protocol", "measure", "n_tasks", "n_cells", "reason"]].to_dict("records")


def contrast_records(contrasts: pd.DataFrame, response: str, of_gains: str) -> list[dict]:
    """Rows of the table `contrasts` on a scale, and `gain` also on the scale `of_gains`."""
    gains = (contrasts["what"] == "gain") & (contrasts["response"] == of_gains)
    return contrasts[(contrasts["response"] == response) | gains].to_dict("records")


def agreements(statistics: pd.DataFrame) -> list[dict]:
    """The rows `agreement`, each with its p beyond family (NaN where that is not asked)."""
    keys = ["response", "method", "protocol"]
    beyond = statistics[statistics["test"] == "agreement_blocks"].set_index(keys)["p"]
    return [one | {"p_blocks": beyond.get(tuple(one[key] for key in keys), math.nan)} for one in records_of(statistics, "agreement")]


def correlations(statistics: pd.DataFrame, similarity: pd.DataFrame) -> list[dict]:
    """One record per (response, method, protocol, measure) that has a correlation: with its interval and its p values.

    `significant` allows for all measures of a method and marks; `established` allows for all confirmatory tests. Where tasks
    share a family either asks for both tests, by renaming any task and beyond family.
    """
    kinds = similarity.drop_duplicates("measure").set_index("measure")["family"]
    p = statistics.pivot_table(index=KEYS, columns="test", values="p", aggfunc="first")
    deciding = decisive(statistics)
    reliability = statistics[statistics["test"] == "reliability"].set_index(KEYS[:3])["estimate"]
    free = statistics[statistics["test"] == "disattenuated"].set_index(KEYS)[["estimate", "low", "high", "reason"]].to_dict("index")
    found = []
    rows = statistics[(statistics["test"] == "two_way") & statistics["estimate"].notna()]
    for row in rows.drop(columns="reason").to_dict("records"):
        key = tuple(row[name] for name in KEYS)
        ceiling = math.sqrt(value) if (value := reliability.get(key[:3], math.nan)) > 0 else math.nan
        row |= {"family": kinds[row["measure"]], "noise_ceiling": ceiling, "disattenuated": free.get(key)}
        row |= {f"p_{test}": _p_of(p, key, f"two_way_{test}") for test in ("max_t", "blocks", "blocks_min_p")}
        row["established"] = bool(row["confirmatory"] and row["p_holm"] < MEANINGFUL)
        found.append(row | {"significant": bool(deciding[key] < MEANINGFUL)})
    return found


def _p_of(p: pd.DataFrame, key: tuple, test: str) -> float:
    return float(p.at[key, test]) if test in p and key in p.index else math.nan


def plain(value: Any) -> Any:
    """The same with NumPy scalars as Python numbers and NaN as None."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
