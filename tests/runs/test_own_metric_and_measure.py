"""The metric and the measure of docs/plugins.md: from a configuration that names their file to prepared tasks, cells, tables, the page."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from browser import embedded
from own_images import folder_of_images
from promptatlas.analysis import statistics
from promptatlas.base import plugins
from promptatlas.base.errors import UserError
from promptatlas.evaluation import similarity
from promptatlas.records import cells
from promptatlas.report import page
from promptatlas.runs import compare, engine, fetch, prepare, tables
from promptatlas.study.study import Study
from promptatlas.tasks import metrics
from twins import TINY, twin

MANUAL = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text().partition("## A measure of similarity, a metric")[2]
PLUGIN = "\n".join(re.findall(r"```python\n(.*?)```", MANUAL.partition("\n## ")[0], re.DOTALL))
SHADES = {"black": 10, "grey": 128, "white": 245, "dark grey": 60}


@pytest.fixture
def study(tmp_path):
    (tmp_path / "mine.py").write_text(PLUGIN)
    data = {}
    for name, count in (("three", 3), ("four", 4)):
        folder_of_images(tmp_path / name, dict(list(SHADES.items())[:count]), ("train", "val", "test"), count=6)
        data[name] = {"folder": str(tmp_path / name), "metric": "top2"}
    yield Study({
        "study": "tiny", "results": str(tmp_path / "results"), "plugins": [str(tmp_path / "mine.py")], "tasks": [*data], "data": data,
        "methods": ["coop"], "settings": {"coop": {"epochs": 2}}, "seeds": [1], "shots": 2, "device": "cpu", "similarity": ["by_size"],
    })  # fmt: skip
    plugins.load([])
    assert "top2" not in metrics.METRICS and "by_size" not in similarity.MEASURES


def quiet(*words):
    pass


def test_both_reach_cells_tables_and_the_page(study):
    study.paths.backbone_folder.mkdir(parents=True)
    twin(TINY | {"quick_gelu": False}, study.paths.backbone_folder)
    fetch.fetch(study, quiet)
    for name in study.tasks:
        prepare.prepare(study, name, 1, quiet)
    for job in (study.jobs.draw, *study.jobs.encode, *study.jobs.probe, *study.jobs.tune, *study.jobs.transfer):
        engine.run(study, job, 1, quiet)
    for cell in study.cells:
        record = json.loads(study.paths.cell(cell).read_text())
        assert not record.get("failed"), record["failed"]
        assert record["metric"] == "top2" and record["chance"] == 2 / len(record["per_class"]) and 0 <= record["score"] <= 1

    tables.collect(study)
    tables.find_shared_images(study, quiet)
    made = {name: pd.read_parquet(study.paths.table(name)[0]) for name in ("transfer", "shared_images")}
    tables.describe(study, made["transfer"], made["shared_images"], quiet)
    tables.save(compare.table(study, quiet), study.paths.table("similarity"))
    made |= {name: pd.read_parquet(study.paths.table(name)[0]) for name in ("tasks", "similarity", "tuning", "baselines", "methods")}
    assert {*made["transfer"]["metric"]} == {*made["tasks"]["metric"]} == {"top2"} and set(made["baselines"]["metric"]) == {"top2"}
    assert made["similarity"].set_index(["source", "target"])["value"]["three", "four"] == -1

    found = statistics.analyse(made["transfer"], made["similarity"], made["tasks"], permutations=9)
    summary = statistics.summary(made["transfer"], made["similarity"], found, made["tasks"], made["baselines"], 9, made["methods"])
    records = [cells.read(path) for path in study.all_cells]
    page.write(made, study.description, records, study.paths.report, summary)
    data = embedded(study.paths.report)
    assert [one["metric"] for one in data["tasks"]] == ["top2", "top2"] and data["similarity"][0]["measure"] == "by_size"
    assert data["words"]["metrics"]["top2"]["title"] == "among the first two"
    assert data["words"]["measures"]["by_size"]["description"] == "Tasks with as many classes are close."


def test_without_its_plugin_a_study_says_what_is_not_known(study, tmp_path):
    config = {"tasks": ["three", "shapes"], "data": {"three": {"folder": str(tmp_path / "three"), "metric": "top2"}}}
    with pytest.raises(UserError, match=r"`metric` in the description of task `three` must be one of accuracy, .* not 'top2'"):
        Study(config).data.entry("three")
    with pytest.raises(UserError, match="unknown measure `by_size` under `similarity`"):
        Study({"similarity": ["by_size"]})
