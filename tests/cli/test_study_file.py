"""`promptatlas.Study`: a study from Python, by its configuration file."""

import re
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

import promptatlas
from promptatlas.base.errors import UserError
from promptatlas.cli import command, run, study_file
from synthetic_study import tasks_table, transfer_table

ROOT = Path(__file__).parents[2]
CONFIG = "study: mine\ntasks: [shapes, colors]\nmethods: [coop]\n"


@pytest.fixture
def folder(tmp_path):
    """A study in a folder that is not the working directory, with tables as a finished one has them."""
    (tmp_path / "config.yaml").write_text(CONFIG)
    tables = tmp_path / "results/mine/tables"
    tables.mkdir(parents=True)
    transfer_table().to_parquet(tables / "transfer.parquet")
    tasks_table(8).to_parquet(tables / "tasks.parquet")
    return tmp_path


def test_it_is_exported_and_imports_no_snakemake():
    assert promptatlas.Study is study_file.StudyFile and "Study" in dir(promptatlas)
    assert not {"snakemake", "torch"} & set(vars(study_file))


def test_tables_are_read_from_the_folder_of_the_configuration(folder):
    study = promptatlas.Study(folder / "config.yaml")
    assert study.name == "mine" and study.results == folder / "results/mine" and study.report == folder / "results/mine/report.html"
    assert study.tables == ["tasks", "transfer"] and len(study.table("transfer")) == len(transfer_table())
    assert repr(study) == f"<study mine in {folder}/results/mine>"
    with pytest.raises(UserError, match=r"has no table 'transfr'; did you mean 'transfer'\?"):
        study.table("transfr")
    with pytest.raises(UserError, match="has no table 'transfer'; run\\(\\) makes the tables"):
        promptatlas.Study(folder / "config.yaml", study="other").table("transfer")


@pytest.mark.parametrize("name", ["nothing", "sim"])
def test_of_a_name_that_is_near_to_no_table_all_are_told(folder, name):
    tasks_table(8).to_parquet(folder / "results/mine/tables/tuning.parquet")
    with pytest.raises(UserError, match=f"has no table '{name}'; known are tasks, transfer, tuning"):
        promptatlas.Study(folder / "config.yaml").table(name)


def test_a_folder_stands_for_its_configuration(folder):
    assert repr(promptatlas.Study(folder)) == repr(promptatlas.Study(folder / "config.yaml"))
    with pytest.raises(UserError, match=f"there is no {folder}/results; `promptatlas new FOLDER`"):
        promptatlas.Study(folder / "results")


@pytest.mark.parametrize("words", [["status", "--configfile", "own/config.yaml"], ["run", "--configfile=own/config.yaml"],
                                   ["run", "-n", "--configfile", "own/config.yaml", "--quiet"]])  # fmt: skip
def test_results_beside_a_configuration_of_another_folder_are_told(folder, tmp_path_factory, words, monkeypatch, capsys):
    above = tmp_path_factory.mktemp("above")
    (above / "own").symlink_to(folder)
    monkeypatch.chdir(above)
    monkeypatch.setattr(run, "_become", lambda command: None)
    with suppress(SystemExit):
        command.main(words)
    note = "which has no results/mine; for those in own/results/mine run the command in own, where the file lies"
    assert note in capsys.readouterr().err
    (above / "results/mine").mkdir(parents=True)
    with suppress(SystemExit):
        command.main(words)
    assert "results count from" not in capsys.readouterr().err


def test_a_matrix_is_a_figure_with_the_titles_of_its_tasks(folder):
    from matplotlib import pyplot as plt

    before = plt.get_fignums()
    figure = promptatlas.Study(folder / "config.yaml").plot_matrix("vpt", view="raw")
    texts = {text.get_text() for axes in figure.axes for text in (*axes.texts, *axes.get_xticklabels(), *axes.get_yticklabels())}
    texts |= {text.get_text() for text in figure.findobj(match=lambda artist: hasattr(artist, "get_text"))}
    assert {f"Task {number}" for number in range(8)} <= texts and any(text.startswith("VPT: score as measured") for text in texts)
    assert plt.get_fignums() == before  # nobody shows it twice


@pytest.mark.parametrize("text", ["2024", "null", "true", "1e3", "a: b", 'quoted "é"', "[1]"])
def test_a_text_stays_a_text(folder, monkeypatch, text):
    from snakemake.cli import parse_config

    monkeypatch.setattr(promptatlas.Study, "_read", lambda study: None)
    words = promptatlas.Study(folder / "config.yaml", study=text)._values
    assert study_file.configured.given_values(words) == {"study": text} == parse_config(words)


@pytest.mark.parametrize(
    ("asked", "words"),
    [({"method": "vtp"}, "no method 'vtp'; did you mean 'vpt'"), ({"view": "gain"}, "no view 'gain'; did you mean 'gain_points'"),
     ({"protocol": "init"}, "no protocol 'init'"), ({"view": "over_scratch"}, "nothing to show in the view over_scratch")],
)  # fmt: skip
def test_a_matrix_that_there_is_not_is_one_sentence(folder, asked, words):
    with pytest.raises(UserError, match=re.escape(words)):
        promptatlas.Study(folder / "config.yaml").plot_matrix(**asked)


def test_what_is_wrong_with_a_configuration_is_told_at_once(folder):
    with pytest.raises(UserError, match=r"there is no .*other\.yaml; `promptatlas new FOLDER` writes a configuration"):
        promptatlas.Study(folder / "other.yaml")
    with pytest.raises(UserError, match="unknown key `metods` in the configuration; did you mean `methods`"):
        promptatlas.Study(folder / "config.yaml", metods=["coop"])


@pytest.fixture
def started(monkeypatch):
    """What is started instead of Snakemake: a program that prints what it was given, and where."""
    found = []
    real = subprocess.Popen
    script = "import sys, os; print('step', os.getcwd()); print('failed', file=sys.stderr); sys.exit('--fail' in sys.argv)"

    def popen(words, **named):
        found.append(words[1:])
        return real([sys.executable, "-c", script, *words[3:]], **named)

    monkeypatch.setattr(study_file.subprocess, "Popen", popen)
    return found


@pytest.mark.imports
def test_a_run_is_that_of_the_command_in_the_folder_of_the_study(folder, started, capsys):
    from promptatlas.base import place

    study = promptatlas.Study(folder / "config.yaml", seeds=[1, 2], draw="elevater")
    assert study.run("--cores", "2") is study
    usual = ["-m", "snakemake", "--snakefile", str(place.SNAKEFILE)]
    assert started == [[*usual, "--cores", "2", "--config", "seeds=[1, 2]", 'draw= "elevater" ']]
    assert capsys.readouterr().out == f"step {folder}\nfailed\n"
    (folder / "more.yaml").write_text("seeds: [1]")
    assert promptatlas.Study(folder / "more.yaml").run("tune").name == "mine"
    assert started[-1] == [*usual, "--cores", "all", "tune", "--configfile", "more.yaml"]
    with pytest.raises(UserError, match=r"the study mine did not come to its end \(status 1\)"):
        study.run("--fail")


@pytest.mark.imports
def test_an_interrupt_ends_what_runs_and_waits_for_it(folder, monkeypatch):
    script = (
        "import signal, sys, time, pathlib\n"
        "signal.signal(signal.SIGINT, lambda *_: (pathlib.Path('ended').touch(), sys.exit(1)))\n"
        "print('ready', flush=True)\ntime.sleep(60)"
    )
    monkeypatch.setattr(study_file.run, "command", lambda given: [sys.executable, "-c", script])
    monkeypatch.setattr(study_file, "PATIENCE", 0.1)

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("builtins.print", interrupted)
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        promptatlas.Study(folder / "config.yaml").run()
    assert (folder / "ended").exists() and time.monotonic() - begun < 30
