"""A study from nothing to the report, and what is computed again when something changes."""

import base64
import html
import json
import os
import re
import subprocess
import zlib

import numpy as np
import pandas as pd
import pytest
import yaml

from browser import browse, needs_browser
from promptatlas.analysis.pairs.table import COLUMNS as PAIRS
from promptatlas.runs.tables import TASKS, TRANSFER, TUNING
from starts import BIN
from tiny_study import CONFIG, ENVIRONMENT, PROMPTATLAS, ROOT, differing, go_on

CELL = "cells/frozen/coop/seed1/shapes/colors.json"
TASK_NAMES = CONFIG["tasks"]


def test_a_finished_study_has_every_table_and_the_report(finished):
    transfer = pd.read_parquet(finished.results / "tables" / "transfer.parquet")
    assert list(transfer.columns) == TRANSFER
    assert len(transfer) == 2 * 4 * (4 + 2) and transfer["score"].between(0, 1).all()
    assert set(transfer["source"]) == {*TASK_NAMES, "scratch", "template"}
    for name, columns in {
        "tuning": TUNING,
        "tasks": TASKS,
        "similarity": None,
        "statistics": None,
        "explained": None,
        "contrasts": None,
        "pairs": PAIRS,
        "baselines": None,
    }.items():
        table = pd.read_parquet(finished.results / "tables" / f"{name}.parquet")
        assert len(table) and len(table) == len(pd.read_csv(finished.results / "tables" / f"{name}.csv"))
        assert columns is None or list(table.columns) == columns
    assert (finished.results / "report.html").stat().st_size > 10_000
    assert json.loads((finished.results / "summary.json").read_text())
    assert list((finished.results / "figures").glob("*.svg")) and list((finished.results / "figures").glob("*.png"))


def test_a_finished_study_leaves_nothing_to_do_and_nothing_behind(finished):
    assert "Nothing to be done" in finished.run()
    assert not finished.contents("resume") and not [*finished.results.rglob("*.tmp")]


def test_calibration_rows_are_the_same_whatever_the_method(finished):
    transfer = pd.read_parquet(finished.results / "tables" / "transfer.parquet")
    assert (transfer[transfer["source"] == "template"].groupby("target")["score"].nunique() == 1).all()


def test_deleting_a_cell_measures_that_cell_alone(study):
    before, old = study.contents("cells", "prompts"), study.measured()
    (study.results / CELL).unlink()
    told = study.run("--dry-run")
    assert "transfer_frozen_coop" in told and "transfer_frozen_vpt" not in told and "tune_coop" not in told
    assert f"1 of 48 cells are missing: {CELL}" in told
    assert "1 of 24 cells to measure" in study.run("--until", "collect")
    assert differing(before, study.contents("cells", "prompts")) <= {CELL} and study.measured() == old


def test_forcing_a_cell_measures_that_cell_alone(study):
    before, old = study.contents("cells", "prompts"), study.measured()
    told = study.run("--until", "collect", "--config", "only=colors", "--forcerun", f"results/tiny/{CELL}")
    assert "1 of 24 cells to measure" in told and "prompts to tune" not in told
    assert differing(before, study.contents("cells", "prompts")) == {CELL} and study.measured() == old
    assert "to measure" not in study.run("--until", "collect")


@needs_browser
def test_the_command_on_the_page_measures_that_cell_again_as_the_study_was_run(study, tmp_path):
    """From any folder, with the files and the values that the study was run with, and its Snakefile."""
    (study.folder / "config.yaml").write_text("study: tiny\n")
    (study.folder / "my tiny.yaml").write_text(yaml.safe_dump({key: value for key, value in CONFIG.items() if key != "shots"}))
    asked = ["--configfile", "my tiny.yaml", "--config", "shots=2"]
    assert "to measure" not in study.run("--until", "page", "--forcerun", "page", *asked)
    document = browse(study.results / "report.html", tmp_path, "#protocol=frozen&method=coop&source=colors&target=shapes")
    command = html.unescape(re.search(r"<pre>(cd .*?)</pre>", document, re.S)[1])
    assert "my tiny.yaml" in command and "shots=2" in command and str(ROOT / "Snakefile") in command
    before, old = study.contents("cells", "prompts"), study.measured()
    searched = ENVIRONMENT | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", f"{command} --until collect"], cwd=tmp_path, env=searched, text=True, capture_output=True)
    assert done.returncode == 0 and "1 of 24 cells to measure" in done.stdout + done.stderr, done.stderr
    assert differing(before, study.contents("cells", "prompts")) == {CELL} and study.measured() == old


def test_rerun_says_it_in_the_fields_words(study):
    words = ["--method", "vpt", "--source", "glasses", "--target", "shapes", "--seed", "1"]
    (study.folder / "Snakefile").write_text(f'include: "{ROOT}/Snakefile"\n')
    command = [PROMPTATLAS, "rerun", *words, "--dry-run"]
    done = subprocess.run(command, cwd=study.folder, env=ENVIRONMENT, text=True, capture_output=True)
    told = done.stdout + done.stderr
    assert done.returncode == 0 and "transfer_frozen_vpt" in told and "transfer_frozen_coop" not in told


def test_deleting_a_prompt_trains_it_anew_and_keeps_the_rest(study):
    before, old = study.contents("cells", "prompts"), study.measured()
    prompt = "prompts/coop/seed1/glasses.safetensors"
    (study.results / prompt).unlink()
    told = study.run("--until", "collect")
    assert "1 of 4 prompts to tune" in told and "tune vpt" not in told
    row = {f"cells/frozen/coop/seed1/{target}/glasses.json" for target in TASK_NAMES}
    assert differing(before, study.contents("cells", "prompts")) <= {prompt, *row}
    assert study.measured() == old


def test_a_changed_setting_makes_that_method_stale_and_no_other(study):
    before = study.contents("cells", "prompts")
    study.configure(settings=CONFIG["settings"] | {"coop": {"epochs": 3, "context": 2}})
    counted = subprocess.run([PROMPTATLAS, "status"], cwd=study.folder, env=ENVIRONMENT, text=True, capture_output=True)
    lines = {line[:24].strip(): line[24:].split() for line in counted.stdout.splitlines()}
    assert lines["prompts coop"] == ["0", "0", "4", "0", "settings", "(4)"] and lines["prompts vpt"] == ["4", "0", "0", "0"]
    assert lines["frozen cells coop"] == ["4", "0", "20", "0", "settings", "(20)"]
    told = study.run("--until", "collect")
    assert "tune coop: 4 of 4 prompts to tune" in told and "tune vpt" not in told
    changed = differing(before, study.contents("cells", "prompts"))
    assert changed == {name for name in before if "/coop/" in name and "template" not in name}


def test_an_added_task_adds_its_row_and_column_only(study):
    before = study.contents("cells", "prompts")
    study.configure(tasks=[*TASK_NAMES, "signs"])
    told = study.run("--until", "collect")
    assert "tune coop: 1 of 5 prompts to tune" in told and "transfer frozen vpt: 11 of 35 cells to measure" in told
    after = study.contents("cells", "prompts")
    assert {name: after[name] for name in before} == before
    assert all("signs" in name for name in set(after) - set(before))


def test_the_size_of_jobs_changes_no_result(study, tmp_path):
    small = {"tasks_per_job": 3, "prompts_per_job": 2, "targets_per_job": 3, "sources_per_job": 4, "seeds_per_job": 1}
    other = go_on(tmp_path / "other", study, jobs=small, methods=["coop"])
    other.run("--until", "collect")
    mine = study.measured()
    theirs = other.measured()
    assert theirs and all(theirs[name]["score"] == pytest.approx(mine[name]["score"], abs=1e-6) for name in theirs)
    kept = study.contents("cells", "prompts")
    study.configure(jobs=small, methods=["coop"])
    told = study.run("--until", "collect")
    assert "0 of 4 cells to measure" in told and differing(kept, study.contents("cells", "prompts")) == set()


def test_both_protocols_side_by_side_and_tuning_on_for_other_epochs_from_scratch_too(study):
    """Row `scratch` is tuned from an untrained start with the same budget, so all rows of the matrix are comparable."""
    before = study.contents("cells")
    study.configure(protocols=["frozen", "init"], init={"epochs": "method"})
    told = study.run("--until", "collect")
    assert "transfer init coop: 24 of 24 cells to measure" in told and "prompts to tune" not in told
    cells = {name: json.loads(content) for name, content in study.contents("cells").items()}
    assert {name: content for name, content in study.contents("cells").items() if name in before} == before
    for method in CONFIG["methods"]:
        for task in TASK_NAMES:
            scratch = cells[f"cells/init/{method}/seed1/{task}/scratch.json"]
            own = cells[f"cells/frozen/{method}/seed1/{task}/{task}.json"]
            assert scratch["score"] == own["score"]
            start = cells[f"cells/init/{method}/seed1/{task}/{task}.json"]
            assert {"start", "draw", "data_train"} <= set(start["parts"])

    longer = {name: json.loads(content) for name, content in study.contents("cells/init").items()}
    frozen = study.contents("cells/frozen", "prompts")
    study.configure(protocols=["frozen", "init"], init={"epochs": 3})
    study.run("--until", "collect")
    assert study.contents("cells/frozen", "prompts") == frozen
    for name, content in study.contents("cells/init").items():
        cell, before = json.loads(content), longer[name]
        if cell["source"] == "template":
            assert cell == before
            continue
        assert {"start", "draw", "seed"} <= set(cell["parts"])
        assert cell["parts"]["settings"] != before["parts"]["settings"] and cell["fingerprint"] != before["fingerprint"]
    starts = {name: json.loads(content)["parts"]["start"] for name, content in study.contents("cells/init").items() if "scratch" in name}
    assert len({start for name, start in starts.items() if "/coop/" in name}) == 1


def test_cells_say_which_class_was_given_to_each_test_image(finished):
    """Their scores by class are those of the answers, counted here, and the right ones are those of the image's own class."""
    for content in finished.contents("cells").values():
        cell = json.loads(content)
        labels = np.load(finished.results / "tasks" / cell["target"] / "test_labels.npy")
        given = np.frombuffer(zlib.decompress(base64.b64decode(cell["answers"])), np.uint8)
        right = np.unpackbits(np.frombuffer(base64.b64decode(cell["correct"]), np.uint8), count=len(labels))
        assert len(given) == len(labels) == cell["n_test"] and ((given == labels) == right).all()
        shares = [(given[labels == number] == number).mean() for number in range(len(cell["per_class"]))]
        assert [*cell["per_class"].values()] == pytest.approx(shares) and (given == labels).mean() == pytest.approx(cell["score"])
