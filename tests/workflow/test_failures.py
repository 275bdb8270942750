"""What cannot be computed is missing with a reason, costs nothing else, and is tried again by the same command."""

import fcntl
import json
import os
import subprocess

import pandas as pd
import pytest

from own_images import folder_of_images
from tiny_study import CONFIG, ENVIRONMENT, PROMPTATLAS, differing

TASK_NAMES = CONFIG["tasks"]
UNDRAWN = ("--omit-from", "figures")
PROMPT = "prompts/coop/seed1/glasses.safetensors"
ROW = {f"cells/frozen/coop/seed1/{target}/glasses.json" for target in TASK_NAMES}
WILD = {"epochs": 2, "learning_rate": 1e30, "optimizer": "sgd"}


def poisoned(study, *arguments: str) -> str:
    """Runs, must end with the one sentence that counts failed results, and returns everything that was told."""
    done = study.snakemake(*arguments)
    sentences = [line for line in done.stderr.splitlines() if line.startswith("promptatlas: ")]
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert len(sentences) == 1 and "failed for the reasons above" in sentences[0], done.stderr
    return done.stdout + done.stderr


def poison(study):
    """Makes the images of a task unreadable and takes its prompt away; gives the function that mends the images."""
    (study.results / PROMPT).unlink()
    return unreadable(study.results / "tasks" / "glasses" / "train_images.npy")


def unreadable(path):
    """Puts a folder in the place of a file, as one that is cut off would be made again; gives the function that mends it."""
    whole = path.read_bytes()
    path.unlink()
    path.mkdir()

    def mend() -> None:
        path.rmdir()
        path.write_bytes(whole)

    return mend


def status(study, *arguments: str) -> str:
    command = [PROMPTATLAS, "status", *arguments]
    done = subprocess.run(command, cwd=study.folder, env=ENVIRONMENT, text=True, capture_output=True)
    assert done.returncode == 3, done.stderr  # something failed
    return done.stdout


def test_a_poisoned_task_costs_its_own_row_and_is_tried_again(study):
    before, old = study.contents("cells", "prompts"), study.measured()
    mend = poison(study)
    told = poisoned(study, *UNDRAWN)
    assert "5 results of tiny failed" in told and "train_images.npy is damaged" in told

    kept = study.contents("cells", "prompts")
    assert set(before) - set(kept) == {PROMPT, *ROW} and all(kept[name] == before[name] for name in kept)
    transfer = pd.read_parquet(study.results / "tables" / "transfer.parquet")
    failed = transfer[transfer["failed"] != ""]
    assert len(transfer) == 48 and set(failed["source"]) == {"glasses"} and set(failed["method"]) == {"coop"} and len(failed) == 4
    assert failed["score"].isna().all() and transfer["score"].isna().sum() == 4
    assert failed["failed"].str.startswith("source prompt failed: ").all()
    page = (study.results / "report.html").read_text()
    data = json.loads(page.split('<script type="application/json" id="data">')[1].split("</script>")[0])
    assert set(data["failed"]) == {"frozen/coop"} and set(data["failed"]["frozen/coop"]) == {"glasses"}
    assert json.loads((study.results / "summary.json").read_text())["n_missing_cells"] == 4

    shown = status(study, "--method", "coop")
    assert "train_images.npy is damaged" in shown and "4 glasses          F F F F" in shown
    assert f"{'prompts coop':<24}{3:>9}{0:>9}{0:>9}{1:>9}" in shown

    mend()
    told = study.run(*UNDRAWN)
    assert "tune coop: 1 of 4 prompts to tune" in told and "4 of 24 cells to measure" in told
    assert study.measured() == old and not study.contents("failed")
    assert "Nothing to be done" in study.run(*UNDRAWN)


def test_a_run_that_is_killed_before_its_end_is_followed_by_one_that_tries_again(study):
    """Without its hooks a run ends as one that is killed after its last job: what failed still stands in its place."""
    old, mend = study.measured(), poison(study)
    assert study.snakemake("--no-hooks", "--until", "collect").returncode == 0
    left = study.contents("cells", "prompts")
    assert {PROMPT, *ROW} <= set(left)

    assert "5 results failed earlier, missing now" in study.run("--dry-run") and study.contents("cells", "prompts") == left
    assert "1 of 4 prompts to tune" in poisoned(study, "--until", "collect")
    mend()
    told = study.run("--until", "collect")
    assert "1 of 4 prompts to tune" in told and "4 of 24 cells to measure" in told
    assert study.measured() == old and not study.contents("failed")


def test_nothing_is_taken_from_a_run_at_work(study):
    """Its jobs go on from what failed: a second run that looks in leaves that where it is."""
    poison(study)
    assert study.snakemake("--no-hooks", "--until", "collect").returncode == 0
    left = study.contents("cells", "prompts")
    with (study.results / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        study.snakemake("--until", "collect")
    assert study.contents("cells", "prompts") == left


def failing(study, *arguments: str) -> tuple[str, pd.DataFrame]:
    """What a run tells that ends with failed results, and the cells that it collected."""
    told = poisoned(study, *arguments)
    return told, pd.read_parquet(study.results / "tables" / "transfer.parquet")


def test_a_task_that_cannot_be_prepared_costs_its_own_row_and_column(study):
    """Four tasks are measured; a fifth comes with a broken image, which is mended afterwards."""
    before = study.contents("cells", "prompts")
    folder_of_images(study.folder / "pictures", splits=("train", "test"))
    broken = study.folder / "pictures" / "test" / "grey" / "3.jpg"
    whole = broken.read_bytes()
    broken.write_bytes(b"not a picture")
    study.configure(tasks=[*TASK_NAMES, "animals"], data={"animals": {"folder": "pictures"}})

    told, transfer = failing(study, *UNDRAWN)
    failed = transfer[transfer["failed"] != ""]
    assert "3.jpg" in told and study.contents("cells", "prompts") == before
    assert ((transfer["source"] == "animals") | (transfer["target"] == "animals")).equals(transfer["failed"] != "")
    assert failed["failed"].str.contains("3.jpg").all() and failed["score"].isna().all()
    tables = {name: pd.read_parquet(study.results / "tables" / f"{name}.parquet") for name in ("tasks", "similarity", "statistics")}
    failed = tables["tasks"].set_index("task")["failed"]
    assert "3.jpg" in failed["animals"] and set(failed[TASK_NAMES]) == {""}
    statistics = tables["statistics"]
    estimated = statistics[
        statistics["estimate"].notna() & ~statistics["test"].str.fullmatch("regret@._share")
    ]  # that is of targets whose sources differ
    assert set(tables["similarity"]["source"]) == set(TASK_NAMES)
    assert set(estimated["n_tasks"]) == {4} and statistics["n_tasks"].max() == 4
    assert "animals" in (study.results / "report.html").read_text()
    assert "tasks/animals/task.json" in status(study) and "5 animals          F F F F F" in status(study, "--method", "coop")

    broken.write_bytes(whole)
    told = study.run("--until", "describe")
    assert "1 of 5 prompts to tune" in told and "11 of 35 cells to measure" in told
    assert not study.contents("failed") and before.items() <= study.contents("cells", "prompts").items()


def test_a_task_that_cannot_be_encoded_costs_its_own_column(study):
    """Prompts of its own were trained before; VPT looks at images, CoOp at features."""
    before = study.contents("cells", "prompts")
    mend = unreadable(study.results / "tasks" / "glasses" / "test_images.npy")
    (study.results / "encoded" / "glasses.safetensors").unlink()
    for cell in study.results.glob("cells/frozen/*/seed1/glasses/*.json"):
        cell.unlink()

    told, transfer = failing(study, "--until", "describe")
    assert "test_images.npy is damaged" in told and set(transfer.loc[transfer["failed"] != "", "target"]) == {"glasses"}
    assert (transfer["score"].isna() == (transfer["target"] == "glasses")).all()
    kept = study.contents("cells", "prompts")
    assert {name for name in before if name not in kept} == {name for name in before if "/glasses/" in name}

    mend()
    study.run("--until", "describe")
    assert not study.contents("failed") and {*study.contents("cells", "prompts")} == {*before}


def test_a_loss_that_is_not_a_number_is_a_reason_wherever_it_occurs(study):
    """What is built upon a failed prompt or learner fails with it; zero-shot, untrained prompts and probes are there."""
    settings = CONFIG["settings"] | {"coop": {**WILD, "context": 2}, "coop_mt": WILD}
    changes = {"methods": ["coop", "prompt_adapter"], "multitask": "leave_one_out", "joint": [["shapes", "colors"]]}
    study.configure(settings=settings, union={"source_epochs": 2}, **changes)
    told = poisoned(study, "--until", "describe", "collect_joint")
    assert "lower settings.coop.learning_rate" in told and "lower settings.coop_mt.learning_rate" in told

    transfer, baselines, joint = (
        pd.read_parquet(study.results / "tables" / f"{name}.parquet") for name in ("transfer", "baselines", "joint")
    )
    for table, measured in (
        (transfer, transfer["source"].isin(["scratch", "template"])),
        (baselines, ~baselines["method"].isin(["coop_mt", "prompt_adapter"])),
        (joint, joint["method"] != "coop"),
    ):
        assert (table["score"].notna() == measured).all() and not measured.all()
        assert ((table["failed"] == "") == measured).all()
        assert table.loc[~measured, "failed"].str.contains("learning_rate").all()
    shown = status(study)
    for what, failed in (("prompts coop", 4), ("multitask coop", 4), ("scores prompt_adapter", 4), ("joint scores coop", 16)):
        assert f"{what:<24}{0:>9}{0:>9}{0:>9}{failed:>9}" in shown


def test_a_run_that_ends_before_its_conclusion_still_knows_what_failed(study):
    """The placeholder of a failed cell stays where a killed run left it: it is no result, whoever finds it."""
    from promptatlas.base.errors import Failed
    from promptatlas.runs import failures
    from promptatlas.study import configuration
    from promptatlas.study.study import Study

    cell = study.results / "cells/frozen/coop/seed1/shapes/colors.json"
    record = json.loads(cell.read_text())
    here = os.getcwd()
    os.chdir(study.folder)
    try:
        known = Study(configuration.load(study.folder / "config.yaml"))
        failed = failures.FailedResults(known, known.jobs.named("transfer_frozen_coop"), lambda line: None)
        path = known.folder / cell.relative_to(study.results)
        failed.note(path, Failed("it is poisoned"))
        assert failures.listed(known) == []  # noted, but the old cell is whole
        cell.write_text(json.dumps(record | {"score": None, "failed": "it is poisoned"}))
        assert [one.reason for one in failures.listed(known)] == ["it is poisoned"]
        failures.withdraw(failures.listed(known))
        assert not cell.exists() and len(failures.listed(known)) == 1
    finally:
        os.chdir(here)
    assert "1 of 24 cells to measure" in study.run("--until", "collect") and not study.contents("failed")


@pytest.fixture
def small_disk(study):
    """The results of the study on a disk of their own; only root may have one."""
    folder, kept = study.results, study.folder / "kept"
    used = sum(path.stat().st_size + 4096 for path in folder.rglob("*"))
    folder.rename(kept)
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={2 * used}", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("a disk of one's own cannot be mounted here")
    try:
        subprocess.run(["cp", "-a", f"{kept}/.", str(folder)], check=True)
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(path):
    with path.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass


def test_a_full_disk_is_named_and_loses_nothing(study, small_disk):
    old = study.measured()
    for cell in (small_disk / "cells/frozen/coop").rglob("*.json"):
        cell.unlink()
    filler = small_disk / "filler"
    with pytest.raises(OSError, match="No space left"):
        fill(filler)
    sentence = study.fails("--until", "collect")
    assert "the disk is full" in sentence and "run the same command again" in sentence
    filler.unlink()
    study.run("--until", "collect")
    assert study.measured() == old


def test_results_that_may_not_be_written_are_named(study, small_disk):
    (small_disk / "cells/frozen/coop/seed1/shapes/colors.json").unlink()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert "may not be written" in study.fails("--until", "collect")


def test_clocks_that_differ_cost_no_result(study):
    """Files from a machine whose clock is an hour ahead: what they lead to is looked at again and kept."""
    before = study.contents("cells", "prompts")
    ahead = (study.results / "tasks/shapes/task.json").stat().st_mtime + 3600
    for file in ("tasks/shapes/task.json", "prompts/coop/seed1/shapes.safetensors", "cells/frozen/vpt/seed1/shapes/colors.json"):
        os.utime(study.results / file, (ahead, ahead))
    told = study.run("--until", "collect")
    assert "1 of" not in told and differing(before, study.contents("cells", "prompts")) == set()
