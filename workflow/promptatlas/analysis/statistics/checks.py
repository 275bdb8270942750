"""Are data and weights right? Zero-shot scores beside those that others measured. Knows nothing of transfer."""

import numpy as np
import pandas as pd

from promptatlas.analysis.statistics.matrices import probe_scores

TOLERATED_POINTS = 3.0


def zero_shot_check(tasks: pd.DataFrame, measured: pd.Series, baselines: pd.DataFrame | None = None) -> list[dict]:
    """One row per task, in the order of the table `tasks`.

    measured: zero-shot score by task. `tasks` may have `zero_shot_expected` (0..1 or NaN) and `zero_shot_reference`
    (who measured it); `baselines` gives the linear probe, mean over seeds. What is not known is NaN or empty.
    """
    probe = probe_scores(baselines)
    expected = tasks.get("zero_shot_expected", pd.Series(np.nan, index=tasks.index)).astype(float)
    reference = tasks.get("zero_shot_reference", pd.Series("", index=tasks.index)).fillna("").astype(str)
    rows = []
    for name, wanted, source in zip(tasks["task"], expected, reference, strict=True):
        found = float(measured.get(name, np.nan))
        difference = round(100 * (found - wanted), 6)
        rows.append(
            {
                "task": name,
                "measured": found,
                "expected": wanted,
                "difference_points": difference,
                "reference": source,
                "linear_probe": float(probe.get(name, np.nan)),
                "warning": bool(abs(difference) > TOLERATED_POINTS),
            }
        )
    return rows
