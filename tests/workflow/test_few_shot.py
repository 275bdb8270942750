"""Methods compared on tasks of their own, with shared prompts, from nothing to the report."""

import json
import re

import pandas as pd
import pytest

from promptatlas.study.configuration import complete
from promptatlas.study.study import Study
from tiny_study import CONFIG, differing, go_on

ABOUT = {
    "design": "few_shot",
    "methods": ["coop", "tip_adapter"],
    "multitask": "leave_one_out",
    "joint": [["shapes", "colors"]],
    "union": {"source_epochs": 1},
}


@pytest.fixture(scope="module")
def few_shot(tmp_path_factory, finished):
    study = go_on(tmp_path_factory.mktemp("few_shot"), finished, **ABOUT)
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


@pytest.mark.parametrize("methods", [["zero_shot"], ["linear_probe"], ["tip_adapter_f"], ["softcpt"], ["prompt_adapter", "zero_shot"]])
def test_any_methods_may_be_compared_without_prompts_of_single_tasks(methods):
    study = Study(CONFIG | {"design": "few_shot", "methods": methods})
    assert not study.methods and not study.jobs.tune and {cell.source for cell in study.cells} == {"template"}
    assert {cell.target for cell in study.cells} == {*CONFIG["tasks"]}
    trained = {job.method for job in (*study.jobs.share, *study.jobs.adapt)}
    assert trained == {*methods} - {"zero_shot"} - {"linear_probe"} | ({"coop_mt"} if "prompt_adapter" in methods else set())


def test_adapters_alone_run_to_the_report_with_zero_shot_in_it(tmp_path, finished):
    """Zero-shot is the template's cell of each task, as in any other study."""
    about = {"design": "few_shot", "methods": ["tip_adapter"]}
    study = go_on(tmp_path / "adapters", finished, **about)
    assert "adapt tip_adapter" in study.run()
    cells, matrix = study.measured(), finished.measured()
    assert {*cells} == {f"cells/frozen/zero_shot/seed1/{task}/template.json" for task in CONFIG["tasks"]}
    for name, cell in cells.items():
        other = matrix[name.replace("zero_shot", "coop")]
        assert all(cell[key] == other[key] for key in ("score", "per_class", "fingerprint"))
    summary = json.loads((study.results / "summary.json").read_text())
    means = {one["method"]: one["mean"] for one in summary["comparison"]["methods"]}
    assert {*means} == {"tip_adapter", "linear_probe", "zero_shot"}
    assert means["zero_shot"] == pytest.approx(sum(cell["score"] for cell in cells.values()) / len(cells))
    page = (study.results / "report.html").read_text()
    assert all(f">{100 * mean:.1f}<" in page for mean in means.values()) and ">nan" not in page.lower()


def test_the_first_template_alone_changes_what_is_made_of_templates_and_nothing_else(study):
    import numpy as np

    from promptatlas import backbone
    from promptatlas.backbone import feature_file
    from promptatlas.runs import engine
    from promptatlas.tasks.mini import MINI_TASKS

    settings = CONFIG["settings"] | {"zero_shot": {"templates": "first"}}
    first = Study(CONFIG | {"results": str(study.folder / "results"), "device": "cpu", "settings": settings})
    model, old = (
        backbone.load(first.paths.backbone_folder, "cpu"),
        {name: feature_file.load(first.paths.encoded(name)) for name in first.tasks},
    )
    for job in first.jobs.encode:
        engine.run(first, job, 1, lambda *words: None)
    assert any(len(MINI_TASKS[name].task.templates) > 1 for name in first.tasks)
    for name in first.tasks:
        task, (arrays, marks) = MINI_TASKS[name].task, feature_file.load(first.paths.encoded(name))
        expected = model.class_features(task.class_names, task.templates[:1]).detach().numpy()
        np.testing.assert_allclose(arrays["class_features"], expected, atol=1e-6)
        assert {key for key in marks if marks[key] != old[name][1][key]} <= {"class_features"}
    before = study.measured()
    for job in first.jobs.transfer:
        engine.run(first, job, 1, lambda *words: None)
    after = study.measured()
    assert differing(before, after) == {name for name in before if name.endswith("/template.json")}
    assert all(after[name]["parts"]["prompt"] == "first template" for name in differing(before, after))


def test_without_shared_prompts_there_is_no_such_section():
    study = Study(complete(CONFIG | {"design": "few_shot"}))
    assert not study.jobs.joint and not study.jobs.multitask
    assert [path.stem for path in study.tables if path.suffix == ".csv"] == [
        "transfer",
        "baselines",
        "methods",
        "tuning",
        "tasks",
        "shared_images",
    ]
