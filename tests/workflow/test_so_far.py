"""The page of a study while it runs: from what is there, with the rest not measured yet."""

import json
import os
import shutil

import pytest
import yaml

from browser import embedded
from promptatlas.cli import main
from promptatlas.report import so_far
from promptatlas.runs import session
from promptatlas.study.study import Study

REFRESH = '<meta http-equiv="refresh"'


@pytest.fixture
def running(study, monkeypatch):
    """A study of which a method, two sources and the tables are not there yet."""
    monkeypatch.chdir(study.folder)
    shutil.rmtree(study.results / "tables")
    shutil.rmtree(study.results / "cells/frozen/vpt")
    for source in ("colors", "glasses"):
        (study.results / f"prompts/coop/seed1/{source}.safetensors").unlink()
        for cell in (study.results / "cells/frozen/coop").rglob(f"{source}.json"):
            cell.unlink()
    return study


def described(study) -> Study:
    return Study(yaml.safe_load((study.folder / "config.yaml").read_text()))


def test_the_page_shows_what_is_there_and_says_how_much_is_not(running, capsys):
    cells, every = len(running.contents("cells")), len(described(running).all_cells)
    finished, before = embedded(running.results / "report.html"), running.contents(".")
    with pytest.raises(SystemExit) as ended:
        main(["report"])
    page = running.results / "so_far.html"
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"tiny: {cells} of {every} cells, 6 of 8 prompts; the page is {page.relative_to(running.folder)}\n"
    told = embedded(page)["summary"]["so_far"]
    assert (told["cells"], told["all_cells"], told["prompts"], told["all_prompts"]) == (cells, every, 6, 8)
    assert REFRESH not in page.read_text()
    now = running.contents(".")
    assert {name: now[name] for name in now if name != "so_far.html"} == before

    names = [task["name"] for task in embedded(page)["tasks"]]
    matrices = embedded(page)["matrices"]
    assert [*matrices] == ["frozen/coop"] and names == [task["name"] for task in finished["tasks"]]
    was, values = (one["frozen/coop"]["seeds"]["1"] for one in (finished["matrices"], matrices))
    rows = [*names, "scratch", "template"]
    assert len(values) == len(was) >= len(rows)
    for place, row in enumerate(rows):
        assert values[place] == ([None] * 4 if row in ("colors", "glasses") else was[place])


def test_a_task_that_is_not_prepared_yet_is_there_without_numbers(running, capsys):
    for path in [running.results / "tasks/glasses", running.results / "cells/frozen/coop/seed1/glasses"]:
        shutil.rmtree(path)
    for path in running.results.rglob("glasses.*"):
        path.unlink()
    so_far.write(described(running), running.folder / "page.html")
    cards = {task["name"]: task for task in embedded(running.folder / "page.html")["tasks"]}
    assert cards["glasses"]["title"] == "glasses" and cards["glasses"]["zero_shot"] is None and cards["shapes"]["zero_shot"] is not None


def test_tables_that_are_there_are_shown_too(study, monkeypatch):
    """The last of what a study has to do is tables; those that are there are used."""
    monkeypatch.chdir(study.folder)
    so_far.write(described(study), study.folder / "page.html")
    assert embedded(study.folder / "page.html")["similarity"] == embedded(study.results / "report.html")["similarity"] != []


def test_before_the_first_cell_there_is_a_sentence_and_no_page(running, capsys):
    shutil.rmtree(running.results / "cells")
    with pytest.raises(SystemExit) as ended:
        main(["report"])
    told = capsys.readouterr().err
    assert ended.value.code == 1 and told.startswith("promptatlas: tiny has nothing to show yet, it has 0 of ") and told.count("\n") == 1
    assert not (running.results / "so_far.html").exists()


def test_a_watched_page_is_written_again_while_there_is_more_and_then_a_last_time(finished, running):
    page, told, waits = running.folder / "page.html", [], []
    study = described(running)

    def wait(seconds):
        waits.append(seconds)
        assert len(told) == 1 and REFRESH in page.read_text()
        if len(waits) == 2:
            shutil.copytree(finished.results / "cells", running.results / "cells", dirs_exist_ok=True)

    so_far.watch(study, page, told.append, wait)
    assert waits == [so_far.EVERY] * 2 and len(told) == 2 and f"{len(study.all_cells)} of {len(study.all_cells)} cells" in told[1]
    assert REFRESH not in page.read_text()


def test_a_watched_study_that_has_nothing_yet_is_waited_for(finished, running):
    shutil.rmtree(running.results / "cells")
    told: list[str] = []
    back = lambda _: shutil.copytree(finished.results / "cells", running.results / "cells")  # noqa: E731
    so_far.watch(described(running), running.folder / "page.html", told.append, back)
    assert "nothing to show yet" in told[0] and len(told) == 2 and (running.folder / "page.html").exists()


def test_a_first_page_with_nothing_to_show_is_a_sentence_and_stops_no_run(running):
    for cell in (running.results / "cells").rglob("*.json"):
        cell.unlink()
    page = running.folder / "first.html"
    told = so_far.first(described(running), page)
    assert told.startswith("tiny has nothing to show yet, it has 0 of ") and told.replace("'", "&#x27;") in page.read_text()


def test_a_first_page_is_made_early_in_a_study_that_has_none_and_is_gone_at_its_end(finished, running):
    study = described(running)
    (made,) = study.first_page
    assert session.first_page(study) == [] and "the page is" in (finished.results / "logs/first_page.log").read_text()
    assert not (finished.results / made.name).exists()
    (running.results / "report.html").unlink()
    assert session.first_page(study) == [made]
    only = Study(study.config | {"methods": ["coop"]})
    assert only.first_page == Study(study.config | {"design": "few_shot"}).first_page == []
    jobs = {line.split()[0] for line in running.run("--dry-run", "--until", "first_page").partition("Job stats:")[2].splitlines() if line}
    assert {"tune_coop", "transfer_frozen_coop", "first_page"} < jobs and not {"transfer_frozen_vpt", "collect", "page"} & jobs


def test_a_page_that_somebody_asked_for_after_the_end_stays(study, monkeypatch):
    monkeypatch.chdir(study.folder)
    early, report = (study.results / name for name in ("so_far.html", "report.html"))
    for age, stays in ((-9, False), (9, True)):
        early.write_text("a page")
        os.utime(early, (report.stat().st_mtime + age,) * 2)
        session.conclude(described(study))
        assert early.exists() == stays


def test_other_designs_have_their_page_when_they_are_done(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = {"study": "few", "design": "few_shot", "tasks": ["shapes", "colors"], "methods": ["coop"], "seeds": [1]}
    (tmp_path / "config.yaml").write_text(json.dumps(config))
    with pytest.raises(Exception, match="a study with `design: few_shot` has its page when it is done"):
        so_far.write(Study(config), tmp_path / "page.html")
