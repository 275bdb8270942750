"""What the table `pairs` says of cells, in columns of numbers as base64: a page of 60 tasks has 43,200 of them.

`pair_columns.js` reads them while the matrix is drawn, so they are not gzipped as what waits for a cell to be opened is.
"""

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from promptatlas.analysis.pairs.column import BOTH

NUMBERS = ("gain", "low", "high", "p_adjusted")
# Bits of a cell: whether the table has it, whether it was compared with the column's best, is separable from it, is the best itself,
# and whether its interval counts seeds.
THERE, COMPARED, SEPARABLE, BEST, SEEDS = (1 << place for place in range(5))


def sureness(pairs: pd.DataFrame, against: Mapping[str, str]) -> dict[str, Any]:
    """For each protocol/method its sources, its targets and, in their order, columns of (sources x targets) numbers.

    against: how columns of the baseline that the page shows first begin, by protocol/method. `NUMBERS` are single-precision, NaN where
    nothing is known; `best_set` and `reason` (place in `reasons` from 1) are 16 bits, 0 where there is none; `flags` are 8 bits.
    """
    told = list(dict.fromkeys(pairs["reason"][pairs["reason"] != ""]))
    groups = pairs.groupby(["protocol", "method"], sort=False)
    cells = {f"{protocol}/{method}": _columns(part, against.get(f"{protocol}/{method}", ""), told) for (protocol, method), part in groups}
    return {"cells": cells, "reasons": told}


def _columns(part: pd.DataFrame, begin: str, told: list[str]) -> dict[str, Any]:
    sources, targets = (list(dict.fromkeys(part[side])) for side in ("source", "target"))
    at = (part["source"].map(sources.index).to_numpy(), part["target"].map(targets.index).to_numpy())

    def column(values: Any, kind: type, empty: float) -> str:
        whole = np.full((len(sources), len(targets)), empty, dtype=np.dtype(kind).newbyteorder("<"))
        whole[at] = values
        return base64.b64encode(whole.tobytes()).decode()

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
        **{name: column(part[begin + name].astype(float), np.float32, np.nan) for name in NUMBERS},
        "best_set": column(part["best_set"].fillna(0), np.uint16, 0),
        "reason": column(reason, np.uint16, 0),
        "flags": column(every, np.uint8, 0),
    }
