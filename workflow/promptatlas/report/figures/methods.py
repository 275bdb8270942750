"""Methods on tasks of their own, side by side: mean gains with intervals, and each task as a dot. Knows nothing of transfer."""

from collections.abc import Callable
from typing import Any

import numpy as np
import seaborn as sns
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from promptatlas.analysis.statistics.methods import BASE
from promptatlas.analysis.words import method_title
from promptatlas.report.figures.style import COLOURS, number


def gains(
    comparison: dict,
    base_method: str = BASE,
    title_of: Callable[[str], str] = method_title,
    title: str = "Methods on their own tasks",
) -> Figure | None:
    """`comparison` as `statistics.methods.compare` gives it; None where fewer than two methods stand beside the base."""
    found = {one["method"]: one for one in comparison["methods"]}
    rows = [one for one in comparison["methods"] if one["method"] != base_method and finite(one["difference"])]
    if len(rows) < 2:
        return None
    base = found[base_method]["by_task"]
    figure, axes = plt.subplots(figsize=(7.2, 0.36 * len(rows) + 1.1), layout="constrained")
    axes.axvline(0, color="#999999", linewidth=0.9)
    for place, one in enumerate(rows):
        dots = [100 * (score - base[task]) for task, score in one["by_task"].items()]
        axes.plot(dots, np.full(len(dots), place), "o", markersize=3.5, color=COLOURS[0], alpha=0.3, markeredgewidth=0)
        if finite(one["low"]):
            axes.plot([one["low"], one["high"]], [place, place], color=COLOURS[0], linewidth=2, solid_capstyle="butt")
        axes.plot(one["difference"], place, "o", markersize=7, color=COLOURS[0])
        at: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "va": "center", "fontsize": 8.5}
        axes.annotate(f"{100 * one['mean']:.1f} %", (1.01, place), color="#555555", **at)
    axes.set_yticks(range(len(rows)), [title_of(one["method"]) for one in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_title(title)
    axes.annotate("mean score", (1.01, -0.75), xycoords=("axes fraction", "data"), fontsize=8, color="#555555")
    bars = "bars 95 % intervals over tasks and seeds" if comparison["n_seeds"] > 1 else "one seed, so no intervals"
    axes.set_xlabel(
        f"points over {title_of(base_method)} ({number(100 * found[base_method]['mean'], 1)} %); "
        f"small dots are the {comparison['n_tasks']} tasks, {bars}"
    )
    axes.tick_params(axis="y", length=0)
    sns.despine(ax=axes, left=True)
    return figure


def finite(value: float | None) -> bool:
    """Whether it could be estimated; summary.json says null."""
    return value is not None and bool(np.isfinite(value))
