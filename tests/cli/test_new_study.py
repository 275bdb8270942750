"""`promptatlas new`: a folder whose configuration is sound, whatever folders are called."""

import pytest
import yaml

from promptatlas import cli
from promptatlas.base.errors import UserError
from promptatlas.cli.new import EMBEDDED, written
from promptatlas.study import configuration
from promptatlas.study.study import Study


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def folders(here, *names: str) -> list[str]:
    for name in names:
        (here / name).mkdir(parents=True)
    return [*names]


def typed(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    return ended.value.code


def complete(text: str) -> dict:
    return configuration.complete(yaml.safe_load(text))


def test_the_folder_of_a_study_says_what_comes_next(here, capsys):
    assert typed("new", "mine") == 0
    assert capsys.readouterr().out.splitlines() == ["mine/config.yaml", "next: cd mine && promptatlas check && promptatlas run"]
    assert (here / "mine" / "images").is_dir()
    study = Study(configuration.load(here / "mine" / "config.yaml"))
    assert study.name == "mine" and tuple(study.tasks) == EMBEDDED and study.seeds == (1,)
    assert str(study.paths.report) in (here / "mine" / "config.yaml").read_text()


def test_a_study_is_never_written_over(here, capsys):
    folders(here, "mine")
    (here / "mine" / "config.yaml").write_text("study: old")
    assert typed("new", "mine") == 1
    assert "mine/config.yaml is there already" in capsys.readouterr().err and (here / "mine" / "config.yaml").read_text() == "study: old"


def test_folders_of_images_become_tasks_seen_from_the_study(here):
    given = folders(here, "images/roses", "images/Tulips of 2024")
    config = complete(written(here / "mine", given))
    assert config["tasks"] == ["roses", "Tulips-of-2024"] and config["benchmark"] == "own"
    assert config["data"]["Tulips-of-2024"]["folder"] == "../images/Tulips of 2024"


def test_one_own_task_stands_beside_the_embedded_ones(here):
    config = complete(written(here, folders(here, "roses")))
    assert config["tasks"][-1] == "roses" and len(config["tasks"]) == 21 and config["data"]["roses"]["folder"] == "roses"


@pytest.mark.parametrize("name", ['a "quoted" one', "пляж", "a: b # c", "emoji 🌷", "-dash-"])
def test_odd_folders_are_read_back_as_they_are(here, name):
    folders(here, "plain", name)
    config = complete(written(here, ["plain", f"odd={name}"]))
    assert config["data"]["odd"]["folder"] == name


@pytest.mark.parametrize("name", ["2024", "null", "true", "on", "1.5", "0x1F", "2024-01-31"])
def test_names_that_yaml_takes_for_something_else_stay_names(here, name):
    folders(here, f"images/{name}", "plain")
    config = complete(written(here / name, [f"images/{name}", "plain"]))
    assert config["study"] == name and config["tasks"] == [name, "plain"] and [*config["data"]] == [name, "plain"]


def test_accents_are_left_out_of_a_name_and_what_it_became_is_said(here, capsys):
    assert typed("new", "Étude n°1") == 0
    assert capsys.readouterr().out.splitlines() == [
        "the study is called Etude-n-1", "Étude n°1/config.yaml", "next: cd 'Étude n°1' && promptatlas check && promptatlas run"
    ]  # fmt: skip
    assert Study(configuration.load(here / "Étude n°1" / "config.yaml")).name == "Etude-n-1"


def test_the_name_of_a_published_task_is_for_its_own_classes(here):
    folders(here, *(f"digits/{digit}" for digit in range(10)), "pets/cat", "pets/dog")
    assert "mnist" in complete(written(here, ["mnist=digits"]))["tasks"]
    with pytest.raises(UserError, match=r"only the data have 'cat', 'dog'.*write my-mnist=pets for one of your own"):
        written(here, ["mnist=pets"])


@pytest.mark.parametrize("command", [("new", "mine", "--images"), ("check",)])
def test_a_name_that_is_empty_is_refused(here, capsys, command):
    folders(here, "plain")
    assert typed(*command, "=plain") == 1
    assert "'=plain' has no name before its =; write TASK=FOLDER, or the folder alone" in capsys.readouterr().err


def test_a_task_may_be_named(here):
    folders(here, "a/images", "b/images")
    assert complete(written(here, ["cats=a/images", "dogs=b/images"]))["tasks"] == ["cats", "dogs"]
    with pytest.raises(UserError, match="two tasks would be called `images`; write one of them as NAME=b/images"):
        written(here, ["a/images", "b/images"])


@pytest.mark.parametrize(
    ("images", "told"),
    [
        (["nowhere"], "there is no nowhere"),
        (["日本"], "no task can be called like"),
        (["shapes"], "shapes"),
        (["two words=plain"], "two words"),
    ],
)
def test_what_cannot_be_a_task_is_told_before_anything_is_written(here, capsys, images, told):
    folders(here, "plain", "日本", "shapes")
    assert typed("new", "mine", "--images", *images) == 1
    assert told in capsys.readouterr().err and not (here / "mine").exists()
