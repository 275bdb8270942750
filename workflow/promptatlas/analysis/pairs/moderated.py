"""Variances of a few seeds, drawn towards what such variances are among comparisons of the same kind (Smyth 2004, section 3).

Three seeds tell a variance with two degrees of freedom, hundreds of comparisons how variances lie. A variance s2 with d degrees of
freedom, of a true one that is d0 s0 / chi2(d0), is worth (d0 s0 + d s2) / (d0 + d) with d0 + d degrees of freedom.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import betaln

LARGEST = 1e4  # degrees of freedom, from where on a t distribution is a normal one


@dataclass(frozen=True)
class Prior:
    """variance s0 with `freedom` d0; 0 knows nothing."""

    variance: float
    freedom: float

    def moderated(self, between: np.ndarray, freedom: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Variances (K,) and their degrees of freedom (K,), from sample variances and theirs; NaN and 0 where nothing is known."""
        total = self.freedom + freedom
        own = np.where(freedom > 0, np.nan_to_num(between) * freedom, 0.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(total > 0, (self.freedom * self.variance + own) / total, np.nan), total


NOTHING = Prior(0.0, 0.0)


def fitted(between: np.ndarray, freedom: np.ndarray, targets: np.ndarray) -> Prior:
    """The prior under which sample variances (K,) with their degrees of freedom are likeliest: s2 / s0 is of F(d, d0).

    Maximum likelihood takes variances of nearly 0, of tasks that every seed solves, at their worth; the moments of their logarithms, by
    which Smyth fits, do not. targets (K,): what may have errors in common, as seeds share their draws of images. The prior is never worth
    more than all other targets together; with one it is `NOTHING`.
    """
    known = (freedom > 0) & (between > 0)
    if not known.any():
        return NOTHING
    s2, d = between[known], freedom[known].astype(np.float64)
    most = min((len(np.unique(targets[known])) - 1) * float(np.median(d)), LARGEST)
    if most <= 0:
        return NOTHING

    def unlikely(given: np.ndarray) -> float:
        scale, d0 = np.exp(given)
        ratio = d * s2 / (d0 * scale)
        return float(-(d / 2 * np.log(ratio) - (d + d0) / 2 * np.log1p(ratio) - betaln(d / 2, d0 / 2)).mean())

    middle = np.log(np.average(s2, weights=d))
    bounds = [(middle - 20, middle + 5), (min(np.log(0.5), np.log(most)), np.log(most))]
    starts = [(middle - 0.5, np.clip(np.log(start), *bounds[1])) for start in (2.0, 20.0)]
    found = min((minimize(unlikely, start, method="L-BFGS-B", bounds=bounds) for start in starts), key=lambda one: one.fun)
    scale, d0 = np.exp(found.x)
    return Prior(float(scale), float(d0))
