"""Right answers that make the scores of a made-up study, as columns of the table `pairs`."""

import numpy as np
import pandas as pd

from promptatlas.analysis.pairs.column import Column
from promptatlas.analysis.pairs.images import WeightedImages

METRIC = "its metric is no mean of right answers"


def columns(transfer: pd.DataFrame) -> list[Column]:
    """Answers that make the scores of a made-up study; of the last task nothing is known of single images."""
    rng, made = np.random.default_rng(0), []
    names = frozenset(transfer["source"]) - {"scratch", "template"}
    for (protocol, method, target), rows in transfer.groupby(["protocol", "method", "target"], sort=False):
        wide = rows[rows["source"] != "template"].pivot_table(index="source", columns="seed", values="score")
        hand, order = rows.loc[rows["source"] == "template", "score"].iloc[0], rng.random(300)
        blind = target == max(names)
        made.append(Column(
            protocol, method, target, "accuracy", 300, tuple(wide.index), names, wide.to_numpy(), hand, np.full(len(wide), not blind),
            (METRIC if blind else "",) * len(wide), WeightedImages.alike(300), order < wide.to_numpy()[:, :, None], order < hand,
        ))  # fmt: skip
    return made
