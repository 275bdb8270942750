"""Static figures of a study, in the widths of one and two columns of a paper. Knows nothing of where the tables come from."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import matplotlib
import pandas as pd

from promptatlas.analysis.statistics.matrices import collect
from promptatlas.analysis.statistics.methods import compare
from promptatlas.analysis.statistics.seriation import common_order
from promptatlas.analysis.statistics.views import VIEWS, colour_limits, has
from promptatlas.analysis.words import method_title, way_title
from promptatlas.base.telling import Say
from promptatlas.report.figures.fonts import lettered
from promptatlas.report.figures.matrix import heatmap
from promptatlas.report.figures.methods import gains
from promptatlas.report.figures.published import side_by_side
from promptatlas.report.figures.relations import correlation_forest, similarity_scatter, variance_bars
from promptatlas.report.figures.shots import curves
from promptatlas.report.figures.style import STYLE, WIDTHS, save_both
from promptatlas.report.listing import BESIDE, HEATMAP, JOINT, SIMILARITY

T = TypeVar("T")

__all__ = ["draw", "draw_comparison", "draw_shots"]

IN_ONE_COLUMN = ("over_scratch", "gain_points", "relationship", "column_ratio")  # of the scales, for which drawing takes most of the time


def draw(
    transfer: pd.DataFrame,
    similarity: pd.DataFrame,
    statistics: pd.DataFrame,
    tasks: pd.DataFrame,
    folder: Path,
    methods: pd.DataFrame | None = None,
    wanted: Sequence[str] = (),
    say: Say = lambda line: None,
) -> list[Path]:
    """Write every figure of a study into `folder`, and for one column into its folder `column`, each as .svg, .png and .pdf; the paths.
    wanted: methods in the order of the configuration.

    `heatmap-<protocol>-<method>-<view>`, `published-<method>`, `similarity-<protocol>`, `variance`, `correlations` and, from
    the table `methods`, `methods`; what the study is too small for is left out. One
    column has the matrices of `IN_ONE_COLUMN`, of as many tasks as there is room for names of.
    """
    collected = in_order(collect(transfer, tasks), wanted, lambda scores: scores.method)
    statistics = statistics.iloc[in_order(range(len(statistics)), wanted, statistics["method"].tolist().__getitem__)]
    order = common_order(collected)
    titles = dict(zip(tasks["task"], tasks["title"], strict=True))
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    with lettered([*map(str, titles.values()), *map(method_title, transfer["method"].unique())]) as remarks:
        for remark in remarks:
            say(remark)
        for protocol in dict.fromkeys(scores.protocol for scores in collected):
            group = [scores for scores in collected if scores.protocol == protocol]
            for view in VIEWS:
                having = [scores for scores in group if has(scores, view)]
                widths = WIDTHS if view in IN_ONE_COLUMN else WIDTHS[:1]
                limits = colour_limits(having, view) if having else (0.0, 1.0)
                for scores in having:
                    drawn = partial(heatmap, scores, view, order, titles, limits)
                    written += save_both(drawn, folder, f"{HEATMAP}{protocol}-{scores.method}-{view}", widths)
            for scores in group:
                written += save_both(partial(side_by_side, scores, order, titles), folder, f"{BESIDE}{scores.method}")
            written += save_both(partial(similarity_scatter, group, similarity, statistics), folder, f"{SIMILARITY}{protocol}")
        written += save_both(partial(variance_bars, statistics), folder, "variance")
        written += save_both(partial(correlation_forest, statistics), folder, "correlations")
        if methods is not None:
            written += save_both(partial(gains, compare(methods)), folder, "methods")
    return written


def in_order(things: Iterable[T], wanted: Sequence[str], method: Callable[[T], str]) -> list[T]:
    """Things that belong to methods in the order of `wanted`, those of other methods last; otherwise as they are."""
    place = {name: number for number, name in enumerate(wanted)}
    return sorted(things, key=lambda one: place.get(method(one), len(place)))


def draw_comparison(summary: dict, folder: Path) -> list[Path]:
    """Write `methods` and, for each prompt method with joint adaptation, `joint-<method>` into `folder`; the paths.

    summary: the dict of a few-shot study's summary.json.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    with matplotlib.rc_context(STYLE):
        written += save_both(partial(gains, summary["comparison"]), folder, "methods")
        for one in summary["joint"]:
            title = f"{method_title(one['method'])}: ways to have a prompt"
            ways = partial(gains, one, base_method="single", title_of=way_title, title=title, method=one["method"])
            written += save_both(ways, folder, f"{JOINT}{one['method']}")
    return written


def draw_shots(table: pd.DataFrame, folder: Path) -> list[Path]:
    """Write `shots` into `folder`, from a table as `statistics.shots.table` gives it; the paths."""
    with matplotlib.rc_context(STYLE):
        return save_both(partial(curves, table), folder, "shots")
