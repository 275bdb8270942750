"""A measured matrix and the printed one beside each other, in the same colours."""

from collections.abc import Sequence

import matplotlib
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from promptatlas.analysis.statistics.matrices import Scores
from promptatlas.analysis.statistics.published import beside
from promptatlas.analysis.statistics.views import VIEWS
from promptatlas.analysis.words import method_title
from promptatlas.report.figures.lettering import POINT, cut, height, width
from promptatlas.report.figures.matrix import (
    CLOSEST,
    DIAGONAL,
    TALLEST_CELL,
    draw_cells,
    fitting_text,
    frame_diagonal,
    label_room,
    name_columns,
)  # fmt: skip
from promptatlas.report.figures.placement import GAP, Placement
from promptatlas.report.figures.style import MARGIN, ONE_COLUMN, SMALL

SOURCE, TARGET = "source: the task the prompt was trained on", "target: the task it is used on"


def side_by_side(scores: Scores, order: Sequence[str], titles: dict[str, str], inches: float) -> Figure | None:
    """Column ratios of one method over the shared tasks, in one column one above the other; None where there is no printed matrix of
    them, or no room for names."""
    pair = beside(scores, order)
    if pair is None:
        return None
    n, across = len(pair.tasks), 1 if inches <= ONE_COLUMN else 2
    names = [cut(titles[task], label_room(across * n, inches), SMALL) for task in pair.tasks]
    longest, line = max(width(name, SMALL) for name in names), height(" ", SMALL)
    left = MARGIN + line + longest + 2 * GAP
    wide = (inches - left - 2 * MARGIN - (across - 1) * 4 * GAP) / (across * n)
    if wide < CLOSEST:
        return None
    tall = min(TALLEST_CELL, max(wide, 1.1 * SMALL * POINT))
    view = VIEWS["column_ratio"]
    sheet = Placement(inches, f"{method_title(scores.method)}: measured and published", TARGET, f"{view.meaning} (in %)", [DIAGONAL])
    each = line + longest + GAP + n * tall
    figure = sheet.begin(each if across == 2 else 2 * each + 2 * GAP, (left + inches) / 2)
    colours, norm = matplotlib.colormaps["viridis"], Normalize(0, 1)
    for place, (head, values) in enumerate((("measured", pair.measured), ("published", pair.printed))):
        start = left + place * (n * wide + 4 * GAP) if across == 2 else left
        top = 0 if across == 2 else place * (each + 2 * GAP)
        axes = sheet.axes(start, top + each - n * tall, n * wide, n * tall)
        text = fitting_text(values, view, wide, tall) if across == 2 else None
        draw_cells(axes, values, names if place == 0 or across == 1 else [""] * n, text, colours, norm, SMALL)
        frame_diagonal(axes, n)
        name_columns(axes, names, SMALL)
        sheet.write(start + n * wide / 2, top, head, ha="center")
        if start == left:
            sheet.write(MARGIN, top + each / 2, SOURCE, rotation=90, va="center")
    sheet.colour_bar(left, inches - left - 2 * MARGIN, colours, norm, "neither")
    return figure
