"""How methods and ways to share prompts do with more images per class."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from promptatlas.analysis.statistics import shots
from promptatlas.analysis.words import method_title, way_title
from promptatlas.report.colours import colour_of
from promptatlas.report.figures.lettering import broken, height
from promptatlas.report.figures.style import ONE_COLUMN, SMALL, framed

LINES = 7  # methods that are told apart as lines; more are rows
SPREAD = 0.05  # of a doubling of shots, between neighbours
MARKS = "osD^v"  # for numbers of images in rows
PUBLISHED = "DsvP^"  # for references among lines
ROW = 0.075  # inches for each number of images of a method


def curves(table: pd.DataFrame, inches: float) -> Figure:
    """One panel for methods beside zero-shot, and one for each prompt method that was shared; `table` as `shots.table` gives it.

    A panel has a line for each method over numbers of images, or with more than seven methods a row for each, the best at the top.
    """
    rows = shots.baselines(table)
    panels = list(dict.fromkeys(rows["prompt"]))
    across = 1 if inches <= ONE_COLUMN else min(2, len(panels))
    down = -(-len(panels) // across)
    figure, every = plt.subplots(down, across, layout="constrained", squeeze=False)
    for axes in every.flat[len(panels) :]:
        axes.set_axis_off()
    marks = "Dots: means over tasks" + ("; bars: 95 % intervals" if rows["low"].notna().any() else "") + "."
    high = 0.0
    for axes, prompt in zip(every.flat, panels, strict=False):
        part = rows[rows["prompt"] == prompt].astype({"difference": float, "low": float, "high": float})
        title_of = way_title if prompt else method_title
        printed = part.iloc[:0] if prompt else shots.published_gains(table)
        over = f"points over {'its own prompt from scratch' if prompt else 'zero-shot'}"
        draw = _lines if part["method"].nunique() <= LINES else _rows
        axes.set_title(f"{method_title(prompt)}: ways to share" if prompt else "Methods on their own tasks", loc="left")
        room = draw(axes, part, printed, title_of, over)
        handles = sorted(axes.get_legend_handles_labels()[0], key=lambda one: one not in axes.containers)  # measured, then published
        words = [broken(str(one.get_label()), inches / across - 0.75, SMALL, 3) for one in handles]
        axes.legend(handles, words, frameon=False, loc="upper left", bbox_to_anchor=(0, -0.45 / room), borderaxespad=0)
        high = max(high, room + sum(height(one, SMALL) * 1.4 for one in words))
    figure.set_size_inches(inches, (high + 0.8) * down + 0.6)
    framed(figure, "Gain by the number of training images", [marks])
    return figure


def _order(part: pd.DataFrame) -> list[str]:
    """Methods, the one that gains most with the most images first."""
    last = part[part["shots"] == part["shots"].max()].set_index("method")["difference"]
    return sorted(dict.fromkeys(part["method"]), key=lambda name: -last.get(name, -np.inf))


def _beside(own: pd.DataFrame) -> np.ndarray:
    """How far the ends of the intervals are from their middles, [2, rows]."""
    return np.abs(own[["low", "high"]].to_numpy() - own[["difference"]].to_numpy()).T


def _lines(axes: Axes, part: pd.DataFrame, printed: pd.DataFrame, title_of: Callable[[str], str], over: str) -> float:
    """Draw a line for each method, and hollow marks for published means; how high the axes are to be, in inches."""
    axes.axhline(0, color="#999999", linewidth=0.9)
    order = _order(part)
    for place, name in enumerate(order):
        own = part[part["method"] == name].sort_values("shots")
        at = own["shots"] * 2 ** (SPREAD * (place - (len(order) - 1) / 2))
        style: dict[str, Any] = {"color": colour_of(name, sorted(order)), "marker": "o", "markersize": 3.5, "linewidth": 1.2}
        axes.errorbar(at, own["difference"], yerr=_beside(own), label=title_of(name), elinewidth=0.8, capsize=1.5, **style)
    _printed_lines(axes, printed)
    axes.set_xscale("log", base=2)
    axes.set_xticks(sorted(set(part["shots"])), [str(count) for count in sorted(set(part["shots"]))])
    axes.minorticks_off()
    axes.set_xlabel("images per class")
    axes.set_ylabel(over)
    sns.despine(ax=axes)
    return 2.3


def _printed_lines(axes: Axes, printed: pd.DataFrame) -> None:
    """What others printed, in the colour of its method and with hollow marks; the legend says where something differs."""
    colours = {line.get_label(): line[0].get_color() for line in axes.containers}
    marks = {reference: PUBLISHED[place % 5] for place, reference in enumerate(dict.fromkeys(printed["reference"]))}
    for (method, form, reference), own in printed.sort_values("shots").groupby(["method", "form", "reference"], sort=False):
        label = f"{form}, published by {reference}" + _differs(own)
        style: dict[str, Any] = {"linestyle": ":", "linewidth": 1, "marker": marks[reference], "markerfacecolor": "none"}
        axes.plot(own["shots"], own["difference"], color=colours.get(method_title(method), "#777777"), label=label, **style)


def _rows(axes: Axes, part: pd.DataFrame, printed: pd.DataFrame, title_of: Callable[[str], str], over: str) -> float:
    """Draw a row for each method with a mark for each number of images, hollow where published; how high the axes are to be, in inches."""
    axes.axvline(0, color="#999999", linewidth=0.9)
    order = _order(part)
    counts = sorted(set(part["shots"]))
    high = (len(counts) + 1) * ROW
    for place, (count, colour) in enumerate(zip(counts, sns.color_palette("crest", len(counts)), strict=True)):
        down = (place - (len(counts) - 1) / 2) * ROW / high
        own = part[part["shots"] == count]
        style: dict[str, Any] = {"color": colour, "marker": MARKS[place % len(MARKS)], "linestyle": "none"}
        at = [order.index(name) + down for name in own["method"]]
        label = f"{count} image{'s' * (count != 1)} per class"
        axes.errorbar(own["difference"], at, xerr=_beside(own), label=label, markersize=3.5, elinewidth=0.9, **style)
        others = printed[(printed["shots"] == count) & printed["method"].isin(order)]
        if len(others):
            at = [order.index(name) + down for name in others["method"]]
            label = f"published, {count}" + _differs(others)
            axes.plot(others["difference"], at, label=label, markersize=5, markerfacecolor="none", **style)
    axes.set_yticks(range(len(order)), [title_of(name) for name in order])
    axes.set_ylim(len(order) - 0.4, -0.6)
    axes.set_xlabel(over)
    axes.tick_params(axis="y", length=0)
    sns.despine(ax=axes, left=True)
    return high * len(order)


def _differs(printed: pd.DataFrame) -> str:
    return "; not quite the same (shots.csv)" if printed["note"].any() else ""
