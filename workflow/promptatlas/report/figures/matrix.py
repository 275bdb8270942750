"""One transfer matrix as a heatmap: sources as rows, targets as columns.

Blue is better and red is worse than the stated baseline; viridis where there is none. The diagonal is framed, missing
cells are hatched, calibration rows stand apart below; a corner marks scores that do not beat always answering the largest class.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure

from promptatlas.analysis.statistics.matrices import Scores
from promptatlas.analysis.statistics.scales import seed_mean
from promptatlas.analysis.statistics.views import VIEWS, View, shown
from promptatlas.analysis.words import method_title, row_title
from promptatlas.base.messages import counted
from promptatlas.report.figures.lettering import POINT, broken, cut, height, width
from promptatlas.report.figures.placement import GAP, Placement
from promptatlas.report.figures.style import MARGIN, ONE_COLUMN, SMALL, TWO_COLUMNS, number
from promptatlas.runs.largest_class import SAME
from promptatlas.study.designs import LARGEST_CLASS
from promptatlas.study.protocols import PROTOCOLS

TALLEST_CELL = 0.3  # inches
TALLEST = 9.0  # inches, of a page
SMALLEST = 5.5  # points, of numbers in cells
CLOSEST = 6.6 * POINT  # inches between names of 7 points
MOST_EDGED = 40  # tasks up to which white lines part the cells
DIAGONAL, UNDEFINED = "Framed: a task with its own prompt.", "Grey: not defined."
HOLES = "Hatched: not measured."
CORNER = "Dark corner: no better than always answering the largest class."
APART = "Rows apart are for comparison."

CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])  # of a cell

Text = Callable[[float], str]


def heatmap(
    scores: Scores, view: str, order: Sequence[str], titles: dict[str, str], limits: tuple[float, float], inches: float = TWO_COLUMNS
) -> Figure | None:
    """One method in one view, tasks in the given order; None where there is nothing to show, or no room for names."""
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
        inches=inches,
        seeds=len(scores.seeds),
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
    inches: float,
    seeds: int,
    marked: np.ndarray | None = None,
    undefined: bool = False,
) -> Figure | None:
    """A matrix (n, n), mean over `seeds`, with its `rows` (n,) by title below it, as a figure `inches` wide; None where one column has
    no room for the names.

    axes_words: what its rows and columns are; marked: cells (n + m, n) with a dark corner; undefined: whether the diagonal means nothing.
    """
    n, m = len(labels), len(rows)
    every = np.concatenate([values, *(row[None] for row in rows.values())])
    corners = np.zeros(every.shape, dtype=bool) if marked is None else marked
    room = label_room(n, inches)
    names, beside = [cut(label, room, SMALL) for label in labels], [broken(row, room, SMALL) for row in rows]
    longest = max(width(name, SMALL) for name in names)
    taken = max([longest, *(width(line, SMALL) for row in beside for line in row.split("\n"))])
    side = broken(axes_words[0], max(1.2, n * min(TALLEST_CELL, max(CLOSEST, (inches - taken - 0.5) / n))), SMALL, 3)
    left = MARGIN + height(side, SMALL) + taken + 2 * GAP
    wide = (inches - left - 2 * MARGIN) / n
    if inches <= ONE_COLUMN and wide < CLOSEST:
        return None

    ends = beyond(every, limits)
    notes = [f"Mean over {counted(seeds, 'seed')}." if seeds > 1 else "One seed.", UNDEFINED if undefined else DIAGONAL]
    notes += [HOLES] if np.isnan(np.where(np.eye(n + m, n, dtype=bool) & np.bool_(undefined), 0, every)).any() else []
    notes += [CORNER] if corners.any() else []
    notes += [APART] if m else []
    notes += ["Colours end where the bar does; scores go on."] if ends != "neither" else []
    sheet = Placement(inches, title, axes_words[1], view.meaning + (" (in %)" if view.unit == "%" else ""), notes)

    lines = max((row.count("\n") + 1 for row in beside), default=1)
    above = longest + GAP
    fitting = (TALLEST - sheet.above - sheet.below - above - 2 * GAP) / (n + m * lines)
    tall = max(min(TALLEST_CELL, max(wide, 1.1 * SMALL * POINT), fitting), min(CLOSEST, wide))
    row_tall = max(tall, lines * 1.15 * SMALL * POINT)
    figure = sheet.begin(above + n * tall + bool(m) * 2 * GAP + m * row_tall, left + n * wide / 2)
    size = SMALL * min(1, wide / CLOSEST)
    colours, norm = matplotlib.colormaps["RdBu" if view.diverging else "viridis"], Normalize(*limits)
    text = None if inches <= ONE_COLUMN else fitting_text(every, view, wide, tall)

    axes = sheet.axes(left, above, n * wide, n * tall)
    draw_cells(axes, values, names, text, colours, norm, size)
    frame_diagonal(axes, n, undefined)
    name_columns(axes, names, size)
    _mark(axes, corners[:n])
    if m:
        apart = sheet.axes(left, above + n * tall + 2 * GAP, n * wide, m * row_tall)
        draw_cells(apart, every[n:], beside, text, colours, norm, SMALL)
        _mark(apart, corners[n:])
    place = max(above + n * tall / 2, max(width(line, SMALL) for line in side.split("\n")) / 2)
    sheet.write(MARGIN, place, side, rotation=90, va="center", multialignment="center")
    sheet.colour_bar(left, n * wide, colours, norm, ends)
    return figure


def label_room(n: int, inches: float) -> float:
    """Inches for the longest name beside n rows: about a quarter of the figure, less where columns need it."""
    return float(np.clip(inches - 0.42 - n * SMALL * POINT, 0.15 * inches, 0.23 * inches))


def beyond(values: np.ndarray, limits: tuple[float, float]) -> str:
    """Which ends of the colours stand for values beyond them, too, as matplotlib says it."""
    low, high = bool((values < limits[0]).any()), bool((values > limits[1] + 1e-9).any())
    return {(True, True): "both", (True, False): "min", (False, True): "max", (False, False): "neither"}[low, high]


def name_columns(axes: Axes, names: Sequence[str], size: float) -> None:
    """Names above the columns."""
    axes.xaxis.tick_top()
    axes.set_xticks(np.arange(len(names)) + 0.5, names, rotation=90, fontsize=size)


def frame_diagonal(axes: Axes, n: int, filled: bool = False) -> None:
    """Frame the n cells of the diagonal, or make them grey."""
    at = np.arange(n)[:, None, None]
    boxes = [*(CORNERS + at)]
    line = 0.4 if n > MOST_EDGED else 0.9
    axes.add_collection(
        PolyCollection(boxes, facecolors="#e9e9e9" if filled else "none", edgecolors="#111111", linewidths=line, clip_on=False)
    )


def _below(scores: Scores, values: np.ndarray) -> np.ndarray:
    """Which scores (S, ..., n), mean over seeds, are no better than always answering the target's largest class: (..., n)."""
    if LARGEST_CLASS not in scores.calibration:
        return np.zeros(values.shape[1:], dtype=bool)
    return seed_mean(values) <= scores.calibration[LARGEST_CLASS][0] + SAME


def _mark(axes: Axes, cells: np.ndarray) -> None:
    """A dark corner at the lower left of each of the marked cells (R, C)."""
    at = np.argwhere(cells)[:, None, ::-1]
    corners = [*(np.array([[0.06, 0.66], [0.06, 0.94], [0.34, 0.94]]) + at)]
    axes.add_collection(PolyCollection(corners, facecolors="#333333", linewidths=0))


def draw_cells(
    axes: Axes, values: np.ndarray, rows: Sequence[str], text: tuple[Text, float] | None, colours: Colormap, norm: Normalize, size: float
) -> None:
    """Draw (R, C) `values` under names of `size` points, with a number in each cell by `text`, if any, and its points; missing cells are
    hatched, never coloured."""
    edged = values.shape[1] <= MOST_EDGED
    lines: dict[str, Any] = {"edgecolors": "white", "linewidth": 0.6} if edged else {"edgecolors": "face", "linewidth": 0.1}
    axes.pcolormesh(np.ma.masked_invalid(values), cmap=colours, norm=norm, **lines)
    holes = [*(CORNERS + np.argwhere(~np.isfinite(values))[:, None, ::-1])]
    if holes:
        axes.add_collection(PolyCollection(holes, facecolors="#f2f2f2", edgecolors="#b5b5b5", hatch="////", linewidths=0))
    if text:
        in_words, points = text
        for row, column in np.argwhere(np.isfinite(values)):
            value = float(values[row, column])
            ink = "white" if _is_dark(colours(norm(value))) else "#222222"
            axes.text(column + 0.5, row + 0.52, in_words(value), ha="center", va="center", fontsize=points, color=ink)
    axes.set(xlim=(0, values.shape[1]), ylim=(values.shape[0], 0))
    axes.set_yticks(np.arange(len(rows)) + 0.5, rows, fontsize=size)
    axes.set_xticks([])
    axes.tick_params(length=0, pad=2)
    axes.spines[:].set_visible(False)


def _is_dark(colour: tuple[float, float, float, float]) -> bool:
    red, green, blue, _ = colour
    return 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2 < 0.25


def fitting_text(values: np.ndarray, view: View, wide: float, tall: float) -> tuple[Text, float] | None:
    """How numbers are written into cells of such inches, and their points; None where there is no room for any. Those of many digits have
    fewer decimals where there is no room for all."""
    digits = view.digits if view.digits is not None else 0 if view.unit in ("%", "points") else 1
    factor, room = 100 if view.unit == "%" else 1, 0.9 * wide

    def text(value: float) -> str:
        forms = [number(factor * value, few, signed=view.diverging) for few in (range(digits, -1, -1) if abs(value) >= 1 else [digits])]
        return next((form for form in forms if width(form, SMALLEST) <= room), forms[-1])

    widest = max(width(text(value), 1) for value in values[np.isfinite(values)])
    size = min(SMALL, room / widest, tall / (1.2 * POINT))
    return (text, size) if size >= SMALLEST else None
