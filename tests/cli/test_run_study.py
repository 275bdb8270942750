"""`promptatlas run` and `snakefile`: Snakemake with the workflow of the library, whose options are Snakemake's."""

import sys

import pytest

from promptatlas import cli
from promptatlas.base import place


@pytest.fixture
def started(tmp_path, monkeypatch):
    """What is started in place of the command."""
    monkeypatch.chdir(tmp_path)
    found: list[list[str]] = []

    def execv(program, arguments):
        assert program == arguments[0] == sys.executable
        found.append(arguments[1:])
        raise SystemExit(7)

    monkeypatch.setattr("os.execv", execv)
    return found


def typed(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    return ended.value.code


SNAKEMAKE = ["-m", "snakemake", "--snakefile", str(place.SNAKEFILE)]


@pytest.mark.parametrize(
    ("given", "passed"),
    [
        ([], ["--cores", "all"]),
        (["-n"], ["--cores", "all", "-n"]),
        (["--cores", "2"], ["--cores", "2"]),
        (["-c2", "tune"], ["-c2", "tune"]),
        (["--profile=profiles/slurm"], ["--profile=profiles/slurm"]),
        (["transfer", "--config", "seeds=[1]", "--co", "4"], ["--cores", "all", "transfer", "--config", "seeds=[1]", "--co", "4"]),
        (["--forcerun", "page", "--", "all"], ["--cores", "all", "--forcerun", "page", "--", "all"]),
    ],
)
def test_every_other_option_is_passed_on(started, tmp_path, given, passed):
    (tmp_path / "config.yaml").write_text("study: mine")
    assert typed("run", *given) == 7
    assert started == [[*SNAKEMAKE, *passed]]


def test_without_a_configuration_it_is_said_how_to_get_one(started, capsys):
    assert typed("run") == 1 and not started
    assert "there is no config.yaml" in capsys.readouterr().err
    assert typed("run", "--configfile", "other.yaml") == 7 and started == [[*SNAKEMAKE, "--cores", "all", "--configfile", "other.yaml"]]


def test_no_other_command_takes_options_that_it_does_not_know(capsys):
    assert typed("status", "--nonsense") == 2
    assert "unrecognized arguments: --nonsense" in capsys.readouterr().err


def test_the_workflow_is_where_it_is_said(capsys):
    assert typed("snakefile") == 0
    assert capsys.readouterr().out.strip() == str(place.SNAKEFILE) and place.SNAKEFILE.exists()


@pytest.mark.parametrize("snakefile", [True, False], ids=["in a checkout", "elsewhere"])
def test_a_cell_is_measured_again_by_the_workflow_that_is_there(started, tmp_path, snakefile):
    (tmp_path / "config.yaml").write_text("study: mine\ntasks: [shapes, colors]")
    if snakefile:
        (tmp_path / "Snakefile").touch()
    assert typed("rerun", "--method", "coop", "--source", "shapes", "--target", "colors", "--seed", "1") == 7
    found = started[0]
    assert found[: 2 if snakefile else 4] == (SNAKEMAKE[:2] if snakefile else SNAKEMAKE)
    assert found[-2:] == ["--forcerun", "results/mine/cells/frozen/coop/seed1/colors/shapes.json"]
