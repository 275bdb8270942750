"""How well one prompt will serve one target: numbers from what the prompt makes of the target's images, labelled or not.

Knows nothing of models, prompts' files or measured transfer. Each file holds one family of estimators and registers them by decorator.
"""

from promptatlas.evaluation.estimates import answers, logme, neighbours, posteriors, scatter, source  # noqa: F401  (importing registers)
from promptatlas.evaluation.estimates.registry import (
    ESTIMATORS,
    Estimate,
    Estimator,
    Observed,
    Undefined,
    cheap,
    code,
    estimate,
    estimator,
    lookup,
    register,
)

__all__ = ["ESTIMATORS", "Estimate", "Estimator", "Observed", "Undefined", "cheap", "code", "estimate", "estimator", "lookup", "register"]

ESTIMATORS.seal()
