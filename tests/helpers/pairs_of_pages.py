"""The table of pairs of a synthetic study, as pages read it."""

import numpy as np
import pandas as pd

KEYS = ["protocol", "method", "source", "target"]


def pairs_table(transfer: pd.DataFrame, tasks: pd.DataFrame) -> pd.DataFrame:
    """Means, gains and made-up p of all pairs, as far as the page reads them."""
    rng = np.random.default_rng(5)
    table = transfer.groupby(KEYS)["score"].mean().reset_index()
    named = table["source"].isin(tasks["task"])
    scores = table.set_index(KEYS)["score"]

    def of(source: pd.Series) -> np.ndarray:
        return scores.reindex(pd.MultiIndex.from_frame(table.assign(source=source)[KEYS])).to_numpy()

    groups = [table[name] for name in ("protocol", "method", "target")]
    over = {
        "": table["target"].map(tasks.set_index("task")["zero_shot"]), "untuned_": of("scratch"), "own_": of(table["target"]),
        "average_": table["score"].where(named & (table["source"] != table["target"])).groupby(groups).transform("mean"),
    }  # fmt: skip
    for against, base in over.items():
        gain = 100 * (table["score"] - base)
        table[f"{against}gain"], table[f"{against}low"], table[f"{against}high"] = gain, gain - 9, gain + 9
    for against in ("", "untuned_"):
        table[f"{against}p_adjusted"] = rng.uniform(0, 0.2, len(table))
    return table.assign(separable_from_best=True, best_set=2, best="task_00", counted="images and seeds", reason="")
