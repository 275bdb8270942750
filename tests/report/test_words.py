"""One list of words: what is registered, here or from outside, is called the same in tables' figures and on the page, which has none
of its own."""

import re

import numpy as np
import pytest

from browser import CONFIG, browse, embedded, needs_browser
from promptatlas.analysis import statistics, words
from promptatlas.analysis.statistics import few_shot as comparison
from promptatlas.evaluation import similarity
from promptatlas.report import figures, page
from promptatlas.report.page import few_shot
from promptatlas.report.page.markup import FOLDER
from promptatlas.report.page.scripts import OF_STUDY
from promptatlas.runs.tables import methods_table
from promptatlas.tasks import metrics
from synthetic_study import baselines_table, cells, similarity_table, tasks_table, transfer_table, tuning_table


@pytest.fixture(scope="module")
def own():
    """A metric and a measure from outside."""
    mean = {"mean_over": "images", "function": lambda logits, labels: (0.5, np.zeros(logits.shape[1]))}
    metrics.register(metrics.Metric(name="top2", title="among the first two", **mean, chance=lambda labels, classes: 2 / classes))
    similarity.register(
        similarity.Measure("by_title", "closeness of titles", "how alike the titles are", "label", False, (), lambda corpus: np.eye(6))
    )
    yield
    metrics.METRICS.remove("top2")
    similarity.MEASURES.remove("by_title")


@pytest.fixture(scope="module")
def written(own, tmp_path_factory):
    """A study with both: its tables, statistics, summary, page and figures."""
    folder = tmp_path_factory.mktemp("study")
    transfer, tasks = transfer_table(6, methods=("coop",)).assign(metric="top2"), tasks_table(6).assign(metric="top2")
    table = similarity_table(6)
    table = table.assign(measure=table["measure"].replace("lab_cover", "by_title"))
    found = statistics.analyse(transfer, table, tasks, permutations=9)
    summary = statistics.summary(transfer, table, found, tasks)
    tables = {"transfer": transfer, "tasks": tasks, "similarity": table, "tuning": tuning_table(6, methods=("coop",))}
    page.write(tables, CONFIG, cells(transfer, tasks), folder / "report.html", summary)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "VIEWS", ["gain_points"])
        drawn = figures.draw(transfer, table, found, tasks, folder / "figures")
    return found, folder, [path.name for path in drawn]


def test_a_measure_from_outside_is_in_statistics_figures_and_payload(written):
    found, folder, drawn = written
    tested = found[(found["measure"] == "by_title") & (found["test"] == "two_way")]
    assert {*tested["method"]} == {"coop"} and tested["estimate"].notna().all() and "correlations.svg" in drawn
    data = embedded(folder / "report.html")
    assert {one["measure"] for one in data["similarity"]} == {"vis_frechet", "by_title", "factor_overlap"}
    assert data["words"]["measures"]["by_title"] == {
        "title": "closeness of titles", "description": "how alike the titles are", "family": "label",
    }  # fmt: skip
    assert words.measure_title("by_title") == "closeness of titles (by_title)"
    assert data["words"]["metrics"]["top2"]["title"] == "among the first two" and data["tasks"][0]["metric"] == "top2"


@needs_browser
def test_both_are_called_by_their_titles_on_the_page(written, tmp_path):
    document = browse(written[1] / "report.html", tmp_path)
    assert '<span title="by_title: how alike the titles are">closeness of titles</span>' in document
    assert "<td>among the first two</td>" in document and "<td>top2</td>" not in document


def test_a_metric_from_outside_is_called_by_its_title_on_a_page_without_scripts(own, tmp_path):
    tasks = tasks_table(5).assign(metric="top2")
    transfer, baselines = transfer_table(5).assign(failed=""), baselines_table(tasks).assign(failed="")
    summary = comparison.summary(transfer, tasks, baselines, methods_table(transfer, baselines), None, ())
    few_shot.write(tasks, {"study": "synthetic"}, summary, tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text().count("<td>among the first two</td>") == 5


def test_scripts_hold_no_title_of_their_own():
    """None of the list as it stands there; `zero-shot` and `linear probe` are words of the language as well."""
    scripts = "\n".join((FOLDER / name).read_text() for name in OF_STUDY)
    listed = words.every()
    titles = {one["title"] for kind in ("methods", "measures", "metrics", "protocols", "views") for one in listed[kind].values()}
    titles |= {title for one in listed["protocols"].values() for title in one["row_titles"].values()} | {*listed["controls"].values()}
    copied = [title for title in titles - {"zero-shot", "linear probe"} if re.search(rf'["`]{re.escape(title)}["`]', scripts)]
    assert not copied


def test_every_row_way_and_part_has_words():
    from promptatlas.study.designs import BESIDE
    from promptatlas.study.multitask import ROWS

    for protocol in words.PROTOCOLS:
        assert all(words.row_title(protocol, row) != row for row in (*BESIDE, *ROWS))
        assert len({words.row_title(protocol, row) for row in (*BESIDE, *ROWS)}) == len((*BESIDE, *ROWS))
    assert words.row_title("init", "scratch") != words.row_title("frozen", "scratch")
    assert {*words.STARTS} == {*ROWS}
