"""Similarity against transfer, and where the variance of transfer comes from."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from promptatlas.analysis.statistics import masked
from promptatlas.analysis.statistics.matrices import Scores, similarity_matrices
from promptatlas.analysis.statistics.relations import relationships
from promptatlas.analysis.statistics.scales import PRIMARY, matrix, seed_mean
from promptatlas.analysis.statistics.verdicts import KEYS, MEANINGFUL, decisive
from promptatlas.analysis.words import PARTS, RESPONSES, measure_title, method_title
from promptatlas.report.figures.style import COLOURS, number
from promptatlas.study.protocols import FROZEN

# part -> (colour of the bar, colour of the number in it)
INKS = {
    "target": ("#56789a", "white"),
    "source": ("#e0a458", "#111111"),
    "relationship": ("#2a9d8f", "white"),
    "seed": ("#c8c8c8", "#111111"),
}
USUAL = 44  # letters of a label beside bars, for which the figure has room
ONE_SEED = f"\n(one seed: {PARTS['relationship']}, with noise)"


def similarity_scatter(group: Sequence[Scores], similarity: pd.DataFrame, statistics: pd.DataFrame) -> Figure | None:
    """Relationship part of transfer against that of each measure: a row of panels per method, a column per measure."""
    found = statistics[(statistics["test"] == "two_way") & (statistics["response"] == PRIMARY) & statistics["estimate"].notna()]
    found = found[found["protocol"].isin({scores.protocol for scores in group})]
    measures = list(dict.fromkeys(found["measure"]))
    if not measures:
        return None
    found = found.set_index(["method", "measure"])
    size = (3.1 * len(measures), 2.7 * len(group))
    figure, grid = plt.subplots(len(group), len(measures), figsize=size, squeeze=False, layout="constrained")
    for line, scores in zip(grid, group, strict=True):
        matrices = similarity_matrices(similarity, scores.tasks, scores.method)
        how = "" if scores.protocol == FROZEN.name else f", {scores.protocol}"
        line[0].set_ylabel(f"{method_title(scores.method)}{how}: transfer\nrelationship part, s.d.")
        for axes, measure in zip(line, measures, strict=True):
            if (scores.method, measure) in found.index:
                scatter(axes, seed_mean(matrix(scores, PRIMARY)), matrices[measure], found.loc[(scores.method, measure)])
            else:
                axes.set_axis_off()
    for axes, measure in zip(grid[-1], measures, strict=True):
        axes.set_xlabel(f"{measure_title(measure)}\nrelationship part, s.d.")
    return figure


def scatter(axes: Axes, transfer: np.ndarray, closeness: np.ndarray, row: pd.Series) -> None:
    axes.axhline(0, color="#cccccc", linewidth=0.8, zorder=0)
    axes.axvline(0, color="#cccccc", linewidth=0.8, zorder=0)
    transfer, closeness = map(relationships, masked.alike(transfer, closeness))
    there = np.isfinite(transfer) & np.isfinite(closeness)
    x, y = closeness[there] / closeness[there].std(), transfer[there] / transfer[there].std()
    axes.scatter(x, y, s=11, color=COLOURS[0], alpha=0.45, linewidths=0)
    edge = np.array([x.min(), x.max()])
    axes.plot(edge, row["estimate"] * edge, color=COLOURS[1], linewidth=1.6)
    interval = f" [{number(row['low'], 2)}, {number(row['high'], 2)}]" if np.isfinite(row["low"]) else ""
    axes.set_title(f"r = {number(row['estimate'], 2)}{interval}   p = {row['p']:.2g}", fontsize=8.5, fontweight="normal")


def variance_bars(statistics: pd.DataFrame, responses: Mapping[str, str] = RESPONSES, protocol: str = FROZEN.name) -> Figure | None:
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
        f"{method_title(method)}, {responses[response]}" + (f", {of}" if named else "") + (ONE_SEED if one else "")
        for (of, response, method), one in zip(table.index, noisy, strict=True)
    ]
    longest = max(len(line) for label in labels for line in label.split("\n"))
    wide = max(0.0, 0.065 * (longest - USUAL))  # inches
    figure, axes = plt.subplots(figsize=(7.2 + wide, 0.34 * len(table) + 1.1), layout="constrained")
    left = np.zeros(len(table))
    for part, (colour, ink) in INKS.items():
        width = table[part].fillna(0).to_numpy() if part in table else np.zeros(len(table))
        axes.barh(places, width, left=left, color=colour, label=PARTS[part], height=0.74, edgecolor="white", linewidth=0.8)
        for place in places[width > 0.04]:
            centre = left[place] + width[place] / 2
            axes.text(centre, place, f"{100 * width[place]:.0f}", ha="center", va="center", fontsize=8, color=ink)
        left += width
    axes.set_yticks(places, labels)
    axes.invert_yaxis()
    axes.set(xlim=(0, 1), xlabel="share of the variance over pairs of source and target (%)")
    axes.set_xticks(np.linspace(0, 1, 6), [f"{value:.0f}" for value in np.linspace(0, 100, 6)])
    axes.tick_params(axis="y", length=0)
    axes.legend(loc="lower center", bbox_to_anchor=(0.42, 1.0), ncols=2, frameon=False, fontsize=8.5)
    sns.despine(ax=axes, left=True)
    return figure


def correlation_forest(statistics: pd.DataFrame, response: str = PRIMARY, protocol: str = FROZEN.name) -> Figure | None:
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
    step = len(keys) + 0.8
    figure, axes = plt.subplots(figsize=(7.2, 0.3 * len(measures) * len(keys) + 1.2), layout="constrained")
    axes.axvline(0, color="#999999", linewidth=0.9)
    labels = {}
    for row in rows.to_dict("records"):
        which = keys.index((row["protocol"], row["method"]))
        place = measures.index(row["measure"]) * step + which
        labels[place] = method_title(row["method"]) + (f", {row['protocol']}" if named else "")
        colour = COLOURS[which % len(COLOURS)]
        axes.plot([row["low"], row["high"]], [place, place], color=colour, linewidth=1.6, solid_capstyle="butt")
        face = colour if p[tuple(row[key] for key in KEYS)] < MEANINGFUL else "white"
        axes.plot(row["estimate"], place, "o", markersize=6, color=colour, markerfacecolor=face, markeredgewidth=1.4)
        at: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "va": "center", "fontsize": 8}
        axes.annotate(f"p = {row['p']:.2g}", (1.01, place), color="#555555", **at)
    for index, measure in enumerate(measures):
        at = {"xycoords": ("axes fraction", "data"), "xytext": (4, 0), "textcoords": "offset points", "va": "center"}
        axes.annotate(measure_title(measure), (0, index * step - 0.75), fontsize=8.5, fontweight="bold", **at)
    axes.set_yticks(list(labels), list(labels.values()))
    axes.set_ylim(len(measures) * step - 0.8, -1.3)
    axes.set_xlim(np.nanmin([-0.5, rows["low"].min()]) - 0.05, np.nanmax([0.8, rows["high"].max()]) + 0.05)
    axes.set_xlabel("correlation of the relationship parts of transfer and similarity, 95 % jackknife interval over tasks")
    axes.tick_params(axis="y", length=0)
    sns.despine(ax=axes, left=True)
    return figure
