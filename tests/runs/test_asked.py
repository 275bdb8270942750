"""How a study was asked for comes back as words that ask for it again."""

import shlex

import pytest
from snakemake.cli import parse_config

from promptatlas.base import place
from promptatlas.cli.configured import given_values
from promptatlas.runs.asked import PLAINLY, Asked, here as asked_here
from promptatlas.study import schema


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PROMPTATLAS_ASKED", "")
    return tmp_path


def test_files_are_named_from_the_working_directory_and_others_whole(here):
    files = [here / "studies" / "mine.yaml", here.parent / "other.yaml"]
    assert Asked.of(files, {}).files == ("studies/mine.yaml", str(here.parent / "other.yaml"))


@pytest.mark.parametrize("usual", ["Snakefile", "workflow/Snakefile"])
def test_a_snakefile_is_named_unless_snakemake_finds_it(here, usual):
    (here / usual).parent.mkdir(exist_ok=True)
    (here / usual).touch()
    (here / "elsewhere").touch()
    assert Asked.of([], {}, str(here / usual)) == PLAINLY
    assert Asked.of([], {}, str(here / "elsewhere")).snakefile == "elsewhere"


def test_the_first_place_that_snakemake_looks_at_counts(here):
    for usual in ("Snakefile", "workflow/Snakefile"):
        (here / usual).parent.mkdir(exist_ok=True)
        (here / usual).touch()
    assert Asked.of([], {}, str(here / "workflow/Snakefile")).snakefile == "workflow/Snakefile"


def test_the_installed_snakefile_is_run_by_the_command_of_the_package(here, monkeypatch):
    installed = here / "share" / "Snakefile"
    installed.parent.mkdir()
    installed.touch()
    for name, value in (("INSTALLED", True), ("SNAKEFILE", installed)):
        monkeypatch.setattr(place, name, value)
    asked = Asked.of(["a.yaml"], {}, str(installed))
    assert asked.snakefile == "" and asked.program == ["promptatlas", "run"]
    asked.note()
    assert Asked.noted() == asked
    (here / "elsewhere").touch()
    assert Asked.of([], {}, str(here / "elsewhere")).program == ["snakemake", "--snakefile", "elsewhere"]


def test_in_a_folder_without_a_snakefile_the_command_of_the_package_runs_studies(here):
    assert asked_here() == ["promptatlas", "run"]
    (here / "Snakefile").touch()
    assert asked_here() == ["snakemake"]


def test_values_mean_the_same_to_snakemake_and_to_promptatlas_again():
    given = {
        "seeds": [1, 2], "study": "my study", "download": False, "multitask": None, "shots": 4, "settings": {"coop": {"epochs": 3}},
        "tasks": ["it's", 'a "b"'], "results": "out/here",
    }  # fmt: skip
    words = shlex.split(shlex.join(Asked.of([], given).values))
    assert given_values(words) == given and schema.meant(parse_config(words)) == given
    again = Asked.of([], parse_config(words)).values  # Snakemake has numbers of lists as texts
    assert schema.meant(given_values(again)) == schema.meant(parse_config(again)) == given


def test_what_means_one_run_is_left_out():
    assert Asked.of([], {"only": "shapes", "shots": 2}).values == ("shots=2",)


def test_jobs_are_told_what_the_run_noted(here):
    assert Asked.noted() == PLAINLY
    asked = Asked("elsewhere/Snakefile", ("a.yaml", "b c.yaml"), ("seeds=[1]",))
    asked.note()
    assert Asked.noted() == asked
