"""Similarity against transfer, and where the variance of transfer comes from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from promptatlas.analysis.p_text import p_is
from promptatlas.analysis.statistics import masked
from promptatlas.analysis.statistics.matrices import Scores, similarity_matrices
from promptatlas.analysis.statistics.relations import relationships
from promptatlas.analysis.statistics.scales import PRIMARY, matrix, seed_mean
from promptatlas.analysis.statistics.verdicts import KEYS, MEANINGFUL, decisive
from promptatlas.analysis.words import PARTS, RESPONSES, measure_title, method_title
from promptatlas.report.colours import colour_of
from promptatlas.report.figures.lettering import broken, cut, width
from promptatlas.report.figures.style import ONE_COLUMN, SMALL, framed, number
from promptatlas.study.protocols import FROZEN

MOST_POINTS = 1000  # of a panel, that are drawn one by one; more are an image inside of SVG and PDF, axes and text stay what they are

# part -> (colour of the bar, colour of the number in it)
INKS = {
    "target": ("#56789a", "white"),
    "source": ("#e0a458", "#111111"),
    "relationship": ("#2a9d8f", "white"),
    "seed": ("#c8c8c8", "#111111"),
}


def similarity_scatter(group: Sequence[Scores], similarity: pd.DataFrame, statistics: pd.DataFrame, inches: float) -> Figure | None:
    """Relationship part of transfer against that of each measure: rows of panels per method, a panel per measure."""
    found = statistics[(statistics["test"] == "two_way") & (statistics["response"] == PRIMARY) & statistics["estimate"].notna()]
    found = found[found["protocol"].isin({scores.protocol for scores in group})]
    panels = []
    for scores in group:
        matrices, transfer = similarity_matrices(similarity, scores.tasks, scores.method), seed_mean(matrix(scores, PRIMARY))
        how = "" if scores.protocol == FROZEN.name else f", {scores.protocol}"
        colour = colour_of(scores.method, [one.method for one in group])
        for row in found[found["method"] == scores.method].to_dict("records"):
            names = f"{method_title(scores.method)}{how}", measure_title(row["measure"])
            panels.append(Panel(*names, transfer, matrices[row["measure"]], row, colour))
    return scatters(panels, "Similarity of tasks and transfer between them", inches) if panels else None


@dataclass(frozen=True)
class Panel:
    """What one panel shows: of which matrix, which measure, both as matrices (n, n), the row of its test, its colour."""

    matrix: str
    measure: str
    transfer: np.ndarray
    closeness: np.ndarray
    row: Mapping[str, Any]
    colour: str


def scatters(panels: Sequence[Panel], title: str, inches: float) -> Figure:
    """A panel beside the other, as many as have room: relationship parts of a measure and of transfer, in standard deviations."""
    most = 2 if inches <= ONE_COLUMN else 4
    across = min(most, len({panel.measure for panel in panels}))
    lines: list[list[Panel]] = []
    for panel in panels:  # each matrix begins a line of its own
        if not lines or len(lines[-1]) == across or lines[-1][0].matrix != panel.matrix:
            lines.append([])
        lines[-1].append(panel)
    figure, every = plt.subplots(len(lines), across, figsize=(inches, 1.75 * len(lines) + 0.8), squeeze=False, layout="constrained")
    room = inches / across - 0.35
    for axes_of, line in zip(every, lines, strict=True):
        for axes, panel in zip(axes_of, line, strict=False):
            scatter(axes, panel.transfer, panel.closeness, panel.row, panel.colour)
            axes.set_xlabel(broken(panel.measure, room, SMALL))
        for axes in axes_of[len(line) :]:
            axes.set_axis_off()
    for row, line in zip(every, lines, strict=True):
        row[0].set_ylabel(broken(line[0].matrix, 1.2, SMALL))
    framed(
        figure, title,
        ["Each point: a pair of tasks; across similarity, upwards transfer, both the relationship part in standard deviations.",
         "r: correlation of the two, with its 95 % jackknife interval over tasks."],
    )  # fmt: skip
    return figure


def scatter(axes: Axes, transfer: np.ndarray, closeness: np.ndarray, row: Mapping[str, Any], colour: str) -> None:
    axes.axhline(0, color="#cccccc", linewidth=0.8, zorder=0)
    axes.axvline(0, color="#cccccc", linewidth=0.8, zorder=0)
    transfer, closeness = map(relationships, masked.alike(transfer, closeness))
    there = np.isfinite(transfer) & np.isfinite(closeness)
    x, y = closeness[there] / closeness[there].std(), transfer[there] / transfer[there].std()
    axes.scatter(x, y, s=5, color=colour, alpha=0.45, linewidths=0, rasterized=len(x) > MOST_POINTS)
    edge = np.array([x.min(), x.max()])
    axes.plot(edge, row["estimate"] * edge, color="#222222", linewidth=1.2)
    interval = f" [{number(row['low'], 2)}, {number(row['high'], 2)}]" if np.isfinite(row["low"]) else ""
    axes.set_title(f"r = {number(row['estimate'], 2)}{interval}\n{p_is(row['p'])}", loc="left")


def variance_bars(
    statistics: pd.DataFrame, inches: float, responses: Mapping[str, str] = RESPONSES, protocol: str = FROZEN.name
) -> Figure | None:
    """Shares of the variance of transfer, one bar per method, protocol and scale; `responses` are scales and their titles, `protocol` is
    the one that goes without saying."""
    shares = statistics[
        (statistics["test"] == "variance_share") & statistics["response"].isin([*responses]) & statistics["estimate"].notna()
    ]
    if shares.empty:
        return None
    table = shares.pivot_table(index=["protocol", "response", "method"], columns="measure", values="estimate", sort=False)
    named = set(shares["protocol"]) != {protocol}
    places = np.arange(len(table))
    noisy = np.ones(len(table), dtype=bool) if "seed" not in table else table["seed"].isna()
    labels = [
        broken(f"{method_title(method)}, {responses[response]}" + (f", {of}" if named else ""), 0.34 * inches, SMALL)
        for of, response, method in table.index
    ]
    tall = 0.17 + 0.13 * max(label.count("\n") for label in labels)
    figure, axes = plt.subplots(figsize=(inches, tall * len(table) + (1.2 if inches > ONE_COLUMN else 1.5)), layout="constrained")
    left = np.zeros(len(table))
    for part, (colour, ink) in INKS.items():
        wide = table[part].fillna(0).to_numpy() if part in table else np.zeros(len(table))
        axes.barh(places, wide, left=left, color=colour, label=PARTS[part], height=0.78, edgecolor="white", linewidth=0.6)
        for place in places[wide > 0.13 / inches * 1.7]:
            axes.text(left[place] + wide[place] / 2, place, f"{100 * wide[place]:.0f}", ha="center", va="center", color=ink)
        left += wide
    axes.set_yticks(places, labels)
    axes.invert_yaxis()
    axes.set(xlim=(0, 1), xlabel="share of the variance over pairs (%)")
    axes.set_xticks(np.linspace(0, 1, 6), [f"{value:.0f}" for value in np.linspace(0, 100, 6)])
    axes.tick_params(axis="y", length=0)
    axes.margins(y=0.01)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower left", ncols=4 if inches > ONE_COLUMN else 2, frameon=False)
    one_seed = f"With one seed “{PARTS['relationship']}” holds the noise, too." if noisy.any() else ""
    framed(figure, "Where differences between scores come from", [one_seed] if one_seed else [])
    sns.despine(ax=axes, left=True)
    return figure


def correlation_forest(statistics: pd.DataFrame, inches: float, response: str = PRIMARY, protocol: str = FROZEN.name) -> Figure | None:
    """Two-way residual correlation of each measure with transfer on a scale, with its interval; `protocol` goes without saying.

    Filled where p < 0.05, all measures of a method allowed for, also beyond family where tasks share one.
    """
    primary = statistics[statistics["response"] == response]
    p = decisive(primary)
    rows = primary[(primary["test"] == "two_way") & primary["estimate"].notna()]
    if rows.empty:
        return None
    measures = list(dict.fromkeys(rows["measure"]))
    keys = list(dict.fromkeys(zip(rows["protocol"], rows["method"], strict=True)))
    named = set(rows["protocol"]) != {protocol}
    step = len(keys) + 1.0
    figure, axes = plt.subplots(figsize=(inches, 0.15 * step * len(measures) + 1.3), layout="constrained")
    axes.axvline(0, color="#999999", linewidth=0.9)
    labels = {}
    at: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "va": "center"}
    for row in rows.to_dict("records"):
        which = keys.index((row["protocol"], row["method"]))
        place = measures.index(row["measure"]) * step + which
        labels[place] = cut(method_title(row["method"]) + (f", {row['protocol']}" if named else ""), 0.22 * inches, SMALL)
        colour = colour_of(row["method"], [method for _, method in keys])
        axes.plot([row["low"], row["high"]], [place, place], color=colour, linewidth=1.4, solid_capstyle="butt")
        face = colour if p[tuple(row[key] for key in KEYS)] < MEANINGFUL else "white"
        axes.plot(row["estimate"], place, "o", markersize=4.5, color=colour, markerfacecolor=face, markeredgewidth=1.2)
        axes.annotate(f"{p_is(row['p'])}", (1.01, place), color="#555555", **at)
    room = 0.75 * inches - max(width(label, SMALL) for label in labels.values())
    for index, measure in enumerate(measures):
        title = measure_title(measure)
        name = title if width(title, SMALL) <= room else title.removesuffix(f" ({measure})")
        axes.annotate(cut(name, room, SMALL), (0, index * step - 0.85), color="black", **at)
    axes.set_yticks(list(labels), list(labels.values()))
    axes.set_ylim(len(measures) * step - 0.8, -1.5)
    axes.set_xlim(np.nanmin([-0.5, rows["low"].min()]) - 0.05, np.nanmax([0.8, rows["high"].max()]) + 0.05)
    axes.set_xlabel("correlation with transfer")
    framed(
        figure, "Which similarity of tasks goes with transfer",
        ["Correlation of the relationship parts of transfer and similarity; bars: 95 % jackknife intervals over tasks.",
         "Filled: p < 0.05 with all measures of the method allowed for."],
    )  # fmt: skip
    axes.tick_params(axis="y", length=0)
    sns.despine(ax=axes, left=True)
    return figure
