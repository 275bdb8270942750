"""Known factor overlap of drawn tasks: a check on the benchmark, never a predictor."""

import numpy as np

from promptatlas.evaluation.similarity.registry import Corpus, measure


def jaccard(one: tuple[str, ...], other: tuple[str, ...]) -> float:
    """Shared share of two sets of factor names, 0 to 1; NaN where both are empty."""
    union = set(one) | set(other)
    return len(set(one) & set(other)) / len(union) if union else float("nan")


@measure(
    "factor_overlap", title="known factor overlap", family="truth", directed=False, needs=[],
    description="mean of the Jaccard overlaps of what is drawn and of what the label depends on",
)  # fmt: skip
def factor_overlap(corpus: Corpus) -> np.ndarray:
    """(n, n); NaN where the factors are not given."""
    return np.array([[(jaccard(a.drawn, b.drawn) + jaccard(a.labelled, b.labelled)) / 2 for b in corpus.tasks] for a in corpus.tasks])
