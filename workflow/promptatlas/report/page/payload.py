"""Everything the page shows, gathered from tables into one JSON-able dict.

Arrays follow the order of `tasks` (rows sources, columns targets); a missing cell is null. What a matrix shows is computed on the page,
from scores by seed. `words` are all names in words: the page has none of its own. Its sentences take their numbers from `summary` alone.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from promptatlas.analysis import explained_words, words
from promptatlas.analysis.statistics.matrices import Scores, collect, similarity_matrices, task_names
from promptatlas.analysis.statistics.views import VIEWS, has
from promptatlas.analysis.verdict.of_study import UNTUNED_PROMPT, ZERO_SHOT
from promptatlas.analysis.verdict.words import Names, topics
from promptatlas.report.colours import colour_of
from promptatlas.report.page import cell_columns, pair_columns, ranking
from promptatlas.report.page.packed import packed
from promptatlas.report.page.plain import plain
from promptatlas.study.protocols import PROTOCOLS

MOST_EPOCHS = 40
OVER_SCRATCH = "over_scratch"  # on the page no view of its own, but the gain over another baseline
SHOWN = tuple(name for name in VIEWS if name != OVER_SCRATCH)
CARD = (
    "title",
    "family",
    "metric",
    "classes",
    "n_train",
    "n_test",
    "chance",
    "largest_class",
    "zero_shot",
    "split_source",
    "drawn",
    "labelled",
    "notes",
)


def payload(
    tables: dict[str, pd.DataFrame],
    config: dict,
    classes: Mapping[str, Any],
    summary: dict,
    origin: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The page's data: tables by name (transfer, similarity, tasks and, where there is one, pairs), the configuration, names and counts of
    test images of the classes by target, summary.json, and where cells come from (`origin.of_study`)."""
    collected = collect(tables["transfer"], tables["tasks"])
    names = task_names(tables["tasks"])
    cards = tables["tasks"].set_index("task").reindex(names)
    return {
        "study": config.get("study", "study"),
        "results": str(config.get("results", "results")),
        "config": config,
        "backbones": sorted(set(tables["transfer"]["backbone"])),
        "tasks": [{"name": name} | {key: plain(card[key]) for key in CARD if key in card} for name, card in cards.iterrows()],
        "words": words.every(),
        "methods": in_order(summary["methods"], config.get("methods", ())),
        "colours": {name: colour_of(name, summary["methods"]) for name in [*summary["methods"], *compared(summary)]},
        "protocols": summary["protocols"],
        "tuned_epochs": {protocol: tuned_epochs(protocol, summary["methods"], config) for protocol in summary["protocols"]},
        "views": list(SHOWN),
        "order": summary["order"],
        "matrices": {f"{scores.protocol}/{scores.method}": matrices(scores) for scores in collected},
        "similarity": similarities(tables["similarity"], names),
        "explained": explained(summary, words.method_title, words.measure_title),
        "classes": classes,
        "failed": reasons(tables["transfer"]),
        "pairs": pair_columns.sureness(tables["pairs"]) if "pairs" in tables else None,
        "ranking": ranking.files(tables.get("pairs")),
        "verdict": verdict(summary, names_of(cards["title"].to_dict())),
        "summary": summary,
        "origin": origin,
    }


def later(cells: Mapping[str, Any], tuning: pd.DataFrame) -> dict[str, dict[str, str]]:
    """What the page reads when a cell is opened, packed: `cell_evidence.told` by protocol and method, tuning curves by method."""
    return {
        "cells": {key: cell_columns.packed(sources) for key, sources in cells.items()},
        "tuning": {method: packed(tasks) for method, tasks in tuning_curves(tuning).items()},
    }


def compared(summary: Mapping[str, Any]) -> list[str]:
    """The methods that are compared on tasks of their own, also those that have no matrix."""
    return [one["method"] for one in (summary.get("comparison") or {}).get("methods", ())]


def names_of(titles: Mapping[str, str]) -> Names:
    """What the verdict of a study calls things, from titles of tasks by name."""

    def baseline(protocol: str, name: str) -> str:
        return "zero-shot" if name == ZERO_SHOT else "the untrained start" if PROTOCOLS[protocol].tunes else "the untuned prompt"

    return Names(lambda name: titles.get(name, name), words.method_title, baseline, study=True)


def verdict(summary: dict, names: Names) -> dict[str, list[dict[str, Any]]]:
    """By protocol and method the sentences of the first screen."""
    known = [(one["protocol"], one["method"]) for one in summary["by_method"]]
    return {f"{protocol}/{method}": topics(summary, protocol, method, names) for protocol, method in known}


def explained(summary: dict, method: Callable[[str], str], measure: Callable[[str], str]) -> dict[str, list[str]]:
    """By protocol and method what similarities explain together, in words; summaries of earlier versions say nothing of it."""
    told: dict[str, list[str]] = defaultdict(list)
    for one in summary.get("explained", ()):
        told[f"{one['protocol']}/{one['method']}"].append(explained_words.sentence(one, method, measure))
    return told


def tuned_epochs(protocol: str, names: Iterable[str], config: dict) -> dict[str, int]:
    """By method how long a protocol tunes prompts on targets, if it does and the configuration says how methods are set."""
    own, known = PROTOCOLS[protocol].settings, config.get("settings", {})
    return {} if own is None else {name: own(known[name], config)["epochs"] for name in names if name in known}


def in_order(names: Iterable[str], wanted: Iterable[str]) -> list[str]:
    """`names` in the order in which `wanted` (the configuration) lists them, others last."""
    wanted = list(wanted)
    return sorted(names, key=lambda name: wanted.index(name) if name in wanted else len(wanted))


def matrices(scores: Scores) -> dict[str, Any]:
    """The scores of one method by seed: seed -> (n + calibration rows, n); which baseline its gains are counted from at first."""
    every = np.concatenate([scores.score, *(row[:, None] for row in scores.calibration.values())], axis=1)
    return {
        "sources": [*scores.tasks, *scores.calibration],
        "seeds": {seed: plain(values) for seed, values in zip(scores.seeds, every, strict=True)},
        "zero_shot": plain(scores.zero_shot),
        "chance": plain(scores.chance),
        "baseline": UNTUNED_PROMPT if has(scores, OVER_SCRATCH) else ZERO_SHOT,
    }


def similarities(similarity: pd.DataFrame, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """One entry per measure (and method, for measures that depend on it)."""
    entries = []
    for (measure, method), part in similarity.fillna({"method": ""}).groupby(["measure", "method"], sort=False):
        values = plain(similarity_matrices(part, names, method)[measure], 4)
        entries.append({"measure": measure, "method": method, "values": values})
    return entries


def tuning_curves(tuning: pd.DataFrame) -> dict[str, Any]:
    """method -> task -> seed -> [epochs, losses, validation scores], thinned to at most `MOST_EPOCHS` points."""
    curves: dict[str, Any] = defaultdict(lambda: defaultdict(dict))
    for (method, task, seed), part in tuning.groupby(["method", "task", "seed"], sort=False):
        part = part.sort_values("epoch")
        chosen = part.iloc[np.unique(np.linspace(0, len(part) - 1, min(MOST_EPOCHS, len(part))).round().astype(int))]
        columns = (chosen[column].to_numpy() for column in ("epoch", "loss", "validation_score"))
        curves[method][task][int(seed)] = [plain(column, 3) for column in columns]
    return curves


def reasons(transfer: pd.DataFrame) -> dict[str, Any]:
    """Why cells could not be measured: protocol/method -> source -> target -> seed -> reason."""
    known: dict[str, Any] = defaultdict(lambda: defaultdict(lambda: defaultdict(dict)))
    if "failed" in transfer:  # tables of earlier versions have no such column
        for row in transfer[transfer["failed"] != ""].itertuples():
            known[f"{row.protocol}/{row.method}"][row.source][row.target][int(row.seed)] = row.failed
    return known
