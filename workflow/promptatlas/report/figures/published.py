"""A measured matrix and the printed one side by side, in the same colours."""

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from promptatlas.analysis.statistics.matrices import Scores
from promptatlas.analysis.statistics.published import beside
from promptatlas.analysis.statistics.views import VIEWS
from promptatlas.analysis.words import method_title
from promptatlas.report.figures.matrix import CELL, draw_cells
from promptatlas.report.figures.style import number


def side_by_side(scores: Scores, order: Sequence[str], titles: dict[str, str]) -> Figure | None:
    """Column ratios of one method over the shared tasks; None where there is no printed matrix of them."""
    pair = beside(scores, order)
    if pair is None:
        return None
    n = len(pair.tasks)
    labels = [titles[name] for name in pair.tasks]
    colours, norm = matplotlib.colormaps["viridis"], Normalize(0, 1)
    figure = plt.figure(figsize=(2 * n * CELL + 2.6, n * CELL))
    grid = figure.add_gridspec(1, 3, width_ratios=[n, n, 0.4], wspace=4 / n)
    for place, (head, values) in enumerate((("measured", pair.measured), ("published", pair.printed))):
        axes = figure.add_subplot(grid[0, place])
        rows = labels if place == 0 else [""] * n
        draw_cells(axes, values, rows, lambda value: number(100 * value, 0), colours, norm)
        for index in range(n):
            axes.add_patch(Rectangle((index, index), 1, 1, fill=False, edgecolor="#111111", linewidth=1.2))
        axes.xaxis.tick_top()
        axes.set_xticks(np.arange(n) + 0.5, labels, rotation=50, ha="left", rotation_mode="anchor")
        axes.set_xlabel("target: the task it is used on", labelpad=8)
        axes.set_title(f"{method_title(scores.method)}, {head}\n", pad=6)
    figure.axes[0].set_ylabel("source: the task the prompt was trained on")
    bar = figure.colorbar(matplotlib.cm.ScalarMappable(norm, colours), cax=figure.add_subplot(grid[0, 2]))
    bar.outline.set_visible(False)
    bar.set_label(f"{VIEWS['column_ratio'].meaning} (cells in %)")
    return figure
