"""Estimators from how the prompt came about: where tuning on its source took it, and how well it ended there."""

import numpy as np

from promptatlas.evaluation.estimates.registry import Observed, Undefined, estimator


def first_order(gradient: np.ndarray, delta: np.ndarray) -> float:
    """``-<gradient, delta>``: to first order by how much the target's loss falls on the way (V,) that the source's tuning took from a
    start where the target's gradient is (V,)."""
    if gradient.shape != delta.shape:
        raise Undefined("the gradient and the prompt do not start from the same place")
    return -float(np.asarray(gradient, dtype=np.float64).ravel() @ np.asarray(delta, dtype=np.float64).ravel())


@estimator(
    "est_grad",
    "gradient alignment",
    formula="−⟨∇L_t(P₀), P_s − P₀⟩",
    source="after Fifty et al., NeurIPS 2021",
    needs=["gradient", "delta"],
)
def est_grad(observed: Observed) -> float:
    """first-order fall of the target’s loss from the common start to the source’s prompt"""
    return first_order(observed.given("gradient"), observed.given("delta"))


@estimator(
    "src_validation",
    "score on its own source",
    formula="validation score at the chosen epoch",
    source="a control: good sources everywhere",
    needs=["validation"],
)
def src_validation(observed: Observed) -> float:
    """score of the prompt on the validation images of its own source"""
    return float(observed.given("validation"))
