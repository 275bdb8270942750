"""A table that is wider than its place shows that it goes on, and the names of its rows stay in sight."""

import pytest

from browser import needs_browser
from promptatlas.analysis.statistics import few_shot as comparison
from promptatlas.report.page import few_shot
from promptatlas.runs.tables import methods_table
from synthetic_study import baselines_table, tasks_table, transfer_table

STATE = """() => {
  const place = document.querySelector("#scores .scroll");
  const [left, right] = [place.querySelector("tbody td"), place.querySelector("tbody td:last-child")];
  place.style.width = "160px";
  place.scrollLeft = 60;
  const from = one => one.getBoundingClientRect().left - place.getBoundingClientRect().left;
  return {scrolled: place.scrollLeft, left: from(left), shades: getComputedStyle(place).backgroundImage.split("linear-gradient").length - 1,
    covers: getComputedStyle(left).backgroundColor, right: getComputedStyle(right).position};
}"""


@pytest.fixture
def written(tmp_path):
    tasks, transfer = tasks_table(5), transfer_table(5).assign(failed="")
    baselines = baselines_table(tasks).assign(failed="")
    summary = comparison.summary(transfer, tasks, baselines, methods_table(transfer, baselines), None, ())
    few_shot.write(tasks, {"study": "synthetic"}, summary, tmp_path / "report.html")
    return tmp_path / "report.html"


@needs_browser
def test_names_of_rows_stay_and_edges_are_shaded(written, show):
    found = show(written).evaluate(STATE)
    assert found["scrolled"] == 60 and found["left"] == pytest.approx(0, abs=1) and found["right"] == "static"
    assert found["shades"] == 4 and found["covers"] == "rgb(255, 255, 255)"
