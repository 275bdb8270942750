"""Static figures of given matrices, with the drawings that studies have."""

from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import seaborn as sns
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from promptatlas.analysis.any_matrix.analyse import Analysis
from promptatlas.analysis.any_matrix.given import PROTOCOL, GivenMatrix
from promptatlas.analysis.any_matrix.scales import RELATIONSHIP, limits, relationship, relationship_view, view_of
from promptatlas.analysis.statistics import masked
from promptatlas.analysis.statistics.matrices import similarity_matrices
from promptatlas.analysis.statistics.scales import seed_mean
from promptatlas.analysis.statistics.views import View
from promptatlas.report.colours import colour_of
from promptatlas.report.figures.fonts import lettered
from promptatlas.report.figures.lettering import cut, plain
from promptatlas.report.figures.matrix import grid
from promptatlas.report.figures.relations import Panel, correlation_forest, scatters, variance_bars
from promptatlas.report.figures.style import SMALL, framed, save_both

NAMES = ("heatmap-*", "givers-*", "similarity-*", "variance", "correlations")
AXES = ("source: what transfer comes from", "target: what it is measured on")
DRAWN = (RELATIONSHIP, "raw", "perfection_gap")  # beside the scale of headlines; the page has all
MOST_NAMES, LONGEST = 60, 40


def draw(analysis: Analysis, folder: Path) -> tuple[list[Path], list[str]]:
    """Write the figures into `folder`, and for one column into its folder `column`, each as .svg, .png and .pdf; the paths, and what is to
    be said of them.

    `heatmap-<method>-<scale>` and `heatmap-<method>-relationship`, `variance`, `givers-<method>`, and with a similarity `correlations` and
    `similarity-<method>`; what the matrix is too small for is left out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    named = [name for one in analysis.given.matrices for name in (one.method, one.protocol, *one.tasks)]
    with lettered([*named, *analysis.tables["similarity"].get("measure", ())]) as remarks:
        return _drawn(analysis, folder), remarks


def _drawn(analysis: Analysis, folder: Path) -> list[Path]:
    given, table = analysis.given, analysis.tables["statistics"]
    named = names(given.matrices)
    written: list[Path] = []
    for what, values, rows, view in views(analysis):
        if what not in (analysis.primary.name, *DRAWN):
            continue
        edges = limits(values, view)
        for one, mean, beside in zip(given.matrices, values, rows, strict=True):
            drawn = partial(_heatmap, analysis, one, mean, beside, view, edges, what == RELATIONSHIP)
            written += save_both(drawn, folder, f"heatmap-{named[one.method, one.protocol]}-{what}")
    titles = {name: scale.title.lower() for name, scale in analysis.scales.items()}
    written += save_both(partial(variance_bars, table, responses=titles, protocol=PROTOCOL), folder, "variance")
    for one in given.matrices:
        written += save_both(partial(_givers, analysis, one), folder, f"givers-{named[one.method, one.protocol]}")
        written += save_both(partial(_scatters, analysis, one), folder, f"similarity-{named[one.method, one.protocol]}")
    primary = partial(correlation_forest, table, response=analysis.primary.name, protocol=PROTOCOL)
    return written + save_both(primary, folder, "correlations")


def names(matrices: list[GivenMatrix]) -> dict[tuple[str, str], str]:
    """A name for files of each method and protocol, of signs that files may have, with a number where two are alike."""
    called: dict[tuple[str, str], str] = {}
    used: Counter[str] = Counter()
    for one in matrices:
        parts = [one.method] if one.protocol == PROTOCOL else [one.method, one.protocol]
        name = "-".join("".join(sign if sign.isalnum() or sign in "._+" else "_" for sign in part)[:60] for part in parts)
        used[name.lower()] += 1
        called[one.method, one.protocol] = name if used[name.lower()] == 1 else f"{name}-{used[name.lower()]}"
    return called


def views(analysis: Analysis) -> list[tuple[str, list[np.ndarray], list[dict[str, np.ndarray]], View]]:
    """By scale, and for who helps whom: its name, a matrix (n, n) and the rows beside it for each given one, and how it is shown."""
    matrices, found = analysis.given.matrices, []
    for name, scale in analysis.scales.items():
        means = [scale.means(one) for one in matrices]
        found.append((name, [values for values, _ in means], [rows for _, rows in means], view_of(scale, analysis.given)))
    nothing: list[dict[str, np.ndarray]] = [{} for _ in matrices]
    view = relationship_view(analysis.primary, analysis.given)
    found.insert(1, (RELATIONSHIP, [relationship(analysis.primary, one) for one in matrices], nothing, view))
    return found


def _heatmap(
    analysis: Analysis,
    one: GivenMatrix,
    values: np.ndarray,
    rows: dict[str, np.ndarray],
    view: View,
    edges: tuple[float, float],
    undefined: bool,
    inches: float,
) -> Figure | None:
    if not np.isfinite(values).any():
        return None
    order = analysis.summary["order"]
    index = [one.tasks.index(name) for name in order]
    return grid(
        values[np.ix_(index, index)], order, {name: row[index] for name, row in rows.items()}, view, edges,
        title=f"{_title(one)}: {view.title[0].lower()}{view.title[1:]}", axes_words=AXES, inches=inches, seeds=len(one.score),
        undefined=undefined,
    )  # fmt: skip


def _title(one: GivenMatrix) -> str:
    return _short(one.method) + ("" if one.protocol == PROTOCOL else f", {_short(one.protocol)}")


def _short(name: str) -> str:
    """A name that a figure has room for."""
    name = plain(name)
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"


def methods(analysis: Analysis) -> list[str]:
    """Names of the given matrices, each once, in their order, by which their colours go."""
    return list(dict.fromkeys(one.method for one in analysis.given.matrices))


def _givers(analysis: Analysis, one: GivenMatrix, inches: float) -> Figure | None:
    """Each task by what it gives as a source and receives as a target."""
    table = analysis.tables["effects"]
    own = table[(table["method"] == one.method) & (table["protocol"] == one.protocol)].dropna(subset=["gives", "receives"])
    if own.empty:
        return None
    figure, axes = plt.subplots(figsize=(inches, max(3.4, 0.75 * inches)), layout="constrained")
    axes.axhline(0, color="#cccccc", linewidth=0.8, zorder=0)
    axes.axvline(0, color="#cccccc", linewidth=0.8, zorder=0)
    factor = 100 if analysis.primary.unit == "%" else 1
    unit = {"%": ", points", "": ""}.get(analysis.primary.unit, f", {analysis.primary.unit}")
    x, y = factor * own["gives"], factor * own["receives"]
    axes.plot(x, y, "o", markersize=4, color=colour_of(one.method, methods(analysis)), alpha=0.8, markeredgewidth=0)
    if len(own) <= MOST_NAMES:
        rows = _apart(y.to_numpy())
        for name, at, to, beside in zip(own["task"], x, y, rows, strict=True):
            side = (4, "left") if at <= (x.min() + x.max()) / 2 else (-4, "right")  # towards the middle, where there is room
            axes.annotate(
                cut(name, 0.3 * inches, SMALL), (at, to), xytext=(side[0], -2.5 + beside), textcoords="offset points", ha=side[1],
                color="#333333",
            )  # fmt: skip
    axes.set_xlabel(f"gives: effect as a source{unit}")
    axes.set_ylabel(f"receives: effect as a target{unit}")
    framed(figure, f"{_title(one)}: who gives and who receives", ["Each dot: a task; 0 is the mean of all."])
    axes.margins(0.12)
    sns.despine(ax=axes)
    return figure


def _apart(heights: np.ndarray) -> np.ndarray:
    """By how many points to move names up or down so that those of neighbours in height have lines of their own."""
    spread = np.ptp(heights) or 1.0
    line = 0.028 * spread  # of the figure above
    moved, last = np.zeros(len(heights)), -np.inf
    for place in np.argsort(heights, kind="stable"):
        at = max(heights[place], last + line)
        moved[place], last = min(at - heights[place], 2 * line), at
    return moved / line * 7.5


def _scatters(analysis: Analysis, one: GivenMatrix, inches: float) -> Figure | None:
    """The relationship part of transfer against that of each measure of similarity."""
    table, similarity = analysis.tables["statistics"], analysis.tables["similarity"]
    found = table[
        (table["test"] == "two_way") & (table["response"] == analysis.primary.name) & (table["method"] == one.method)
        & (table["protocol"] == one.protocol) & table["estimate"].notna()
    ]  # fmt: skip
    if found.empty:
        return None
    measures = similarity_matrices(similarity, one.tasks, one.method)
    mean, colour = seed_mean(analysis.primary.matrix(one)), colour_of(one.method, methods(analysis))
    panels = [
        Panel(_title(one), _short(row["measure"]), *masked.alike(mean, measures[row["measure"]]), row, colour)
        for row in found.to_dict("records")
    ]
    return scatters(panels, f"{_title(one)}: similarity of tasks and transfer between them", inches)
