"""A study of one's own folders of images, from the five lines of YAML in docs/own-images.md to the report."""

import json
import re

import pandas as pd
import pytest
import yaml
from PIL import Image

from own_images import folder_of_images
from tiny_study import CONFIG, ROOT, Finished, begin

QUICK = {key: CONFIG[key] for key in ("methods", "seeds", "settings", "statistics")} | {"shots": 4}


def five_lines() -> dict:
    block = re.search(r"```yaml\n(.*?)```", (ROOT / "docs" / "own-images.md").read_text(), re.S).group(1)
    assert len(block.strip().splitlines()) <= 5
    return yaml.safe_load(block)


@pytest.fixture(scope="module")
def wardrobe(backbone, tmp_path_factory) -> Finished:
    """The study of the five lines, run."""
    study = begin(tmp_path_factory.mktemp("wardrobe"), backbone, tasks="all")
    described = five_lines()
    for number, about in enumerate(described["data"].values()):
        folder_of_images(study.folder / about["folder"], splits=("train", "val", "test") if number else ())
    backbone_folder = study.folder / "results" / described["study"] / "backbone"
    backbone_folder.parent.mkdir()
    (study.results / "backbone").rename(backbone_folder)
    (study.folder / "config.yaml").write_text(yaml.safe_dump(QUICK))
    (study.folder / "wardrobe.yaml").write_text(yaml.safe_dump(described))
    command = next(line for line in (ROOT / "docs" / "own-images.md").read_text().splitlines() if "--configfile wardrobe.yaml" in line)
    study.run(*command.split()[3:])
    return study


def results(study: Finished):
    return study.folder / "results" / five_lines()["study"]


def test_five_lines_are_a_study(wardrobe):
    tasks = pd.read_parquet(results(wardrobe) / "tables" / "tasks.parquet")
    assert set(tasks["task"]) == set(five_lines()["data"]) and set(tasks["classes"]) == {3}
    assert (results(wardrobe) / "report.html").exists()
    transfer = pd.read_parquet(results(wardrobe) / "tables" / "transfer.parquet")
    assert len(transfer) == 2 * 2 * 4 and transfer["score"].between(0, 1).all()


def test_folders_without_splits_are_split_by_promptatlas_and_the_table_says_so(wardrobe):
    sources = pd.read_parquet(results(wardrobe) / "tables" / "tasks.parquet").set_index("task")["split_source"]
    unsplit, split = five_lines()["data"]
    assert "promptatlas" in sources[unsplit] and "promptatlas" not in sources[split]


def test_a_linear_probe_stands_beside_every_task(wardrobe):
    baselines = pd.read_parquet(results(wardrobe) / "tables" / "baselines.parquet")
    probes = baselines[baselines["method"] == "linear_probe"]
    assert set(probes["target"]) == set(five_lines()["data"]) and set(probes["shots"]) == {4}
    summary = json.loads((results(wardrobe) / "summary.json").read_text())
    assert {row["task"] for row in summary["zero_shot_check"]} == set(five_lines()["data"])


def test_images_that_two_tasks_share_and_what_always_one_class_scores_are_told(wardrobe):
    """Both folders begin with the same noise: every image of the first is a training image of the second."""
    whole, split = five_lines()["data"]
    tables = {
        name: pd.read_parquet(results(wardrobe) / "tables" / f"{name}.parquet")
        for name in ("tasks", "transfer", "baselines", "shared_images")
    }
    row = tables["shared_images"].set_index(["source", "target"]).loc[(split, whole)]
    assert row["shared"] == row["target_images"] == 36 and row["tested"] == row["n_test"] > 0
    words = (
        f"shares all its images with {split} ({row['n_test']} of its {row['n_test']} test images are training or validation images there)"
    )
    log = (results(wardrobe) / "logs" / "shared_images.log").read_text()
    assert words in tables["tasks"].set_index("task")["notes"][whole] and f"task {whole} {words}" in log
    summary, page = json.loads((results(wardrobe) / "summary.json").read_text()), (results(wardrobe) / "report.html").read_text()
    assert {(one["source"], one["target"]) for one in summary["shared_images"]} == {(whole, split), (split, whole)} and words in page
    blind = tables["baselines"].query("method == 'largest_class'").set_index("target")["score"]
    assert blind.to_dict() == pytest.approx(dict.fromkeys((whole, split), 1 / 3))
    transfer = tables["transfer"]
    assert (transfer["beats_largest_class"] == (transfer["score"] > transfer["target"].map(blind) + 1e-9)).all()


def test_another_image_changes_its_split_only(wardrobe):
    """Snakemake touches every output of a job that ran, so the numbers of files and not their times tell."""
    before = {path: path.stat().st_ino for path in results(wardrobe).rglob("*_images.npy")}
    _, split = five_lines()["data"]
    changed = wardrobe.folder / five_lines()["data"][split]["folder"] / "test" / "grey" / "3.jpg"
    Image.new("RGB", (30, 30), "red").save(changed)
    task = results(wardrobe) / "tasks" / split
    asked = str((task / "task.json").relative_to(wardrobe.folder))
    printed = wardrobe.run("--configfile", "wardrobe.yaml", "--forcerun", asked, "--until", "prepare")
    assert "36 test images to decode" in printed and "train images" not in printed
    assert {path for path in before if path.stat().st_ino != before[path]} == {task / "test_images.npy"}


def test_missing_data_end_the_run_before_any_job_in_one_message(tmp_path, backbone):
    study = begin(tmp_path / "study", backbone)
    (study.results / "missing.txt").write_text("of an earlier run")
    study.configure(tasks=["mnist", "fer-2013", "shapes"], download=False)
    done = study.snakemake()
    message = done.stderr[done.stderr.index("promptatlas: ") :]
    assert done.returncode == 1 and "lacks 2 of 2 data sets" in message
    assert re.search(r"mnist: .*data.*train-images-idx3-ubyte", message) and re.search(r"fer-2013: .*fer2013\.csv", message)
    assert "`download` is false" in message and "Traceback" not in done.stderr and "the report is" not in done.stderr
    listed = (study.results / "missing.txt").read_text()
    assert "fer-2013\n  - " in listed and "mnist\n  - " in listed and "earlier" not in listed and "missing.txt" in message
    assert not list(study.results.glob("prompts/**/*.safetensors"))


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (lambda root: (root / "train" / "empty").mkdir(), "empty has no images"),
        (lambda root: (root / "train" / "Black").symlink_to(root / "train" / "grey"), "black"),
        (lambda root: (root / "test" / "grey" / "3.jpg").write_bytes(b"\xff\xd8 not a picture"), "3.jpg"),
    ],
    ids=["an empty class", "a class twice", "a broken image"],
)
def test_bad_images_are_named_in_one_sentence(tmp_path, backbone, break_it, words):
    study = begin(tmp_path / "study", backbone)
    folder_of_images(study.folder / "pictures", splits=("train", "test"), count=3)
    break_it(study.folder / "pictures")
    study.configure(tasks=["animals", "shapes"], data={"animals": {"folder": "pictures"}})
    done = study.snakemake("--until", "prepare")
    (told,) = [line for line in done.stderr.splitlines() if line.startswith("failed: tasks/animals/task.json: ")]
    assert words in told and done.returncode == 1 and "Traceback" not in done.stderr
    assert "1 result of tiny failed" in done.stderr and (study.results / "tasks/shapes/task.json").exists()
