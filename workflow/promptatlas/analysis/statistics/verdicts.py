"""When a link between similarity and transfer is marked. Knows nothing of how p values are made or shown."""

import pandas as pd

KEYS = ["response", "method", "protocol", "measure"]
MEANINGFUL = 0.05


def decisive(statistics: pd.DataFrame) -> pd.Series:
    """The p of each (response, method, protocol, measure) that decides, from the table `statistics`.

    It allows for all measures of a method (maxT, minP) where there is such a test, and is the larger of the one that renames any task
    and the one beyond family where tasks share a family.
    """
    p = statistics.pivot_table(index=KEYS, columns="test", values="p", aggfunc="first")
    p = p.reindex(columns=["two_way", "two_way_max_t", "two_way_blocks", "two_way_blocks_min_p"])
    alone, beyond = p["two_way_max_t"].fillna(p["two_way"]), p["two_way_blocks_min_p"].fillna(p["two_way_blocks"])
    return pd.concat([alone, beyond], axis=1).max(axis=1).dropna()
