"""Values as JSON has them. Knows nothing of what they are."""

from typing import Any

import numpy as np
import pandas as pd


def plain(value: Any, digits: int = 5) -> Any:
    """Numbers rounded to `digits` significant ones, NaN as None, arrays as lists."""
    if isinstance(value, np.ndarray):
        return [plain(one, digits) for one in value]
    if isinstance(value, (np.integer, np.bool_)):
        return value.item()
    if isinstance(value, (float, np.floating)):
        return float(f"{value:.{digits}g}") if np.isfinite(value) else None
    return None if value is pd.NA else value
