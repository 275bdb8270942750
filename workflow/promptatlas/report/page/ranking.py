"""Sources of a target in order, of all methods of a protocol together, for the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from promptatlas.analysis.any_matrix.given import GivenMatrix
from promptatlas.analysis.any_matrix.scales import MatrixScale
from promptatlas.analysis.statistics.held_out import by_place
from promptatlas.analysis.statistics.matrices import Scores
from promptatlas.report.page.plain import plain
from promptatlas.study.protocols import SCRATCH

MOST = 12  # lines of a target
OF_FILES = ("prompt_seed", "prompt_gain", "prompt_low", "prompt_high", "chance_best")
ENDS = ("low", "high")


@dataclass(frozen=True)
class _Sources:
    """What K sources of a method gain on n targets by seed: gain (S, K, n), NaN where nothing is measured."""

    protocol: str
    method: str
    sources: tuple[str, ...]
    tasks: tuple[str, ...]
    seeds: tuple[Any, ...]
    gain: np.ndarray


def of_study(collected: Sequence[Scores], pairs: pd.DataFrame | None) -> dict[str, dict[str, Any]]:
    """By protocol and target what the page's list of sources shows.

    lines: [method, source, mean gain over zero-shot in points, low, high, and of its best prompt file the seed, the expected gain, low,
    high, and the chance that one of its files is the best], null where that is not known; sources: of how many they are the first;
    held_out: what the first mean gain is worth in a seed that did not choose it; decision: with the method and source that lead on the
    test images, null where there is none; reason: why no file is judged.
    """
    known = [_of_scores(scores) for scores in collected]
    return _by_target(known, None if pairs is None or "prompt_gain" not in pairs else pairs)


def of_matrices(matrices: Sequence[GivenMatrix], scale: MatrixScale) -> dict[str, dict[str, Any]]:
    """The same of given matrices, on the scale of headlines, without files."""
    factor = 100 if scale.unit == "%" else 1
    return _by_target(
        [_Sources(one.protocol, one.method, one.tasks, one.tasks, one.seeds, factor * scale.matrix(one)) for one in matrices], None
    )


def _of_scores(scores: Scores) -> _Sources:
    every, names = scores.score, scores.tasks
    if SCRATCH in scores.calibration:
        every, names = np.concatenate([every, scores.calibration[SCRATCH][:, None]], axis=1), (*names, SCRATCH)
    return _Sources(scores.protocol, scores.method, names, scores.tasks, scores.seeds, 100 * (every - scores.zero_shot))


def _by_target(known: Sequence[_Sources], pairs: pd.DataFrame | None) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    judged = {} if pairs is None else dict(iter(pairs.groupby(["protocol", "target"], sort=False)))
    for protocol in dict.fromkeys(one.protocol for one in known):
        methods = [one for one in known if one.protocol == protocol]
        found[protocol] = {target: _target(methods, target, judged.get((protocol, target))) for target in methods[0].tasks}
    return found


def _target(methods: Sequence[_Sources], target: str, judged: pd.DataFrame | None) -> dict[str, Any]:
    seeds = sorted({seed for one in methods for seed in one.seeds}, key=str)
    names, rows = [], []
    for one in methods:
        column = np.full((len(seeds), len(one.sources)), np.nan)
        column[[seeds.index(seed) for seed in one.seeds]] = one.gain[:, :, one.tasks.index(target)]
        for source, gain in zip(one.sources, column.T, strict=True):
            if source != target and np.isfinite(gain).any():
                names.append((one.method, source))
                rows.append(gain)
    gains = np.array(rows).reshape(-1, len(seeds)).T
    of = {} if judged is None else {(row["method"], row["source"]): row for row in judged.to_dict("records")}
    lines = [_line(name, gain, of.get(name)) for name, gain in zip(names, gains.T, strict=True)]
    lines.sort(key=lambda line: (line[6] is None, -line[2] if line[6] is None else -line[6]))
    worth = by_place(gains)
    return {
        "lines": lines[:MOST],
        "sources": len(lines),
        "held_out": plain(worth[0]) if len(worth) else None,
        "decision": _decision(of),
        "reason": _reason(of),
    }


def _line(name: tuple[str, str], gain: np.ndarray, row: Mapping[str, Any] | None) -> list[Any]:
    mean = plain(float(gain[np.isfinite(gain)].mean()))
    return [*name, mean, *([None] * 7 if row is None else [plain(row[one]) for one in (*ENDS, *OF_FILES)])]


def _decision(of: Mapping[tuple[str, str], Mapping[str, Any]]) -> list[str] | None:
    return next(([row["decision"], *name] for name, row in of.items() if row["decision"]), None)


def _reason(of: Mapping[tuple[str, str], Mapping[str, Any]]) -> str:
    """Why no file is judged, "" where one is."""
    if any(row["decision"] for row in of.values()):
        return ""
    return next((row["reason"] for row in of.values() if row["reason"]), "")
