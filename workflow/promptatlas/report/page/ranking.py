"""Which prompt files of all methods are to be used on a target, for the page's list of sources."""

from __future__ import annotations

from typing import Any

import pandas as pd

from promptatlas.report.page.plain import plain

MOST = 12  # files of a target
COLUMNS = ("prompt_seed", "prompt_gain", "prompt_low", "prompt_high", "chance_best")


def files(pairs: pd.DataFrame | None) -> dict[str, dict[str, Any]]:
    """By protocol and target, from the table `pairs`; nothing where there is none, or it is of an earlier version.

    files: [method, source, and of its best prompt file the seed, the expected gain over the zero-shot prompt in points, low, high, and
    the chance that one of the source's files is the best], the largest expected gain first; decision: with the method and source that
    lead on the test images, null where there is none; reason: why no file is judged.
    """
    if pairs is None or "prompt_gain" not in pairs:
        return {}
    found: dict[str, dict[str, Any]] = {}
    for (protocol, target), rows in pairs.groupby(["protocol", "target"], sort=False):
        judged = rows[rows["prompt_gain"].notna()].sort_values("prompt_gain", ascending=False, kind="stable").head(MOST)
        decided = rows[rows["decision"] != ""].head(1)
        reasons = rows.loc[rows["reason"] != "", "reason"]
        found.setdefault(str(protocol), {})[str(target)] = {
            "files": [[row["method"], row["source"], *(plain(row[name]) for name in COLUMNS)] for row in judged.to_dict("records")],
            "decision": None if decided.empty else decided[["decision", "method", "source"]].iloc[0].tolist(),
            "reason": reasons.iloc[0] if decided.empty and len(reasons) else "",
        }
    return found
