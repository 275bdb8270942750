"""The four metrics of ELEVATER (Li et al. 2022), registered."""

import numpy as np

from promptatlas.tasks.metrics.curves import area_under_roc, average_precision, random_average_precision
from promptatlas.tasks.metrics.registry import Metric, register


def one_in_classes(labels: np.ndarray, classes: int) -> float:
    return 1.0 / classes


def mean_of_random_rankings(labels: np.ndarray, classes: int) -> float:
    """The mean over random rankings, which lies a little above the prevalence because precision is interpolated upwards and recall 0
    counts as precision 1: of all rankings where these are few, as with a dozen images, else of 500 that are drawn.
    """
    positives = labels.sum(axis=0)
    return float(np.mean([random_average_precision(len(labels), int(p)) for p in positives if p]))


def binomial_error(chance: float, images: int) -> float:
    return float(np.sqrt(chance * (1 - chance) / images))


def mann_whitney_error(chance: float, images: int) -> float:
    """Of the area between two classes of one size."""
    return float(np.sqrt((images + 1) / 3) / images)


def largest_area_error(labels: np.ndarray) -> float | None:
    """Hanley & McNeil 1982, eq. 1, for exponential scores, at its worst area."""
    marked, others = int((labels == 1).sum()), int((labels == 0).sum())
    if not marked or not others:
        return None
    area = np.linspace(0, 1, 101)
    two_marked, two_others = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (marked - 1) * (two_marked - area**2) + (others - 1) * (two_others - area**2)
    return float(np.sqrt(variance.max() / (marked * others)))


def without_a_second_class(labels: np.ndarray) -> str:
    there = np.unique(labels)
    return "" if len(there) > 1 else f"all are of class {there[0]}, and roc_auc compares two"


register(
    Metric(
        name="accuracy", title="accuracy", mean_over="images", chance=one_in_classes,
        guessing_error=binomial_error, standard_error=lambda labels: float(np.sqrt(0.25 / len(labels))),
    )
)  # fmt: skip
register(Metric(name="mean_per_class", title="mean per class", mean_over="classes", chance=one_in_classes, guessing_error=binomial_error))
register(
    Metric(
        name="roc_auc", title="ROC AUC", curve=area_under_roc, classes=2, chance=lambda labels, classes: 0.5,
        undefined=without_a_second_class, guessing_error=mann_whitney_error, standard_error=largest_area_error,
    )
)  # fmt: skip
register(
    Metric(
        name="map_11_point", title="11-point mAP", curve=average_precision, mean_over="classes", multilabel=True,
        chance=mean_of_random_rankings, undefined=lambda labels: "" if labels.any() else "none of them has a label",
    )
)  # fmt: skip
