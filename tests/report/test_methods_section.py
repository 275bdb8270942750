"""The section and the figure of all methods: shown where there is something to compare, with the summary's numbers."""

import re

import pytest

from browser import CONFIG, browse, needs_browser
from promptatlas.analysis import statistics
from promptatlas.report import figures, page
from promptatlas.runs.tables import methods_table
from synthetic_study import baselines_table, cells, similarity_table, tasks_table, transfer_table, tuning_table


def study(n=5, compared=True):
    transfer, tasks, similarity = transfer_table(n), tasks_table(n), similarity_table(n)
    table = statistics.analyse(transfer, similarity, tasks, permutations=99)
    baselines = baselines_table(tasks)
    methods = methods_table(transfer, baselines) if compared else None
    summary = statistics.summary(transfer, similarity, table, tasks, baselines, 99, methods)
    tables = {"transfer": transfer, "similarity": similarity, "tasks": tasks, "tuning": tuning_table(n)}
    return tables, table, methods, summary


def section(path, tmp_path, address="") -> str:
    document = browse(path, tmp_path, address)
    return re.search(r'<section id="methods".*?</section>', document, re.S)[0]


@needs_browser
@pytest.mark.parametrize("n", [1, 2, 5])
def test_every_method_and_task_stands_in_the_table(tmp_path, n):
    tables, _, methods, summary = study(n)
    path = tmp_path / "report.html"
    page.write(tables, CONFIG, cells(tables["transfer"], tables["tasks"]), path, summary)
    shown = section(path, tmp_path)
    assert "hidden" not in re.match(r"<section[^>]*>", shown)[0]
    for score in methods.groupby(["method", "task"])["score"].mean():
        assert f"{100 * score:.1f}" in shown
    for title in ("CoOp", "VPT", "linear probe", "zero-shot"):
        assert title in shown
    assert "NaN" not in shown and "undefined" not in shown
    means = re.search(r"<tr><td>mean</td>.*?</tr>", shown)[0]
    highest = max(one["mean"] for one in summary["comparison"]["methods"])
    assert re.findall(r'class="strong">([\d.]+)', means) == [
        f"{100 * one['mean']:.1f}" for one in summary["comparison"]["methods"] if one["mean"] > highest - 1e-9
    ]
    low = summary["comparison"]["pairs"][0]["low"]
    assert (low is None) == (n < 3) and ("cannot be told" in shown) == (n < 3)


@needs_browser
def test_a_study_without_a_comparison_has_no_such_section(tmp_path):
    tables, _, _, summary = study(compared=False)
    page.write(tables, CONFIG, [], tmp_path / "report.html", summary)
    assert "hidden" in re.match(r"<section[^>]*>", section(tmp_path / "report.html", tmp_path))[0]


def test_the_figure_is_drawn_where_there_is_something_to_compare(tmp_path, monkeypatch):
    for name in ("heatmap", "similarity_scatter", "variance_bars", "correlation_forest"):
        monkeypatch.setattr(figures, name, lambda *_: None)  # slow, and drawn in test_figures
    tables, table, methods, _ = study()
    given = {name: tables[name] for name in ("transfer", "similarity", "tasks")} | {"statistics": table}
    assert {path.name for path in figures.draw(**given, folder=tmp_path, methods=methods)} == {"methods.svg", "methods.png", "methods.pdf"}
    one = methods[methods["method"].isin(["coop", "zero_shot"])]
    assert figures.draw(**given, folder=tmp_path, methods=one) == []
