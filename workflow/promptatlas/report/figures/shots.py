"""How methods and ways to share prompts do with more images per class."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from promptatlas.analysis.statistics import shots
from promptatlas.analysis.words import method_title, way_title

ROUNDS = (("-", "o"), ("--", "s"), (":", "^"))
SPREAD = 0.05  # of a doubling of shots, between neighbours


def curves(table: pd.DataFrame) -> Figure:
    """One panel for methods beside zero-shot, and one for each prompt method that was shared; `table` as `shots.table` gives it."""
    rows = shots.baselines(table)
    panels = list(dict.fromkeys(rows["prompt"]))
    figure, every = plt.subplots(1, len(panels), figsize=(5.6 * len(panels), 4.6), layout="constrained", squeeze=False)
    for axes, prompt in zip(every[0], panels, strict=True):
        part = rows[rows["prompt"] == prompt]
        title_of = way_title if prompt else method_title
        _panel(axes, part, title_of)
        printed = [] if prompt else _published(axes, shots.published_gains(table))
        below = {"loc": "upper left", "bbox_to_anchor": (0, -0.14), "ncols": 1 if printed else 2}
        axes.legend(handles=[*axes.containers, *printed], fontsize=8, frameon=False, **below)
        axes.set_title(f"{method_title(prompt)}: ways to share" if prompt else "Methods on their own tasks")
        bars = ", 95 % interval" if part["low"].notna().any() else ""
        axes.set_ylabel(f"points over {'its own prompt from scratch' if prompt else 'zero-shot'}{bars}")
    return figure


def _panel(axes: Axes, part: pd.DataFrame, title_of: Callable[[str], str]) -> None:
    axes.axhline(0, color="#999999", linewidth=0.9)
    last = part[part["shots"] == part["shots"].max()].set_index("method")["difference"]
    order = sorted(dict.fromkeys(part["method"]), key=lambda name: -last.get(name, -np.inf))
    colours = sns.color_palette("colorblind")
    for place, name in enumerate(order):
        own = part[part["method"] == name].sort_values("shots").astype({"difference": float, "low": float, "high": float})
        at = own["shots"] * 2 ** (SPREAD * (place - (len(order) - 1) / 2))
        around = np.abs(own[["low", "high"]].to_numpy() - own[["difference"]].to_numpy()).T
        again, colour = divmod(place, len(colours))  # where colours begin again, lines and marks are others
        style = {"color": colours[colour], "linestyle": ROUNDS[again][0], "marker": ROUNDS[again][1]}
        style |= {"markersize": 4.5, "linewidth": 1.5, "elinewidth": 1, "capsize": 2}
        axes.errorbar(at, own["difference"], yerr=around, label=title_of(name), **style)
    axes.set_xscale("log", base=2)
    axes.set_xticks(sorted(set(part["shots"])), [str(count) for count in sorted(set(part["shots"]))])
    axes.minorticks_off()
    axes.set_xlabel("images per class")
    sns.despine(ax=axes)


def _published(axes: Axes, printed: pd.DataFrame) -> list[Line2D]:
    """What others printed, in the colour of its method and with hollow marks; the legend says where something differs."""
    colours = {line.get_label(): line[0].get_color() for line in axes.containers}
    marks = {reference: "DsvP^"[place % 5] for place, reference in enumerate(dict.fromkeys(printed["reference"]))}
    lines = []
    for (method, form, reference), own in printed.sort_values("shots").groupby(["method", "form", "reference"], sort=False):
        label = f"{form}, published by {reference}" + ("; not quite the same (shots.csv)" if own["note"].any() else "")
        style: dict[str, Any] = {"linestyle": ":", "linewidth": 1, "marker": marks[reference], "markerfacecolor": "none"}
        colour = colours.get(method_title(method), "#777777")
        lines += axes.plot(own["shots"], own["difference"], color=colour, label=label, **style)
    return lines
