"""Methods on tasks of their own, side by side: mean gains with intervals, and each task as a dot. Knows nothing of transfer."""

from collections.abc import Callable
from typing import Any

import numpy as np
import seaborn as sns
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from promptatlas.analysis.statistics.methods import BASE
from promptatlas.analysis.words import method_title
from promptatlas.report.colours import colour_of
from promptatlas.report.figures.lettering import broken
from promptatlas.report.figures.style import SMALL, framed, number


def gains(
    comparison: dict,
    inches: float,
    base_method: str = BASE,
    title_of: Callable[[str], str] = method_title,
    title: str = "Methods on their own tasks",
    method: str | None = None,
) -> Figure | None:
    """`comparison` as `statistics.methods.compare` gives it, as a figure `inches` wide; None where fewer than two methods stand beside the
    base. method: the one whose ways they are, whose colour all have."""
    found = {one["method"]: one for one in comparison["methods"]}
    rows = [one for one in comparison["methods"] if one["method"] != base_method and finite(one["difference"])]
    if len(rows) < 2:
        return None
    base = found[base_method]["by_task"]
    labels = [broken(title_of(one["method"]), 0.3 * inches, SMALL) for one in rows]
    lines = max(label.count("\n") for label in labels) + 1
    figure, axes = plt.subplots(figsize=(inches, (0.12 + 0.13 * lines) * len(rows) + 1.3), layout="constrained")
    axes.axvline(0, color="#999999", linewidth=0.9)
    for place, one in enumerate(rows):
        colour = colour_of(method or one["method"], [row["method"] for row in rows])
        dots = [100 * (score - base[task]) for task, score in one["by_task"].items()]
        axes.plot(dots, np.full(len(dots), place), "o", markersize=3, color=colour, alpha=0.3, markeredgewidth=0)
        if finite(one["low"]):
            axes.plot([one["low"], one["high"]], [place, place], color=colour, linewidth=1.8, solid_capstyle="butt")
        axes.plot(one["difference"], place, "o", markersize=5.5, color=colour)
        at: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "va": "center", "color": "#555555"}
        axes.annotate(f"{100 * one['mean']:.1f} %", (1.01, place), **at)
    axes.set_yticks(range(len(rows)), labels)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    base_title = title_of(base_method)
    axes.set_xlabel(broken(f"points over {base_title} ({number(100 * found[base_method]['mean'], 1)} %)", 0.6 * inches, SMALL))
    bars = "bars: 95 % intervals over tasks and seeds" if comparison["n_seeds"] > 1 else "one seed, so no intervals"
    framed(
        figure, title, [f"Large dots: means over tasks; small dots: the {comparison['n_tasks']} tasks; {bars}. At the right: mean scores."]
    )
    axes.tick_params(axis="y", length=0)
    sns.despine(ax=axes, left=True)
    return figure


def finite(value: float | None) -> bool:
    """Whether it could be estimated; summary.json says null."""
    return value is not None and bool(np.isfinite(value))
