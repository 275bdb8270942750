"""Static figures of a study, SVG for papers and PNG for everything else. Knows nothing of where the tables come from."""

from pathlib import Path

import matplotlib
import pandas as pd

from promptatlas.analysis.statistics.matrices import collect
from promptatlas.analysis.statistics.methods import compare
from promptatlas.analysis.statistics.seriation import common_order
from promptatlas.analysis.statistics.views import VIEWS, colour_limits, has
from promptatlas.analysis.words import method_title, way_title
from promptatlas.report.figures.matrix import heatmap
from promptatlas.report.figures.methods import gains
from promptatlas.report.figures.published import side_by_side
from promptatlas.report.figures.relations import correlation_forest, similarity_scatter, variance_bars
from promptatlas.report.figures.shots import curves
from promptatlas.report.figures.style import STYLE, save
from promptatlas.report.listing import BESIDE, HEATMAP, JOINT, SIMILARITY

__all__ = ["draw", "draw_comparison", "draw_shots"]


def draw(
    transfer: pd.DataFrame,
    similarity: pd.DataFrame,
    statistics: pd.DataFrame,
    tasks: pd.DataFrame,
    folder: Path,
    methods: pd.DataFrame | None = None,
) -> list[Path]:
    """Write every figure of a study into `folder`, each as .svg and .png; the paths.

    `heatmap-<protocol>-<method>-<view>`, `published-<method>`, `similarity-<protocol>`, `variance`, `correlations` and, from
    the table `methods`, `methods`; what the study is too small for is left out.
    """
    collected = collect(transfer, tasks)
    order = common_order(collected)
    titles = dict(zip(tasks["task"], tasks["title"], strict=True))
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    with matplotlib.rc_context(STYLE):
        for protocol in dict.fromkeys(scores.protocol for scores in collected):
            group = [scores for scores in collected if scores.protocol == protocol]
            for view in VIEWS:
                having = [scores for scores in group if has(scores, view)]
                for scores in having:
                    if figure := heatmap(scores, view, order, titles, colour_limits(having, view)):
                        written += save(figure, folder / f"{HEATMAP}{protocol}-{scores.method}-{view}")
            for scores in group:
                if figure := side_by_side(scores, order, titles):
                    written += save(figure, folder / f"{BESIDE}{scores.method}")
            if figure := similarity_scatter(group, similarity, statistics):
                written += save(figure, folder / f"{SIMILARITY}{protocol}")
        compared = None if methods is None else gains(compare(methods))
        overall = {"variance": variance_bars(statistics), "correlations": correlation_forest(statistics), "methods": compared}
        for name, figure in overall.items():
            if figure:
                written += save(figure, folder / name)
    return written


def draw_comparison(summary: dict, folder: Path) -> list[Path]:
    """Write `methods` and, for each prompt method with joint adaptation, `joint-<method>` into `folder`; the paths.

    summary: the dict of a few-shot study's summary.json.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    with matplotlib.rc_context(STYLE):
        if figure := gains(summary["comparison"]):
            written += save(figure, folder / "methods")
        for one in summary["joint"]:
            if figure := gains(one, "single", way_title, f"{method_title(one['method'])}: ways to have a prompt"):
                written += save(figure, folder / f"{JOINT}{one['method']}")
    return written


def draw_shots(table: pd.DataFrame, folder: Path) -> list[Path]:
    """Write `shots` into `folder`, from a table as `statistics.shots.table` gives it; the paths."""
    with matplotlib.rc_context(STYLE):
        return save(curves(table), folder / "shots")
