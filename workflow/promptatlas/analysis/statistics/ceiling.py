"""How strong a link of similarity and transfer would be without the noise of seeds.

Seeds make who helps whom uncertain, and no measure can correlate with it by more than the square root of its reliability: the noise
ceiling. r divided by the ceiling is the correlation with who helps whom as it would be over all seeds (Spearman 1904). It is known as well
as the reliability is; the interval leaves out one task at a time in both.
"""

from collections.abc import Collection, Iterator, Mapping

import numpy as np

from promptatlas.analysis.statistics import masked
from promptatlas.analysis.statistics.jackknife import interval, without
from promptatlas.analysis.statistics.reasons import ABOVE_ONE, NO_SEEDS, NO_SIGNAL, NOISE_IN_BOTH, why_no_correlation
from promptatlas.analysis.statistics.relations import FEWEST_TASKS, usable
from promptatlas.analysis.statistics.reliability import decompose
from promptatlas.analysis.statistics.scales import seed_mean

NAN = float("nan")


def ceiling_rows(values: np.ndarray, matrices: Mapping[str, np.ndarray], of_prompts: Collection[str] = ()) -> Iterator[dict]:
    """Measure, number of tasks, estimate, low, high and reason of r / ceiling, for measures (n, n) and scores (S, n, n); of_prompts:
    measures that carry the noise of the same seeds, which have none. A value above 1 stays so, and `reason` says why it can be."""
    response = seed_mean(values)
    for measure, closeness in matrices.items():
        keep = usable(response, closeness)
        if why_no_correlation(response, closeness, keep):
            continue
        yield {"measure": measure} | _of_one(values[:, keep[:, None], keep], closeness[np.ix_(keep, keep)], measure in of_prompts)


def _of_one(values: np.ndarray, closeness: np.ndarray, of_prompts: bool) -> dict:
    n, estimate = len(closeness), _ratio(values, closeness)
    if of_prompts or np.isnan(estimate):
        reason = NOISE_IN_BOTH if of_prompts else NO_SEEDS if decompose(values).n_seeds < 2 else NO_SIGNAL
        return {"n_tasks": n, "estimate": NAN, "low": NAN, "high": NAN, "reason": reason}
    left_out = [_ratio(without(values, task), without(closeness, task)) for task in range(n)] if n > FEWEST_TASKS else []
    low, high = interval(estimate, left_out)
    return {"n_tasks": n, "estimate": estimate, "low": low, "high": high, "reason": ABOVE_ONE if abs(estimate) > 1 else ""}


def _ratio(values: np.ndarray, closeness: np.ndarray) -> float:
    response = seed_mean(values)
    if len(usable(response, closeness)) < max(len(closeness), FEWEST_TASKS):
        return NAN
    reliability = decompose(values).reliability
    return masked.correlation(response, closeness) / np.sqrt(reliability) if reliability > 0 else NAN
