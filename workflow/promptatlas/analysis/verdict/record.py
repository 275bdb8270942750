"""The key `verdict` of summary.json: the answer as data, whatever scores are held against."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from promptatlas.analysis.verdict.holding import Compared, clear, in_every_seed, named, unhelped

LEVEL = 0.05  # of p adjusted for all pairs, below which one is clear


class Owner(Protocol):
    """Scores (S, n, n) of a method in a protocol."""

    @property
    def method(self) -> str: ...

    @property
    def protocol(self) -> str: ...

    @property
    def tasks(self) -> tuple[str, ...]: ...

    @property
    def score(self) -> np.ndarray: ...


def whole(by_method: list[dict[str, Any]], contrasts: Sequence[Mapping[str, Any]], unit: str, headline: str) -> dict[str, Any]:
    """The key `verdict`, which docs/tables.md describes. contrasts: as `gains` gives them; unit: that of gains over a baseline, "" where it
    has no name; headline: that of differences of methods."""
    protocols = dict.fromkeys(one["protocol"] for one in by_method)
    parts = {protocol: [one for one in by_method if one["protocol"] == protocol] for protocol in protocols}
    return {
        "unit": unit,
        "headline_unit": headline,
        "by_method": by_method,
        "opens": {protocol: opens(some) for protocol, some in parts.items()},
        "transfers_best": [
            best
            for protocol, some in parts.items()
            if (best := transfers_best([one["method"] for one in some], [one for one in contrasts if one["protocol"] == protocol]))
        ],
    }


def record(one: Owner, every: Sequence[Compared], there: np.ndarray, summary: Mapping[str, Any]) -> dict[str, Any]:
    """Of one method in one protocol. every: what its scores are held against; there: (n, n) which pairs are measured; summary: the dict of
    summary.json besides."""
    holds = in_every_seed(every, there)
    targets, without = unhelped(there, holds)
    tested, sure, smallest = clear(every, holds, LEVEL)
    return {
        "protocol": one.protocol,
        "method": one.method,
        "baselines": [each.baseline for each in every],
        "n_seeds": int(np.isfinite(one.score).any(axis=(1, 2)).sum()),
        "n_pairs": int(there.sum()),
        "n_helping": int(holds.sum()),
        "n_tested": tested,
        "n_clear": sure,
        "smallest_p": smallest,
        "named": named(every, holds, one.tasks),
        "highest": [],
        "n_targets": len(targets),
        "unhelped": [one.tasks[target] for target in without] if every else [],
        "reliability": _reliability(one, summary),
    }


def _reliability(one: Owner, summary: Mapping[str, Any]) -> dict[str, Any]:
    """How well who helps whom would repeat with other seeds, as the table `statistics` has it; NaN where that cannot be told."""
    for row in summary["variance"]:
        if (row["test"], row["response"]) != ("reliability", summary["primary_response"]):
            continue
        if (row["method"], row["protocol"]) == (one.method, one.protocol):
            return {name: row[name] for name in ("estimate", "low", "high", "reason")}
    return {"estimate": math.nan, "low": math.nan, "high": math.nan, "reason": "nothing is measured"}


def opens(by_method: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The most informative method of a protocol, and by what it is that: the `reliability` of who helps whom, where any has one; else how
    many pairs are `separable`; else the `order`, in which it is the first."""
    known = [one for one in by_method if math.isfinite(one["reliability"]["estimate"])]
    if known:
        return {"method": max(known, key=lambda one: one["reliability"]["estimate"])["method"], "by": "reliability"}
    told = [one for one in by_method if one["n_separable"]]
    if told:
        return {"method": max(told, key=lambda one: one["n_separable"])["method"], "by": "separable"}
    return {"method": by_method[0]["method"], "by": "order"}


def gains(contrasts: Iterable[Mapping[str, Any]], response: str, factor: float) -> list[dict[str, Any]]:
    """The rows `gain` of the table `contrasts`, of two methods of one protocol, in the unit that is told."""
    return [
        {"protocol": row["protocol"], "methods": row["method"].split("~")}
        | {name: factor * row[name] for name in ("estimate", "low", "high")}
        for row in contrasts
        if row["what"] == "gain" and row["response"] == response and row["method"].count("~") == 1 and "~" not in row["protocol"]
    ]


def transfers_best(methods: Sequence[str], contrasts: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The method of a protocol whose prompts score higher on other tasks than those of every other, mean over the pairs that two have in
    common; with the method that comes closest. None where that is not measured, or none is ahead of all.

    ahead: how many others it is ahead of by an interval above 0, of `others`.
    """
    ahead: dict[str, dict[str, tuple[float, float, float]]] = {method: {} for method in methods}
    for row in contrasts:
        first, second = row["methods"]
        estimate, low, high = row["estimate"], row["low"], row["high"]
        if first in ahead and second in ahead and math.isfinite(estimate):
            ahead[first][second] = (estimate, low, high)
            ahead[second][first] = (-estimate, -high, -low)
    for method, over in ahead.items():
        if len(over) == len(methods) - 1 > 0 and min(one[0] for one in over.values()) > 0:
            closest = min(over, key=lambda other: over[other][0])
            numbers = dict(zip(("estimate", "low", "high"), over[closest], strict=True))
            clearly = sum(one[1] > 0 for one in over.values())
            return {"protocol": contrasts[0]["protocol"], "method": method, "others": len(over), "ahead": clearly,
                    "closest": {"method": closest} | numbers}  # fmt: skip
    return None
