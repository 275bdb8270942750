"""Prompts that several tasks share, in a whole study: what they are trained on, which groups they serve, and what is kept."""

import json
import shutil

import pandas as pd
import pytest
from safetensors import safe_open

import promptatlas
from promptatlas.runs.tables import JOINT
from tiny_study import CONFIG, Finished, differing

TASK_NAMES = CONFIG["tasks"]
SHARED = {
    "methods": ["coop"],
    "multitask": "leave_one_out",
    "joint": [["shapes", "colors"]],
    "union": {"source_epochs": 1},
    "protocols": ["frozen", "init"],
    "init": {"epochs": "method"},
}


@pytest.fixture(scope="module")
def shared(finished, tmp_path_factory) -> Finished:
    """The tiny study with a multitask row and a group. Not to be changed."""
    folder = tmp_path_factory.mktemp("shared") / "study"
    shutil.copytree(finished.folder, folder)
    study = Finished(folder)
    study.configure(**SHARED)
    study.run()
    return study


def parts(path) -> dict[str, str]:
    with safe_open(path, framework="np") as file:
        return json.loads(file.metadata()["parts"])


def test_a_source_prompt_never_is_trained_on_its_target(shared):
    for target in TASK_NAMES:
        seen = parts(shared.results / "multitask" / "coop" / "seed1" / f"without-{target}.safetensors")["tasks"].split(";")
        assert sorted([*seen, target]) == sorted(TASK_NAMES)
    group = shared.results / "joint" / "prompts" / "coop" / "without" / "seed1" / "colors+shapes.safetensors"
    assert parts(group)["tasks"] == "digits_rendered;glasses"


def test_shared_prompts_are_taken_away_with_a_card(shared):
    path = shared.results / "multitask" / "coop" / "seed1" / "without-shapes.safetensors"
    prompt = promptatlas.load_prompt(path)
    assert prompt.card["task"] == "colors+digits_rendered+glasses" and prompt.card["class_names"] is None
    assert prompt.card["settings"]["epochs"] == 1 and prompt.card["settings"]["classes"] == "own" and prompt.card["seed"] == 1
    drawn = [json.loads((shared.results / f"draws/shots2-seed1/{task}.json").read_text()) for task in TASK_NAMES if task != "shapes"]
    assert prompt.card["draw"]["train"] == sum(len(one["train"]) for one in drawn)
    assert prompt.card["validation"]["score"] == prompt.trained.history[prompt.card["validation"]["epoch"] - 1]["validation_score"]
    assert prompt.classifier(["circle", "square"], backbone=shared.results / "backbone").class_names == ("circle", "square")
    group = shared.results / "joint" / "prompts" / "coop" / "scratch" / "seed1" / "colors+shapes.safetensors"
    assert promptatlas.load_prompt(group).card["task"] == "colors+shapes"


def test_the_row_multitask_stands_beside_the_matrix(shared):
    transfer = pd.read_parquet(shared.results / "tables" / "transfer.parquet")
    rows = transfer[transfer["source"] == "multitask"]
    assert set(rows["protocol"]) == {"frozen", "init"} and sorted(set(rows["target"])) == sorted(TASK_NAMES) and len(rows) == 8
    statistics = pd.read_parquet(shared.results / "tables" / "statistics.parquet")
    assert not statistics.astype(str).apply(lambda column: column.str.fullmatch("multitask")).any().any()
    assert "multitask" in (shared.results / "report.html").read_text()


def test_the_joint_table_has_single_joint_and_source_initialised_scores(shared):
    """Scores of an untrained model hardly differ; tests/runs/test_shared_prompt_jobs.py compares some that do."""
    joint = pd.read_parquet(shared.results / "tables" / "joint.parquet")
    assert list(joint.columns) == JOINT and len(joint) == 4 * 4 and len(pd.read_csv(shared.results / "tables" / "joint.csv")) == 16
    transfer = pd.read_parquet(shared.results / "tables" / "transfer.parquet").set_index(["protocol", "source", "target"])["score"]
    score = joint.set_index(["source", "adaptation", "task"])["score"]
    for task in TASK_NAMES:
        assert score["scratch", "single", task] == transfer["frozen", task, task]
        assert score["multitask", "single", task] == transfer["init", "multitask", task]
    assert set(joint.loc[joint["task"] == "glasses", "group"]) == {"glasses"}
    assert set(joint.loc[(joint["task"] == "shapes") & (joint["adaptation"] == "joint"), "group"]) == {"colors+shapes"}


def test_the_report_says_how_long_each_prompt_was_tuned(shared):
    page = (shared.results / "report.html").read_text()
    assert "tuned for 2 epochs, from any start; a prompt of many tasks before that for 1." in page
    assert "Protocol init tunes for as many" in page and "<h3>By task</h3>" in page


def test_nothing_is_left_to_do_and_the_old_cells_are_kept(shared, finished):
    assert "Nothing to be done" in shared.run() and not shared.contents("resume")
    before, after = finished.contents("cells", "prompts"), shared.contents("cells", "prompts")
    assert all(after[name] == content for name, content in before.items())


def test_a_changed_task_leaves_its_own_source_prompt_and_makes_the_others_anew(shared, tmp_path):
    """Only the draw of `glasses` changes: the prompt that leaves it out is the same file as before."""
    shutil.copytree(shared.folder, tmp_path / "study")
    study = Finished(tmp_path / "study")
    before = study.contents("multitask")
    path = study.results / "draws" / "shots2-seed1" / "glasses.json"
    record = json.loads(path.read_text())
    from promptatlas.records import draw_file

    drawn = draw_file.read_draw(path)
    path.write_text(json.dumps(draw_file.record(drawn.without(drawn.train[:1].tolist(), []), 2, record["pool_labels_sha256"])))
    told = study.run("--until", "multitask_coop")
    assert "multitask coop: 3 of 4 prompts to tune" in told
    changed = differing(before, study.contents("multitask"))
    assert changed == {f"multitask/coop/seed1/without-{task}.safetensors" for task in TASK_NAMES if task != "glasses"}


def test_a_source_of_listed_tasks_serves_the_others_to_the_report(shared, tmp_path):
    """With groups that are found and seeds that are averaged."""
    shutil.copytree(shared.folder, tmp_path / "study")
    study = Finished(tmp_path / "study")
    union = {"source_epochs": 1, "average_seeds": True, "classes": "union", "batches": "mixed"}
    study.configure(**SHARED | {"multitask": ["glasses", "digits_rendered"], "joint": "auto", "union": union})
    study.run("--until", "page")
    found = json.loads((study.results / "joint" / "groups" / "coop.json").read_text())
    assert sorted(task for group in found["groups"] for task in group) == ["colors", "shapes"]
    joint = pd.read_parquet(study.results / "tables" / "joint.parquet")
    assert set(joint["source"]) == {"scratch", "multitask_of_averaged"} and set(joint["classes"]) == {"union"}
    transfer = pd.read_parquet(study.results / "tables" / "transfer.parquet")
    rows = transfer[transfer["source"] == "multitask_of_averaged"]
    assert set(rows["target"]) == set(joint["task"]) == {"colors", "shapes"} and len(rows) == 4
    mean = promptatlas.load_prompt(study.results / "multitask" / "coop" / "average" / "listed.safetensors").card
    assert mean["seed"] is None and mean["task"] == "digits_rendered+glasses"
    tasks = pd.read_parquet(study.results / "tables" / "tasks.parquet").set_index("task")
    assert set(tasks.index[tasks["multitask_source"]]) == {"digits_rendered", "glasses"}
    page, titles = (study.results / "report.html").read_text(), tasks["title"]
    assert f"The source tasks, which are no targets here: {titles['glasses']}, {titles['digits_rendered']}." in page
    assert "mean of all seeds" in page
