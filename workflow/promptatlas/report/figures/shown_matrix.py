"""One matrix of a finished study as a figure that is shown and not saved."""

from __future__ import annotations

from collections.abc import Iterable

import matplotlib
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from promptatlas.analysis.statistics.matrices import Scores, collect
from promptatlas.analysis.statistics.seriation import common_order
from promptatlas.analysis.statistics.views import VIEWS, colour_limits, has
from promptatlas.base.errors import UserError
from promptatlas.base.messages import plain, suggest
from promptatlas.report.figures.matrix import heatmap
from promptatlas.report.figures.style import STYLE


def drawn(transfer: pd.DataFrame, tasks: pd.DataFrame, method: str | None, view: str, protocol: str | None) -> Figure:
    """The matrix of a method, the first where none is named, tasks in the order of the page and colours as all methods of it have them.

    UserError for a name that there is not, and where there is nothing to show.
    """
    if view not in VIEWS:
        raise UserError(f"there is no view {plain(view)!r}; {suggest(view, VIEWS)}")
    every = collect(transfer, tasks)
    group = _called(every, "protocol", protocol, (scores.protocol for scores in every))
    (scores, *_) = _called(group, "method", method, (scores.method for scores in group))
    having = [one for one in group if has(one, view)]
    titles = dict(zip(tasks["task"], tasks["title"], strict=True))
    figure = None
    if scores in having:
        with matplotlib.rc_context({key: value for key, value in STYLE.items() if key != "backend"}):
            figure = heatmap(scores, view, common_order(every), titles, colour_limits(having, view))
    if figure is None:
        raise UserError(f"the matrix of {scores.method} (protocol {scores.protocol}) has nothing to show in the view {view}; take another")
    plt.close(figure)  # whoever shows it does so, and nobody does twice
    return figure


def _called(every: list[Scores], kind: str, wanted: str | None, names: Iterable[str]) -> list[Scores]:
    known = list(dict.fromkeys(names))
    if not known:
        raise UserError("the study has no matrix yet; run it to its end")
    if wanted is not None and wanted not in known:
        raise UserError(f"the study has no {kind} {plain(wanted)!r}; {suggest(wanted, known)}")
    name = wanted or known[0]
    return [scores for scores in every if getattr(scores, kind) == name]
