"""A matrix in parts: pairs that `promptatlas next` lists are measured and nothing else, step by step, and the whole study keeps them."""

import csv
import json
import re

import pandas as pd
import pytest

from browser import embedded
from promptatlas.cli import command
from tiny_study import go_on

pytestmark = pytest.mark.study


def told(monkeypatch, capsys, study, *arguments: str) -> tuple[int, str]:
    """Exit status and what the command prints, in the folder of the study."""
    monkeypatch.chdir(study.folder)
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        command.main(arguments)
    return ended.value.code, "".join(capsys.readouterr())


def listed(study) -> set[tuple[str, str, str]]:
    """Method, source and target."""
    with (study.folder / "pairs.csv").open() as file:
        return {(row["method"], row["source"], row["target"]) for row in csv.DictReader(file)}


def cells(study) -> set[tuple[str, str, str]]:
    """The same of those that are there."""
    return {(path.parts[-4], path.stem, path.parent.name) for path in (study.results / "cells").rglob("*.json")}


def pairs_of(listed: set[tuple[str, str, str]], method: str) -> list[tuple[str, ...]]:
    """Sources and targets."""
    return [*zip(*((source, target) for own, source, target in listed if own == method), strict=True)]


def test_steps_and_then_the_whole_study(finished, tmp_path, monkeypatch, capsys):
    """First a pair of one's own of one of two methods, then what comes next of both, then everything."""
    study, every = go_on(tmp_path, finished), {"shapes", "colors", "digits_rendered", "glasses"}
    (study.folder / "pairs.csv").write_text("method;source;target\ncoop;shapes;colors\n")
    study.configure(pairs="pairs.csv", choice={"draws": 1, "shots": [1]})
    study.run()
    assert cells(study) == {
        ("coop", *pair) for pair in [("shapes", "colors"), ("scratch", "colors"), *(("template", task) for task in every)]
    }
    assert [*study.contents("prompts")] == ["prompts/coop/seed1/shapes.safetensors"] and not study.contents("tries")
    tasks = pd.read_parquet(study.results / "tables" / "tasks.parquet")
    assert len(tasks) == 4 and tasks["zero_shot"].notna().all() and (study.results / "figures").exists()

    study.configure()
    kept = study.contents("cells", "prompts")
    status, words = told(monkeypatch, capsys, study, "next", "--budget", "3", "-o", "pairs.csv")
    assert status == 0 and "coop: 1 of 12 pairs measured" in words and "promptatlas run --cores 2 --config pairs=pairs.csv" in words
    second = listed(study)
    assert ("coop", "shapes", "colors") in second and [len(pairs_of(second, one)[0]) for one in ("coop", "vpt")] == [4, 3]

    study.run("--config", "pairs=pairs.csv")
    assert {cell for cell in cells(study) if cell[1] in every} == second
    assert {name: content for name, content in study.contents("cells", "prompts").items() if name in kept} == kept
    table = pd.read_parquet(study.results / "tables" / "transfer.parquet")
    assert {*zip(table["method"], table["source"], table["target"], strict=True)} == cells(study) and not table["failed"].any()
    summary, page = json.loads((study.results / "summary.json").read_text()), embedded(study.results / "report.html")
    assert (summary["n_cells"], summary["n_missing_cells"]) == (7, 25) and page["failed"] == {} and page["config"]["pairs"]["pairs"] == 7
    status, words = told(monkeypatch, capsys, study, "status", "--config", "pairs=pairs.csv")
    assert status == 0 and re.search(r"frozen cells coop +12 +0 +0 +0", words), words
    status, words = told(monkeypatch, capsys, study, "status")
    assert status == 4 and re.search(r"frozen cells coop +12 +12 +0 +0", words), words
    assert "from similarity (vis_frechet, lab_cover) and gains" in told(monkeypatch, capsys, study, "next")[1]
    assert "Nothing to be done" in study.run("--dry-run", "--config", "pairs=pairs.csv")

    kept = study.contents("cells", "prompts")
    assert "26 of 48 cells are missing" in study.run()
    now = study.contents("cells", "prompts")
    assert {name: now[name] for name in kept} == kept and study.measured() == finished.measured()
    assert "coop: 12 of 12 pairs measured, that is all" in told(monkeypatch, capsys, study, "next")[1]
