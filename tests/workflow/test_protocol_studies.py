"""Base-to-new, cross-dataset and domain generalisation from nothing to the report."""

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from promptatlas.base.errors import UserError
from promptatlas.records.prompt_file import TunedPrompt
from promptatlas.study.configuration import complete
from promptatlas.study.study import Study
from promptatlas.tasks import catalogue
from promptatlas.tasks.prepared import PreparedTask
from tiny_study import CONFIG, Finished, differing, go_on

TASKS = ["shapes", "colors", "digits_rendered"]
STATISTICS = {"similarity", "statistics", "explained", "contrasts", "pairs"}


def table(study, name: str) -> pd.DataFrame:
    return pd.read_parquet(study.results / "tables" / f"{name}.parquet")


@pytest.fixture(scope="module")
def base_to_new(tmp_path_factory, finished):
    study = go_on(tmp_path_factory.mktemp("base_to_new"), finished, design="base_to_new", tasks=TASKS)
    study.run()
    return study


@pytest.fixture(scope="module")
def cross_dataset(tmp_path_factory, finished):
    about = {"design": "cross_dataset", "tasks": TASKS, "sources": ["colors"], "methods": ["coop"]}
    study = go_on(tmp_path_factory.mktemp("cross_dataset"), finished, **about)
    study.run()
    return study


def test_only_base_classes_are_trained_and_both_parts_are_measured(base_to_new):
    transfer = table(base_to_new, "transfer")
    wanted = {
        (source, f"{task}@{part}")
        for task in TASKS for part in ("base", "new") for source in (f"{task}@base", "scratch", "template")
    }  # fmt: skip
    assert set(zip(transfer["source"], transfer["target"], strict=True)) == wanted and len(transfer) == 2 * len(wanted)
    prompts = {path.stem for path in (base_to_new.results / "prompts").rglob("*.safetensors")}
    assert prompts == {path.stem for path in (base_to_new.results / "draws").rglob("*.json")} == {f"{task}@base" for task in TASKS}
    assert not [*base_to_new.results.glob("tasks/*@*/*images*")]


def test_a_part_knows_its_own_classes_only(base_to_new):
    for task in TASKS:
        names = catalogue.task(task).class_names
        half = (len(names) + 1) // 2
        for part, own in (("base", names[:half]), ("new", names[half:])):
            path = base_to_new.results / f"cells/frozen/coop/seed1/{task}@{part}/{task}@base.json"
            assert tuple(json.loads(path.read_text())["per_class"]) == own


def test_the_table_and_the_summary_hold_harmonic_means(base_to_new):
    scores = table(base_to_new, "protocol").set_index(["method", "target", "measure"])["score"]
    transfer = table(base_to_new, "transfer")
    own = transfer[(transfer["method"] == "vpt") & transfer["source"].str.endswith("@base")].set_index("target")["score"]
    base, new = (np.mean([own[f"{task}@{part}"] for task in TASKS]) for part in ("base", "new"))
    assert scores["vpt", "average", "harmonic_mean"] == pytest.approx(2 * base * new / (base + new))
    summary = json.loads((base_to_new.results / "summary.json").read_text())
    averages = {(one["method"], one["measure"]): one["score"] for one in summary["averages"]}
    assert averages["vpt", "harmonic_mean"] == pytest.approx(scores["vpt", "average", "harmonic_mean"])
    assert summary["design"] == "base_to_new" and summary["n_cells"] == len(transfer)


@pytest.mark.study
@pytest.mark.parametrize("name", ["base_to_new", "cross_dataset"])
def test_the_report_shows_the_protocols_table_alone(name, request):
    study = request.getfixturevalue(name)
    page = (study.results / "report.html").read_text()
    protocol = table(study, "protocol")
    shown = set(re.findall(r">(\d+\.\d\d)</td>", page))
    assert shown == {f"{100 * score:.2f}" for score in protocol["score"]} and "{{" not in page
    assert "CoOp" in page and "zero-shot" in page and "http" not in page
    made = {path.stem for path in (study.results / "tables").iterdir()}
    assert {"transfer", "protocol", "tasks", "tuning", "baselines"} <= made and not made & STATISTICS
    assert "Nothing to be done" in study.run()


def test_a_source_is_tried_on_every_target(cross_dataset):
    transfer = table(cross_dataset, "transfer")
    assert set(transfer["source"]) == {"colors", "scratch", "template"} and set(transfer["target"]) == set(TASKS)
    assert {path.stem for path in (cross_dataset.results / "prompts").rglob("*.safetensors")} == {"colors"}
    scores = table(cross_dataset, "protocol").set_index(["method", "target"])["score"]
    assert scores["coop", "average"] == pytest.approx(np.mean([scores["coop", name] for name in ("shapes", "digits_rendered")]))


def test_a_row_of_the_matrix_is_what_cross_dataset_measures(finished, cross_dataset):
    matrix, row = finished.measured(), cross_dataset.measured()
    for name in (name for name in row if name in matrix):
        assert row[name]["score"] == matrix[name]["score"] and row[name]["fingerprint"] == matrix[name]["fingerprint"]
    assert len([name for name in row if name in matrix and name.endswith("/colors.json")]) == 3


def test_deleting_a_cell_of_a_part_measures_that_cell_alone(base_to_new, tmp_path):
    shutil.copytree(base_to_new.folder, tmp_path / "study")
    study = Finished(tmp_path / "study")
    before, old = study.contents("cells", "prompts"), study.measured()
    cell = "cells/frozen/coop/seed1/shapes@new/shapes@base.json"
    (study.results / cell).unlink()
    assert "1 of 18 cells to measure" in study.run("--until", "collect")
    assert differing(before, study.contents("cells", "prompts")) <= {cell} and study.measured() == old


def test_noise_in_the_test_labels_changes_no_prompt(base_to_new, tmp_path):
    """Whatever is chosen, it is chosen on validation images of base classes."""
    shutil.copytree(base_to_new.folder, tmp_path / "study")
    study = Finished(tmp_path / "study")
    tasks, trained = study.results / "tasks", [*(study.results / "prompts" / "coop").rglob("*.safetensors")]
    old = {path: TunedPrompt.load(path)[0] for path in trained}
    for name in TASKS:
        path, record = tasks / name / "test_labels.npy", json.loads((tasks / name / "task.json").read_text())
        np.save(path, np.random.default_rng(0).permutation(np.load(path)))
        (tasks / name / "task.json").write_text(json.dumps(record))
    shutil.rmtree(study.results / "prompts" / "coop")
    assert "3 of 3 prompts to tune" in study.run("--until", "tune_coop", "--rerun-triggers", "mtime")
    before, after = (PreparedTask.open(one.results / "tasks" / "shapes@base") for one in (base_to_new, study))
    assert before.fingerprint("test") != after.fingerprint("test")
    for path in trained:
        new = TunedPrompt.load(path)[0]
        assert new.best_epoch == old[path].best_epoch and new.fingerprint() == old[path].fingerprint()


def test_a_target_with_test_images_only_is_measured(tmp_path, finished):
    rng = np.random.default_rng(0)
    for name in ("cat", "dog", "emu"):
        folder = tmp_path / "pictures" / name
        folder.mkdir(parents=True)
        for number in range(3):
            Image.fromarray(rng.integers(256, size=(40, 40, 3), dtype=np.uint8)).save(folder / f"{number}.png")
    data = {"animals": {"folder": str(tmp_path / "pictures"), "splits": {"test": "."}}}
    about = {"tasks": ["shapes", "animals"], "data": data, "methods": ["coop"]}
    study = go_on(tmp_path / "study", finished, design="domain", sources=["shapes"], **about)
    study.run()
    transfer = table(study, "transfer")
    assert set(transfer.loc[transfer["target"] == "animals", "source"]) == {"shapes", "scratch", "template"}
    assert set(transfer.loc[transfer["target"] == "animals", "n_test"]) == {9}
    tasks = table(study, "tasks").set_index("task")
    assert tasks.at["animals", "n_train"] == 0 and tasks.at["animals", "shots_max"] == 0
    assert (study.results / "report.html").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"design": "base-to-new"}, ("unknown design `base-to-new` under `design`", "did you mean `base_to_new`?")),
        ({"design": "cross_dataset"}, ("needs `sources`", "at least one")),
        ({"design": "domain", "sources": ["colrs"]}, ("unknown task `colrs`", "`sources`", "`colors`")),
        ({"sources": ["colors"]}, ("`sources` is for", "not for matrix")),
        ({"design": "base_to_new", "protocols": ["frozen", "init"]}, ("`protocols` must be [frozen]",)),
        ({"design": "base_to_new"}, ("`glasses` has 2 classes", "two each")),
        ({"design": "base_to_new", "tasks": ["shapes", "scenes"]}, ("`scenes` marks several classes", "leave it out")),
        ({"design": "base_to_new", "tasks": TASKS, "methods": ["coop", "tip_adapter"]}, ("tip_adapter", "leave it out")),
        ({"design": "cross_dataset", "sources": ["colors"], "methods": ["coop", "task_res", "lp_plus_plus"]}, ("task_res", "leave it out")),
        ({"design": "base_to_new", "tasks": TASKS, "only": "shapes"}, ("unknown source `shapes`", "`shapes@base`")),
    ],
)
def test_a_wrong_design_is_refused_in_one_sentence(changes, words):
    with pytest.raises(UserError) as caught:
        complete(CONFIG | changes)
    assert all(word in str(caught.value) for word in words) and "\n" not in str(caught.value)


def test_small_jobs_ask_for_nothing_that_they_do_not_use():
    jobs = {"targets_per_job": 1, "prompts_per_job": 1, "tasks_per_job": 1}
    study = Study(CONFIG | {"design": "base_to_new", "tasks": TASKS, "jobs": jobs})
    for job in study.jobs.transfer:
        (target,) = job.targets
        assert {source.partition("@")[0] for source in job.sources} == {target.partition("@")[0], "scratch", "template"}
        tuned = [path.stem for path in job.inputs if path.stem.startswith("tune")]
        assert tuned == [f"tune_{job.method}_{target.partition('@')[0]}_base"]
    together = Study(CONFIG | {"design": "base_to_new", "tasks": TASKS})
    assert set(together.cells) == set(study.cells) and len(study.cells) == len(set(study.cells))
