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
from promptatlas.report.colours import colour_of
from promptatlas.report.figures.lettering import broken
from promptatlas.report.figures.style import ONE_COLUMN, SMALL, framed

ROUNDS = (("-", "o"), ("--", "s"), (":", "^"))
SPREAD = 0.05  # of a doubling of shots, between neighbours


def curves(table: pd.DataFrame, inches: float) -> Figure:
    """One panel for methods beside zero-shot, and one for each prompt method that was shared; `table` as `shots.table` gives it."""
    rows = shots.baselines(table)
    panels = list(dict.fromkeys(rows["prompt"]))
    across = 1 if inches <= ONE_COLUMN else min(2, len(panels))
    down = -(-len(panels) // across)
    figure, every = plt.subplots(down, across, figsize=(inches, 3.6 * down + 0.6), layout="constrained", squeeze=False)
    for axes in every.flat[len(panels) :]:
        axes.set_axis_off()
    marks = "Dots: means over tasks" + ("; bars: 95 % intervals" if rows["low"].notna().any() else "") + "."
    for axes, prompt in zip(every.flat, panels, strict=False):
        part = rows[rows["prompt"] == prompt]
        title_of = way_title if prompt else method_title
        _panel(axes, part, title_of)
        printed = [] if prompt else _published(axes, shots.published_gains(table))
        handles = [*axes.containers, *printed]
        room = inches / across - 0.75
        words = [broken(str(one.get_label()), room, SMALL, 3) for one in handles]
        axes.legend(handles, words, frameon=False, loc="upper left", bbox_to_anchor=(-0.1, -0.16), borderaxespad=0)
        axes.set_title(f"{method_title(prompt)}: ways to share" if prompt else "Methods on their own tasks", loc="left")
        axes.set_ylabel(f"points over {'its own prompt from scratch' if prompt else 'zero-shot'}")
    framed(figure, "Gain by the number of training images", [marks])
    return figure


def _panel(axes: Axes, part: pd.DataFrame, title_of: Callable[[str], str]) -> None:
    axes.axhline(0, color="#999999", linewidth=0.9)
    last = part[part["shots"] == part["shots"].max()].set_index("method")["difference"]
    order = sorted(dict.fromkeys(part["method"]), key=lambda name: -last.get(name, -np.inf))
    for place, name in enumerate(order):
        own = part[part["method"] == name].sort_values("shots").astype({"difference": float, "low": float, "high": float})
        at = own["shots"] * 2 ** (SPREAD * (place - (len(order) - 1) / 2))
        around = np.abs(own[["low", "high"]].to_numpy() - own[["difference"]].to_numpy()).T
        line, mark = ROUNDS[place // 7 % len(ROUNDS)]  # where there are many, lines and marks differ too
        style: dict[str, Any] = {"color": colour_of(name, sorted(order)), "linestyle": line, "marker": mark}
        style |= {"markersize": 3.5, "linewidth": 1.2, "elinewidth": 0.8, "capsize": 1.5}
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
