"""One transfer matrix as a heatmap: sources as rows, targets as columns.

Blue is better and red is worse than the stated baseline; viridis where there is none. The diagonal is framed, missing
cells are hatched, calibration rows stand apart below; a corner marks scores that do not beat always answering the largest class.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle

from promptatlas.analysis.statistics.matrices import Scores
from promptatlas.analysis.statistics.scales import seed_mean
from promptatlas.analysis.statistics.views import VIEWS, View, shown
from promptatlas.analysis.words import method_title, row_title
from promptatlas.report.figures.style import number
from promptatlas.runs.largest_class import SAME
from promptatlas.study.designs import LARGEST_CLASS
from promptatlas.study.protocols import PROTOCOLS

CELL = 0.36  # inches
MOST_NUMBERED = 60  # tasks up to which cells are large enough for numbers
SMALL_CELL, SMALL_TEXT = 0.09, 4.5


def heatmap(scores: Scores, view: str, order: Sequence[str], titles: dict[str, str], limits: tuple[float, float]) -> Figure | None:
    """One method in one view, tasks in the given order; None where there is nothing to show."""
    values, rows = shown(scores, view)
    if not np.isfinite(values).any():
        return None
    index = [scores.tasks.index(name) for name in order]
    below = _below(scores, scores.score)[np.ix_(index, index)]
    if rows:
        beside = np.stack([_below(scores, scores.calibration[row]) & (row != LARGEST_CLASS) for row in rows])[:, index]
        below = np.concatenate([below, beside])
    words, what = PROTOCOLS[scores.protocol], VIEWS[view]
    return grid(
        values[np.ix_(index, index)],
        [titles[name] for name in order],
        {row_title(scores.protocol, row): values[index] for row, values in rows.items()},
        what,
        limits,
        title=f"{method_title(scores.method)}{words.after}: {what.title[0].lower()}{what.title[1:]}",
        axes_words=(words.rows, words.columns),
        marked=below,
        undefined=view == "relationship",
    )


def grid(
    values: np.ndarray,
    labels: Sequence[str],
    rows: Mapping[str, np.ndarray],
    view: View,
    limits: tuple[float, float],
    title: str,
    axes_words: tuple[str, str],
    marked: np.ndarray | None = None,
    undefined: bool = False,
) -> Figure:
    """A matrix (n, n) with its `rows` (n,) by title below it. axes_words: what its rows and columns are; marked: cells (n + m, n) with a
    dark corner; undefined: whether the diagonal means nothing."""
    n, m = len(labels), len(rows)
    small = n > MOST_NUMBERED
    cell = SMALL_CELL if small else CELL
    text = None if small else _text(view)
    colours = matplotlib.colormaps["RdBu" if view.diverging else "viridis"]
    norm = Normalize(*limits)
    figure = plt.figure(figsize=(n * cell + 1.2, (n + m + 0.5 * bool(m)) * cell))
    parts = figure.add_gridspec(
        1 + bool(m), 2, height_ratios=[n, m][: 1 + bool(m)], width_ratios=[n, 0.4 * CELL / cell], hspace=1 / (n + m), wspace=0.6 / n
    )
    axes = figure.add_subplot(parts[0, 0])
    draw_cells(axes, values, labels, text, colours, norm)
    for place in range(n):
        box = Rectangle((place, place), 1, 1, fill=undefined, facecolor="#e9e9e9", edgecolor="#111111", linewidth=0.4 if small else 1.2)
        axes.add_patch(box)
    axes.xaxis.tick_top()
    axes.set_xticks(np.arange(n) + 0.5, labels, rotation=50, ha="left", rotation_mode="anchor")
    axes.set_ylabel(axes_words[0])
    axes.set_title(title + "\n", pad=6)
    lowest = axes
    if m:
        lowest = figure.add_subplot(parts[1, 0])
        draw_cells(lowest, np.stack(list(rows.values())), list(rows), text, colours, norm)
    if marked is not None:
        _mark(axes, marked[:n])
        _mark(lowest, marked[n:])
    if small:
        for one in {axes, lowest}:
            one.tick_params(labelsize=SMALL_TEXT)
    any_marked = marked is not None and marked.any()
    lowest.set_xlabel(axes_words[1] + ("\n\u25e3 no better than always answering the largest class" if any_marked else ""), labelpad=8)
    ends = "both" if view.diverging else "neither"
    bar = figure.colorbar(matplotlib.cm.ScalarMappable(norm, colours), cax=figure.add_subplot(parts[0, 1]), extend=ends)
    bar.outline.set_visible(False)
    bar.set_label(view.meaning + (" (cells in %)" if view.unit == "%" else ""))
    return figure


def _below(scores: Scores, values: np.ndarray) -> np.ndarray:
    """Which scores (S, ..., n), mean over seeds, are no better than always answering the target's largest class: (..., n)."""
    if LARGEST_CLASS not in scores.calibration:
        return np.zeros(values.shape[1:], dtype=bool)
    return seed_mean(values) <= scores.calibration[LARGEST_CLASS][0] + SAME


def _mark(axes: Axes, cells: np.ndarray) -> None:
    """A dark corner at the lower left of each of the marked cells (R, C)."""
    for row, column in np.argwhere(cells):
        axes.add_patch(
            Polygon([(column + 0.06, row + 0.66), (column + 0.06, row + 0.94), (column + 0.34, row + 0.94)], color="#333333", lw=0)
        )


def draw_cells(
    axes: Axes,
    values: np.ndarray,
    rows: Sequence[str],
    text: Callable[[float], str] | None,
    colours: Colormap,
    norm: Normalize,
) -> None:
    """Draw (R, C) `values` with a number in each cell, by `text` if any; missing cells are hatched, never coloured."""
    lines: dict[str, Any] = {"edgecolors": "white", "linewidth": 0.6} if text else {"rasterized": True}
    axes.pcolormesh(np.ma.masked_invalid(values), cmap=colours, norm=norm, **lines)
    for row, column in np.ndindex(values.shape):
        value = float(values[row, column])
        if not np.isfinite(value):
            missing: dict[str, Any] = {"facecolor": "#f2f2f2", "edgecolor": "#b5b5b5", "hatch": "////", "linewidth": 0}
            axes.add_patch(Rectangle((column, row), 1, 1, **missing))
            continue
        if text is None:
            continue
        label = axes.text(column + 0.5, row + 0.52, text(value), ha="center", va="center", fontsize=6.6)
        label.set_color("white" if _is_dark(colours(norm(value))) else "#222222")
        label.set_in_layout(False)
    axes.set(xlim=(0, values.shape[1]), ylim=(values.shape[0], 0))
    axes.set_yticks(np.arange(len(rows)) + 0.5, rows)
    axes.set_xticks([])
    axes.tick_params(length=0, pad=3)
    axes.spines[:].set_visible(False)


def _is_dark(colour: tuple[float, float, float, float]) -> bool:
    red, green, blue, _ = colour
    return 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2 < 0.25


def _text(view: View) -> Callable[[float], str]:
    if view.unit == "%":
        return lambda value: number(100 * value, 0)
    digits = view.digits if view.digits is not None else 0 if view.unit == "points" else 1
    return lambda value: number(value, digits, signed=view.diverging)
