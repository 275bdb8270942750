"""What the table `pairs` says of cells, in columns of numbers as base64: a page of 60 tasks has 43,200 of them.

`pair_columns.js` reads them while the matrix is drawn, so they are not gzipped as what waits for a cell to be opened is. Gains are not
among them: the page computes them from scores.
"""

import base64
from typing import Any

import numpy as np
import pandas as pd

from promptatlas.analysis.pairs.column import BOTH

# Over what the page counts gains, and how the columns of the table begin that say how sure these are.
OVER = {"zero_shot": "", "untuned": "untuned_", "own": "own_", "average": "average_"}
# Bits of a cell: whether the table has it, whether it was compared with the column's best, is separable from it, is the best itself,
# and whether its interval counts seeds.
THERE, COMPARED, SEPARABLE, BEST, SEEDS = (1 << place for place in range(5))
STEPS, NO_END = 320, -(2**15)  # steps of an end of an interval in a point, so that 100 points fit 16 bits
TENTHS, NO_P = 4000, 2**16 - 1  # steps of p in a factor of ten


def sureness(pairs: pd.DataFrame) -> dict[str, Any]:
    """For each protocol/method its sources, its targets and, in their order, columns of (sources x targets) numbers.

    over: by what gains are counted over, as far as any interval over it is known, `ends` of intervals and, where the table has it, `p`
    adjusted for all pairs; `best_set` and `reason` (place in `reasons` from 1) are 16 bits, 0 where there is none; `flags` are 8 bits.
    """
    told = list(dict.fromkeys(pairs["reason"][pairs["reason"] != ""]))
    groups = pairs.groupby(["protocol", "method"], sort=False)
    return {"cells": {f"{protocol}/{method}": _columns(part, told) for (protocol, method), part in groups}, "reasons": told}


def _columns(part: pd.DataFrame, told: list[str]) -> dict[str, Any]:
    sources, targets = (list(dict.fromkeys(part[side])) for side in ("source", "target"))
    at = (part["source"].map(sources.index).to_numpy(), part["target"].map(targets.index).to_numpy())

    def column(values: Any, kind: type, empty: int) -> str:
        whole = np.full((len(sources), len(targets)), empty, dtype=np.dtype(kind).newbyteorder("<"))
        whole[at] = values
        return base64.b64encode(whole.tobytes()).decode()

    def over(begin: str) -> dict[str, str]:
        ends = {end: column(end_steps(part[begin + end]), np.int16, NO_END) for end in ("low", "high")}
        known = f"{begin}p_adjusted"
        return ends | ({"p": column(p_steps(part[known]), np.uint16, NO_P)} if known in part else {})

    flags = [
        (part["separable_from_best"].notna(), COMPARED),
        (part["separable_from_best"].eq(True).fillna(value=False), SEPARABLE),
        (part["best"] == part["source"], BEST),
        (part["counted"] == BOTH, SEEDS),
    ]
    every = THERE + sum(known.to_numpy(dtype=int) * bit for known, bit in flags)
    reason = part["reason"].map(lambda why: told.index(why) + 1 if why else 0)
    return {
        "sources": sources,
        "targets": targets,
        "over": {name: over(begin) for name, begin in OVER.items() if part.get(f"{begin}low", pd.Series()).notna().any()},
        "best_set": column(part["best_set"].fillna(0), np.uint16, 0),
        "reason": column(reason, np.uint16, 0),
        "flags": column(every, np.uint8, 0),
    }


def end_steps(points: pd.Series) -> np.ndarray:
    """Ends of intervals (K,) in steps, none of them 0 that is not 0: whether an interval holds 0 must not depend on rounding."""
    values = STEPS * points.to_numpy(dtype=float)
    near = np.where(values == 0, 0, np.copysign(np.maximum(np.abs(np.round(values)), 1), values))
    return np.where(np.isfinite(values), near, NO_END)


def p_steps(p: pd.Series) -> np.ndarray:
    """p (K,) as its logarithm in steps, the smallest that there are as 1e-16."""
    values = p.to_numpy(dtype=float)
    return np.where(np.isfinite(values), np.round(-TENTHS * np.log10(np.clip(values, 1e-16, 1))), NO_P)
