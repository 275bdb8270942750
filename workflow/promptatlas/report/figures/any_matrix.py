"""Static figures of given matrices, with the drawings that studies have."""

import warnings
from collections import Counter
from pathlib import Path

import matplotlib
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
from promptatlas.report.figures.matrix import grid
from promptatlas.report.figures.relations import correlation_forest, scatter, variance_bars
from promptatlas.report.figures.style import STYLE, save

NAMES = ("heatmap-*", "givers-*", "similarity-*", "variance", "correlations")
AXES = ("source: what transfer comes from", "target: what it is measured on")
DRAWN = (RELATIONSHIP, "raw", "perfection_gap")  # beside the scale of headlines; the page has all
BOXES = "Figures: no font here has some signs of the names, which are boxes there; the page shows them."
MOST_NAMES, LONGEST = 60, 40


def draw(analysis: Analysis, folder: Path) -> tuple[list[Path], list[str]]:
    """Write the figures into `folder`, each as .svg and .png; the paths, and what is to be said of them.

    `heatmap-<method>-<scale>` and `heatmap-<method>-relationship`, `variance`, `givers-<method>`, and with a similarity `correlations` and
    `similarity-<method>`; what the matrix is too small for is left out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings(record=True) as caught, matplotlib.rc_context(STYLE):
        warnings.simplefilter("always")
        written = _drawn(analysis, folder)
    boxes = [one for one in caught if "missing from font" in str(one.message)]
    for one in caught:
        if one not in boxes:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
    return written, [BOXES] if boxes else []


def _drawn(analysis: Analysis, folder: Path) -> list[Path]:
    given, table = analysis.given, analysis.tables["statistics"]
    named = names(given.matrices)
    written: list[Path] = []
    for what, values, rows, view in views(analysis):
        if what not in (analysis.primary.name, *DRAWN):
            continue
        edges = limits(values, view)
        for one, mean, beside in zip(given.matrices, values, rows, strict=True):
            if figure := _heatmap(analysis, one, mean, beside, view, edges, what == RELATIONSHIP):
                written += save(figure, folder / f"heatmap-{named[one.method, one.protocol]}-{what}")
    titles = {name: scale.title.lower() for name, scale in analysis.scales.items()}
    if figure := variance_bars(table, titles, PROTOCOL):
        written += save(figure, folder / "variance")
    for one in given.matrices:
        if figure := _givers(analysis, one):
            written += save(figure, folder / f"givers-{named[one.method, one.protocol]}")
        if figure := _scatters(analysis, one):
            written += save(figure, folder / f"similarity-{named[one.method, one.protocol]}")
    if figure := correlation_forest(table, analysis.primary.name, PROTOCOL):
        written += save(figure, folder / "correlations")
    return written


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
        rows = [{row: seed_mean(values) for row, values in scale.rows(one).items()} for one in matrices]
        found.append((name, [seed_mean(scale.matrix(one)) for one in matrices], rows, view_of(scale, analysis.given)))
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
) -> Figure | None:
    if not np.isfinite(values).any():
        return None
    order = analysis.summary["order"]
    index = [one.tasks.index(name) for name in order]
    beside = {_short(name): row[index] for name, row in rows.items()}
    return grid(
        values[np.ix_(index, index)], [_short(name) for name in order], beside, view, edges,
        title=f"{_title(one)}: {view.title[0].lower()}{view.title[1:]}", axes_words=AXES, undefined=undefined,
    )  # fmt: skip


def _title(one: GivenMatrix) -> str:
    return _short(one.method) + ("" if one.protocol == PROTOCOL else f", {_short(one.protocol)}")


def _short(name: str) -> str:
    """A name that a figure has room for."""
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"


def _givers(analysis: Analysis, one: GivenMatrix) -> Figure | None:
    """Each task by what it gives as a source and receives as a target."""
    table = analysis.tables["effects"]
    own = table[(table["method"] == one.method) & (table["protocol"] == one.protocol)].dropna(subset=["gives", "receives"])
    if own.empty:
        return None
    figure, axes = plt.subplots(figsize=(6.2, 5.2), layout="constrained")
    axes.axhline(0, color="#cccccc", linewidth=0.8, zorder=0)
    axes.axvline(0, color="#cccccc", linewidth=0.8, zorder=0)
    factor = 100 if analysis.primary.unit == "%" else 1
    unit = {"%": ", points", "": ""}.get(analysis.primary.unit, f", {analysis.primary.unit}")
    x, y = factor * own["gives"], factor * own["receives"]
    axes.plot(x, y, "o", markersize=5, color="#0072B2", alpha=0.8, markeredgewidth=0)
    if len(own) <= MOST_NAMES:
        rows = _apart(y.to_numpy())
        for name, at, to, beside in zip(own["task"], x, y, rows, strict=True):
            axes.annotate(_short(name), (at, to), xytext=(5, -2.5 + beside), textcoords="offset points", fontsize=7, color="#333333")
    axes.set_xlabel(f"gives: effect as a source{unit}")
    axes.set_ylabel(f"receives: effect as a target{unit}")
    axes.set_title(f"{_title(one)}: who gives and who receives")
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


def _scatters(analysis: Analysis, one: GivenMatrix) -> Figure | None:
    """The relationship part of transfer against that of each measure of similarity."""
    table, similarity = analysis.tables["statistics"], analysis.tables["similarity"]
    found = table[
        (table["test"] == "two_way") & (table["response"] == analysis.primary.name) & (table["method"] == one.method)
        & (table["protocol"] == one.protocol) & table["estimate"].notna()
    ]  # fmt: skip
    if found.empty:
        return None
    measures = similarity_matrices(similarity, one.tasks, one.method)
    figure, grid_of = plt.subplots(1, len(found), figsize=(3.4 * len(found), 3.2), squeeze=False, layout="constrained")
    mean = seed_mean(analysis.primary.matrix(one))
    for axes, row in zip(grid_of[0], found.to_dict("records"), strict=True):
        scatter(axes, *masked.alike(mean, measures[row["measure"]]), row)
        axes.set_xlabel(f"{_short(row['measure'])}\nrelationship part, s.d.")
    grid_of[0][0].set_ylabel(f"{_title(one)}\nrelationship part, s.d.")
    return figure
