"""Which tasks help each other, and so may share one prompt: groups from transfer that is measured on validation images.

The matrix of a study is measured on test images, so groups taken from it would have seen them (MVLPT's Table 2 looks like
that); these have not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from promptatlas.backbone import Backbone
from promptatlas.backbone.prompts import Prompts
from promptatlas.evaluation import evaluate
from promptatlas.tasks import metrics
from promptatlas.tasks.draws import Draw
from promptatlas.tasks.prepared import PreparedTask


def validation_gains(
    backbone: Backbone, task: PreparedTask, encoded: Mapping[str, np.ndarray], draw: Draw, prompts: list[Prompts]
) -> np.ndarray:
    """Points (of 100) that each of K source prompts gains over zero-shot on the validation images of one draw, (K,)."""
    split = draw.validation_split
    rows = task.rows(split, draw.validation)
    features, labels = encoded[f"features_{split}"][rows], task.labels(split)[rows]

    def score(logits: np.ndarray) -> float:
        return metrics.score(task.task.metric, logits, labels).value

    logits = evaluate.answers(backbone, task.task.class_names, task.images(split)[rows], features, prompts)
    zero_shot = score(features @ encoded["class_features"].T * backbone.logit_scale)
    return 100 * (np.array([score(own) for own in logits]) - zero_shot)


def groups(names: Sequence[str], gains: np.ndarray) -> list[tuple[str, ...]]:
    """Average linkage of tasks by mutual gain, merged as long as a merger's mean mutual gain is above zero.

    gains: (n, n), rows sources, columns targets, NaN = not known, which counts as no gain. Tasks that help no other stay
    alone. In the order of `names`.
    """
    gains = np.nan_to_num(np.asarray(gains, dtype=np.float64))
    mutual = (gains + gains.T) / 2
    largest = mutual[~np.eye(len(names), dtype=bool)].max(initial=0.0)
    if largest <= 0:
        return [(name,) for name in names]
    distance = largest - mutual
    np.fill_diagonal(distance, 0.0)
    tree = linkage(squareform(distance, checks=False), "average")
    labels = fcluster(tree, np.nextafter(largest, -np.inf), "distance")
    found = {label: tuple(name for name, own in zip(names, labels, strict=True) if own == label) for label in labels}
    return list(dict.fromkeys(found[label] for label in labels))
