"""What the frozen image features alone can do: a linear probe on the few-shot draw.

Logistic regression whose strength C is searched on the validation images as in CLIP's linear probe (Radford et al.
2021): every second decade from 1e-6 to 1e6, then around the best one in steps of a decade and of a half. CLIP goes on to an eighth
of a decade; with a handful of validation images per class a half is all they can tell.
"""

import warnings
from copy import copy

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from promptatlas.base.errors import UserError
from promptatlas.tasks import metrics
from promptatlas.training.selection import Best

# Of the gradient at the start. scikit-learn's own criterion is absolute, and with a thousand classes it is met there.
TOLERANCE = 0.03
# The chosen fit is taken this much closer to its optimum.
CLOSER = 30


def linear_probe(
    train: np.ndarray,
    train_labels: np.ndarray,
    validation: np.ndarray,
    validation_labels: np.ndarray,
    test: np.ndarray,
    test_labels: np.ndarray,
    metric: str,
    decades: int = 6,
    halvings: int = 2,
    iterations: int = 1000,
) -> tuple[float, float]:
    """Test score (0..1) of a linear probe and the C that the validation images chose, the smallest among equals.

    Features are (N, D), L2-normalised; labels are class numbers (N,), or marks (N, K), where each class has a probe of its own and,
    if the metric ranks, is ranked by it. A class without a training image gets the lowest score. C goes from
    10^-decades to 10^decades, and around the best in `halvings` steps, the first a decade and each half of that before.
    """
    if not len(train) or not len(validation):
        raise UserError("The linear probe needs an image to train on and one to validate on; raise shots.")
    # The intercept is free, so the optimum stays where it is; but CLIP's features share a direction that hides it.
    mean = np.mean(train, axis=0, dtype=np.float32)
    train, validation, test = (np.asarray(split, dtype=np.float32) - mean for split in (train, validation, test))
    train_labels = np.asarray(train_labels)
    probe: _Marks | _Classes
    if train_labels.ndim == 2:
        probe = _Marks(train, train_labels, iterations)
    else:
        last = max(int(np.max(labels)) for labels in (train_labels, validation_labels, test_labels))
        probe = _Classes(train, train_labels, max(2, last + 1), iterations)
    tried: dict[float, tuple[float, _Marks | _Classes]] = {}
    decade: float
    for decade in range(-decades, decades + 1, 2):
        probe = probe.fitted(10.0**decade)
        tried[decade] = probe.score(metric, validation, validation_labels), probe
    for step in (0.5**k for k in range(halvings)):
        centre = _best(tried)
        for decade in (centre - step, centre + step):
            probe = tried[centre][1].fitted(10.0**decade)
            tried[decade] = probe.score(metric, validation, validation_labels), probe
    chosen = _best(tried)
    return tried[chosen][1].fitted(10.0**chosen, CLOSER).score(metric, test, test_labels), 10.0**chosen


def _best(tried: dict[float, tuple[float, "_Marks | _Classes"]]) -> float:
    """The lowest decade with the best score."""
    best: Best[float] = Best("regularisation")
    for decade in sorted(tried):
        best.offer(tried[decade][0], lambda decade=decade: decade)
    return best.taken()


class _Classes:
    """One probe over all classes. `fitted` starts from the own coefficients, so neighbouring strengths are cheap."""

    def __init__(self, features: np.ndarray, labels: np.ndarray, classes: int, iterations: int):
        self.features, self.labels, self.classes = features, labels, classes
        self.model = _unfitted(features, labels, iterations)

    def fitted(self, strength: float, closer: float = 1) -> "_Classes":
        other = copy(self)
        other.model = _fitted(self.model, self.features, self.labels, strength, closer)
        return other

    def score(self, metric: str, features: np.ndarray, labels: np.ndarray) -> float:
        logits = np.full((len(features), self.classes), -np.inf)
        there = np.unique(self.labels)
        if self.model is None:
            logits[:, there] = 0
        else:
            decision = self.model.decision_function(features)
            logits[:, there] = np.stack([-decision, decision], axis=1) / 2 if decision.ndim == 1 else decision
        return metrics.score(metric, logits, np.asarray(labels)).value


class _Marks:
    """One probe per class, marked or not. Each class is ranked by its own probe: a softmax would mix them."""

    def __init__(self, features: np.ndarray, marks: np.ndarray, iterations: int):
        self.features, self.marks = features, marks
        self.models = [_unfitted(features, column, iterations) for column in marks.T]

    def fitted(self, strength: float, closer: float = 1) -> "_Marks":
        other = copy(self)
        pairs = zip(self.models, self.marks.T, strict=True)
        other.models = [_fitted(model, self.features, column, strength, closer) for model, column in pairs]
        return other

    def score(self, metric: str, features: np.ndarray, labels: np.ndarray) -> float:
        known = metrics.lookup(metric)
        if not known.multilabel:
            raise UserError(
                f"Images with several labels are scored by {metrics.choice(metrics.registered(multilabel=True))}, not by {metric}."
            )
        ranked = [np.zeros(len(features)) if model is None else model.decision_function(features) for model in self.models]
        if known.curve is None:
            return metrics.score(metric, np.stack(ranked, axis=1), np.asarray(labels)).value
        metrics.require(metric, np.asarray(labels))
        each = [known.curve(marks, scores) for marks, scores in zip(np.asarray(labels).T, ranked, strict=True)]
        return float(np.mean([value for value in each if np.isfinite(value)]))


def _unfitted(features: np.ndarray, labels: np.ndarray, iterations: int) -> LogisticRegression | None:
    """A regression whose tolerance suits its data; None where there is one class only."""
    order = np.argsort(labels, kind="stable")
    starts = np.flatnonzero(np.diff(labels[order], prepend=labels[order[0]] - 1))
    if len(starts) < 2:
        return None
    sums = np.add.reduceat(features[order], starts)
    sizes = np.diff(starts, append=len(labels))
    gradient = sums - sizes[:, None] * features.mean(axis=0)
    tolerance = TOLERANCE * float(np.abs(gradient).max()) / len(labels)
    return LogisticRegression(tol=tolerance, max_iter=iterations, warm_start=True)


def _fitted(
    model: LogisticRegression | None, features: np.ndarray, labels: np.ndarray, strength: float, closer: float
) -> LogisticRegression | None:
    if model is None:
        return None
    model = copy(model).set_params(C=strength, tol=model.tol / closer)
    with warnings.catch_warnings():
        # In float32 the line search may find no further step down; that is as far as it goes.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(features, labels)
