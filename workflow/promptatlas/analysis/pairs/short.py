"""The table `pairs` in short, for summary.json: how many pairs help or hurt clearly, and which help."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from promptatlas.analysis.pairs.column import BOTH, PAIR

MOST = 20  # pairs that are named
NAMED = ["source", "target", "gain", "low", "high", "p_adjusted"]


def short(table: pd.DataFrame) -> list[dict[str, Any]]:
    """One record per protocol and method, of pairs of different tasks.

    n_pairs: rows; n_tested: of these with an interval; helps, hurts: separable from the zero-shot prompt, above and below it, all
    tested pairs allowed for; interval_above, interval_below, interval_holds_0: by each pair's own 95 % interval, of which 1 in 40 lies
    above 0 by luck where no prompt helps; untuned_: the same against the untuned prompt; counts_seeds: whether intervals count seeds;
    best_set_median: sources not separable from the best, median over targets. helping: those of interval_above whose gain is above 0 in
    every seed over the zero-shot prompt, the largest low first, at most `MOST` of `n_helping`. reasons: why the others have no interval,
    with how many.
    """
    rows = table[table["kind"] == PAIR]
    return [_record(protocol, method, part) for (protocol, method), part in rows.groupby(["protocol", "method"], sort=False)]


def _record(protocol: str, method: str, rows: pd.DataFrame) -> dict[str, Any]:
    tested = rows[rows["low"].notna()]
    every_seed = tested[(tested["low"] > 0) & (tested["seeds_alike"] == tested["seeds"])].sort_values("low", ascending=False, kind="stable")
    without = rows[rows["low"].isna()]["reason"].value_counts()
    sets = rows.drop_duplicates("target")["best_set"].dropna()
    return {
        "protocol": protocol,
        "method": method,
        "n_pairs": len(rows),
        "n_tested": len(tested),
        **_counts(tested, ""),
        **_counts(tested[tested["untuned_low"].notna()], "untuned_"),
        "interval_width_points": float((tested["high"] - tested["low"]).median()),
        "counts_seeds": bool(len(tested) and (tested["counted"] == BOTH).all()),
        "best_set_median": float(sets.median()) if len(sets) else np.nan,
        "n_helping": len(every_seed),
        "helping": every_seed[NAMED].head(MOST).to_dict("records"),
        "reasons": [{"reason": reason, "n_pairs": int(count)} for reason, count in without.items()],
    }


def _counts(rows: pd.DataFrame, against: str) -> dict[str, int]:
    above, low, high = rows[f"{against}gain"] > 0, rows[f"{against}low"], rows[f"{against}high"]
    separable = rows[f"{against}separable"].fillna(False).astype(bool)
    return {
        f"{against}helps": int((separable & above).sum()),
        f"{against}hurts": int((separable & ~above).sum()),
        f"{against}interval_above": int((low > 0).sum()),
        f"{against}interval_below": int((high < 0).sum()),
        f"{against}interval_holds_0": int(((low <= 0) & (high >= 0)).sum()),
    }
