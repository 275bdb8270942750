"""`promptatlas run` and `snakefile`: Snakemake with the workflow of the library, whose options are Snakemake's."""

import errno
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


def test_without_a_configuration_it_is_said_how_to_get_one(started, tmp_path, capsys):
    assert typed("run") == 1 and not started
    assert "there is no config.yaml" in capsys.readouterr().err
    (tmp_path / "other.yaml").write_text("study: mine")
    assert typed("run", "--configfile", "other.yaml") == 7 and started == [[*SNAKEMAKE, "--cores", "all", "--configfile", "other.yaml"]]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--configfile", "nothere.yaml"], "nothere.yaml does not exist"),
        (["-n", "--configfile", "other.yaml", "nothere.yaml"], "nothere.yaml does not exist"),
        (["--configfiles=nothere.yaml"], "nothere.yaml does not exist"),
        (["--configfile", "empty.yaml"], "empty.yaml must hold keys and values"),
        (["--configfile", "torn.yaml", "--until", "tune"], "torn.yaml is not valid YAML at line 2"),
        (["--config", "shots"], "`--config` has 'shots'"),
        (["--config", "shots=4", "-C", "1x=3"], "`--config` has '1x=3'"),
        (["--config", "seeds=[1"], "`seeds` on the command line is not valid YAML"),
    ],
)
def test_a_configuration_that_cannot_be_read_is_told_as_other_commands_tell_it(started, tmp_path, capsys, given, words):
    """Snakemake, which reads it before the workflow, ends in a traceback or names no line."""
    for name, content in {"config": "study: mine", "other": "shots: 4", "empty": "", "torn": "shots: 4\nseeds: ]"}.items():
        (tmp_path / f"{name}.yaml").write_text(content)
    assert typed("run", *given) == 1 and not started
    (told,) = capsys.readouterr().err.splitlines()
    assert told.startswith("promptatlas: ") and words in told


def test_config_yaml_itself_is_read_too(started, tmp_path, capsys):
    (tmp_path / "config.yaml").write_text("shots: 4\nseeds: ]")
    assert typed("run") == 1 and not started and "config.yaml is not valid YAML at line 2" in capsys.readouterr().err


@pytest.mark.parametrize("command", [("run", "-n"), ("check",), ("new", "mine"), ("status",), ("models",)])
def test_a_working_directory_that_was_removed_is_told(started, tmp_path, monkeypatch, capsys, command):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert typed(*command) == 1 and not started
    assert capsys.readouterr().err.startswith("promptatlas: the working directory was removed")


def test_a_disk_that_takes_nothing_is_told_by_every_command(monkeypatch, capsys):
    def refuse(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system", "results/mine/so_far.html")

    monkeypatch.setattr("promptatlas.cli.configured.study", refuse)
    for command in ("report", "status", "next"):
        assert typed(command) == 1
        assert capsys.readouterr().err.startswith("promptatlas: the file system is read-only (results/mine/so_far.html)")


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
