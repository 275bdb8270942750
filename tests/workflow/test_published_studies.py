"""The ready studies of published tasks can be planned without data, weights or a network, and say what the papers say."""

import re

import pytest
import yaml
from snakemake.utils import update_config

from promptatlas.methods import names
from promptatlas.study.study import Study
from tiny_study import ROOT, Finished

STUDIES = sorted((ROOT / "workflow" / "studies").glob("*.yaml"))


def described(name: str) -> Study:
    below = yaml.safe_load((ROOT / "config.yaml").read_text())
    return Study(below | yaml.safe_load((ROOT / "workflow" / "studies" / f"{name}.yaml").read_text()))


OWN_FOLDERS = ROOT / "workflow" / "studies" / "pictures.yaml"


@pytest.mark.parametrize("path", [path for path in STUDIES if path != OWN_FOLDERS], ids=lambda path: path.stem)
@pytest.mark.study
def test_a_ready_study_can_be_planned_on_a_machine_that_has_nothing(path, tmp_path):
    study = Finished(tmp_path)
    (tmp_path / "config.yaml").write_text((ROOT / "config.yaml").read_text())
    printed = study.run("--dry-run", "--configfile", str(path))
    assert "This was a dry-run" in printed
    assert not list(tmp_path.glob("results/*/*/*")), "a dry run writes nothing"


@pytest.mark.study
def test_a_study_of_folders_that_are_not_there_names_each_before_any_job(tmp_path):
    study = Finished(tmp_path)
    (tmp_path / "config.yaml").write_text((ROOT / "config.yaml").read_text())
    ended = study.snakemake("--dry-run", "--configfile", str(OWN_FOLDERS))
    told = [line for line in ended.stderr.splitlines() if line.startswith("promptatlas: ")]
    given = [name for name, about in yaml.safe_load(OWN_FOLDERS.read_text())["data"].items() if "folder" in about]
    assert ended.returncode == 1 and len(told) == len(given)
    assert all(f"task `{name}`" in line and "does not exist" in line for name, line in zip(given, told, strict=True))
    assert not list(tmp_path.glob("results/*/*/*")), "a dry run writes nothing"


def test_the_elevater_study_is_mvlpts():
    study = described("elevater")
    assert len(study.tasks) == 20 and study.methods == ("coop", "vpt", "upt") and study.seeds == (1, 2, 3)
    assert (study.shots, study.config["draw"], study.config["resize"]) == (20, "elevater", "squash")
    for method in study.methods:
        settings = study.settings(method)
        assert (settings["optimizer"], settings["learning_rate"], settings["epochs"]) == ("sgd", 0.002, 200)
    assert study.settings("coop")["context"] == 16 and study.settings("coop")["position"] == "middle"
    assert len(study.cells) == 3 * 3 * 20 * 22
    assert study.data.entry("kitti-distance").resize == "squash" and study.data.entry("hateful-memes").task.metric == "roc_auc"


def test_the_study_of_coops_tasks_draws_as_coop_does():
    study = described("coop11")
    assert len(study.tasks) == 11 and (study.shots, study.config["draw"], study.config["resize"]) == (16, "coop", "crop")


def test_the_studies_of_protocols_are_cocoops_and_maples():
    base_new, across, shifts = (described(name) for name in ("base_to_new", "cross_dataset", "domain"))
    assert [len(study.design.given) for study in (base_new, across, shifts)] == [11, 11, 5]
    for study in (base_new, across, shifts):
        assert (study.shots, study.seeds, study.config["draw"], study.backbone.weights) == (16, (1, 2, 3), "coop", "ViT-B-16/openai")
        coop = study.settings("coop")
        assert (coop["context"], coop["initial"], coop["position"], coop["select"]) == (4, "a photo of a", "end", "last")
        assert (study.settings("cocoop")["epochs"], study.settings("cocoop")["batch_size"]) == (10, 1)
        assert study.design.draws_from("coop-imagenet") and study.shots_of("coop-imagenet") == 16
    maple = ("layers", "epochs", "learning_rate", "batch_size")
    assert [base_new.settings("maple")[key] for key in maple] == [9, 5, 0.0035, 4]
    for study in (across, shifts):
        assert [study.settings("maple")[key] for key in maple] == [3, 2, 0.0026, 4]
        assert study.learners == ("coop-imagenet",) and {study.shots_of(name) for name in study.tasks[1:]} == {0}


def test_the_studies_of_protocols_are_those_of_the_methods_with_their_own_losses():
    base_new, across, shifts = (described(name) for name in ("base_to_new", "cross_dataset", "domain"))
    promptsrc = ("layers", "epochs", "centre", "width", "learning_rate", "batch_size")
    assert [base_new.settings("promptsrc")[key] for key in promptsrc] == [9, 20, 15, 1, 0.0025, 4]
    epochs = {"kgcoop": 100, "prograd": 200, "tcp": 50}
    assert {method: base_new.settings(method)["epochs"] for method in epochs} == epochs
    assert base_new.settings("kgcoop")["batch_size"] == 128
    for study in (across, shifts):
        assert [study.settings("promptsrc")[key] for key in promptsrc] == [3, 20, 6, 10, 0.0025, 4]
        epochs = {"kgcoop": 25, "prograd": 50, "tcp": 25}  # on ImageNet
        assert {method: study.settings(method)["epochs"] for method in epochs} == epochs
    few_shot = described("few_shot")
    assert [few_shot.settings("promptsrc")[key] for key in promptsrc] == [9, 50, 30, 30, 0.0025, 4]
    assert {method: few_shot.settings(method)["epochs"] for method in ("kgcoop", "tcp")} == {"kgcoop": 100, "tcp": 50}


def test_the_studies_of_the_mini_benchmark_have_every_method_that_can_stand_in_them():
    assert set(described("base_to_new_mini").config["methods"]) == set(names())
    assert set(described("few_shot_mini").config["methods"]) == {*names(), *names("shared"), *names("adapter")}


def test_the_few_shot_studies_are_coops_prompt_adapters_and_softcpts():
    study, general = described("few_shot"), described("softcpt")
    assert len(study.tasks) == 11 and set(study.tasks) - set(general.tasks) == {"coop-imagenet"} and len(general.tasks) == 10
    for one, weights in ((study, "ViT-B-16/openai"), (general, "RN50/openai")):
        assert (one.design.name, one.shots, one.seeds, one.config["draw"]) == ("few_shot", 16, (1, 2, 3), "coop")
        assert one.backbone.weights == weights
        coop = one.settings("coop")
        assert [coop[key] for key in ("context", "initial", "position", "epochs", "select")] == [16, "", "end", 200, "last"]
    prompt = study.settings("coop_mt")  # MVLPT's, which Prompt-Adapter takes
    assert (prompt["epochs"], prompt["select"], prompt["learning_rate"]) == (200, "best_validation", 0.002)
    assert general.settings("softcpt")["steps"] == "as_released"


COOPS = {8: 200, 4: 100, 2: 100, 1: 50}


@pytest.mark.parametrize(
    ("name", "schedules"),
    [("few_shot", {"coop": COOPS, "prograd": COOPS, "task_res": COOPS | {1: 100}}), ("softcpt", {"coop": {4: 100}})],
)
def test_the_commands_in_a_studys_header_set_the_authors_schedules(name, schedules):
    text = (ROOT / "workflow" / "studies" / f"{name}.yaml").read_text()
    commands = re.findall(r"--config study=(\w+) shots=(\d+)(?: settings='(.*?)')?", text)
    assert [int(shots) for _, shots, _ in commands] == list(schedules["coop"])
    for study, shots, settings in commands:
        config = yaml.safe_load(text)
        update_config(config, {"study": study, "shots": int(shots), "settings": yaml.safe_load(settings or "{}")})
        ready = Study(config)
        for method, schedule in schedules.items():
            assert (ready.settings(method)["epochs"], ready.settings(method)["select"]) == (schedule[int(shots)], "last")
        assert ready.settings("coop")["position"] == "end"
