"""Methods compared on tasks of their own, with shared prompts, from nothing to the report."""

import json
import re

import pandas as pd
import pytest
from tiny_study import CONFIG, begin

from promptatlas.configuration import complete
from promptatlas.study import Study

ABOUT = {
    "design": "few_shot",
    "methods": ["coop", "tip_adapter"],
    "multitask": "leave_one_out",
    "joint": [["shapes", "colors"]],
    "union": {"source_epochs": 1},
}


@pytest.fixture(scope="module")
def few_shot(tmp_path_factory, backbone):
    study = begin(tmp_path_factory.mktemp("few_shot"), backbone, **ABOUT)
    study.run()
    return study


def test_prompts_are_tried_on_their_own_tasks_alone():
    study = Study(CONFIG | ABOUT)
    sources = {(cell.source, cell.target) for cell in study.cells}
    assert sources == {(source, task) for task in CONFIG["tasks"] for source in (task, "scratch", "template", "multitask")}
    assert len(study.cells) == len(sources)


def test_its_cells_are_those_of_the_matrix(few_shot, finished):
    matrix, own = finished.measured(), few_shot.measured()
    shared = [name for name in own if name in matrix]
    assert all(matrix[name] == own[name] for name in shared)
    assert {f"cells/frozen/coop/seed1/{task}/{task}.json" for task in CONFIG["tasks"]} <= set(shared)


def test_the_summary_compares_methods_and_ways_to_share(few_shot):
    summary = json.loads((few_shot.results / "summary.json").read_text())
    means = {one["method"]: one["mean"] for one in summary["comparison"]["methods"]}
    methods = pd.read_parquet(few_shot.results / "tables" / "methods.parquet")
    assert set(means) == {"coop", "tip_adapter", "linear_probe", "zero_shot"}
    assert means == pytest.approx(methods.groupby("method")["score"].mean().to_dict())
    joint = pd.read_parquet(few_shot.results / "tables" / "joint.parquet")
    (shared,) = summary["joint"]
    ways = {one["method"]: one["mean"] for one in shared["methods"]}
    adapted = joint[(joint["source"] == "multitask") & (joint["adaptation"] == "joint")]
    assert ways["single"] == pytest.approx(means["coop"]) and ways["multitask joint"] == pytest.approx(adapted["score"].mean())
    assert shared["groups"] == [["colors", "shapes"]]


def test_the_page_and_the_figures_show_it(few_shot):
    page = (few_shot.results / "report.html").read_text()
    summary = json.loads((few_shot.results / "summary.json").read_text())
    for one in summary["comparison"]["methods"]:
        assert f">{100 * one['mean']:.1f}<" in page
    assert {"gains", "scores", "pairs", "joint", "study"} == set(re.findall(r'<section id="(\w+)"', page))
    assert "{{" not in page and "http" not in page and ">nan" not in page.lower()
    assert {path.stem for path in (few_shot.results / "figures").glob("*.png")} == {"methods", "joint-coop"}
    assert "Nothing to be done" in few_shot.run()


def test_without_shared_prompts_there_is_no_such_section():
    study = Study(complete(CONFIG | {"design": "few_shot"}))
    assert not study.joint_jobs and not study.multitask_jobs
    assert [path.stem for path in study.tables if path.suffix == ".csv"] == ["transfer", "baselines", "methods", "tuning", "tasks"]
