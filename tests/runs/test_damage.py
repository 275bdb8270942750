"""What counts as damaged among a study's files, and that nothing else does."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from promptatlas.backbone import feature_file
from promptatlas.backbone.prompts import Prompts
from promptatlas.base.errors import FAILED, Failed, UserError
from promptatlas.base.files import replace
from promptatlas.base.json_record import Newer
from promptatlas.records import cells, probe_file
from promptatlas.records.features import FEATURES
from promptatlas.records.learner_file import LEARNER, Learner
from promptatlas.records.prompt_file import PROMPT, TunedPrompt
from promptatlas.records.score import SCORE as SCORE_FILE
from promptatlas.runs import damage, session, status, status_lines
from promptatlas.study.study import Study
from promptatlas.tasks.prepared import array_path, write_failed
from stored_results import CELL, SCORE, drawn, task_record

CONFIG = {
    "study": "tiny", "tasks": ["shapes", "colors"], "methods": ["coop", "coop_mt", "tip_adapter"], "seeds": [1], "shots": 2,
    "multitask": "all", "joint": [["shapes", "colors"]],
}  # fmt: skip


def prompt(path: Path, value: float = 1.0) -> None:
    text = torch.full((1, 1, 2, 8), value)
    TunedPrompt("coop", {"context": text.clone()}, Prompts(text=text), [{"epoch": 1}], 1, 0.5).save(path, {"fingerprint": "mark"})


@pytest.fixture
def study(tmp_path) -> Study:
    """With one whole file of every kind."""
    study = Study(CONFIG | {"results": str(tmp_path)})
    task_record(study.paths.task_folder("shapes"))
    replace(study.paths.encoded("shapes"), feature_file.packed({"class_features": np.ones((2, 3), np.float32)}, {}))
    cells.write(study.paths.draw("shapes", 1), drawn())
    cells.write(study.paths.probe("shapes"), {"fingerprint": "mark", "probes": [{"seed": 1, "score": 0.5}]})
    cells.write(study.paths.score("tip_adapter", 1, "shapes"), SCORE)
    cells.write(study.paths.joint_score("coop", "scratch", "joint", 1, "shapes"), SCORE)
    for path in (study.paths.prompt("coop", 1, "shapes"), study.paths.multitask_source("coop", 1, "shapes"), joint_prompt(study)):
        prompt(path)
    parameters, weights, contexts = ({name: torch.ones(2, size)} for name, size in (("context", 8), ("shapes", 3), ("shapes", 8)))
    learner = Learner("coop_mt", 1, parameters, weights, contexts, [{"epoch": 1}], 1, 0.5)
    replace(study.paths.shared("coop_mt", 1), learner.packed({"fingerprint": "mark"}))
    cells.write(one_cell(study), CELL | {"target": "shapes", "source": "colors"})
    study.paths.table("transfer")[0].parent.mkdir(parents=True)
    study.paths.table("transfer")[0].write_bytes(b"PAR1 twelve bytes PAR1")
    study.paths.table("transfer")[1].write_text("source,target\nshapes,patterned_shapes\n")
    study.paths.report.write_text("<!doctype html><html></html>\n")
    cells.write(study.paths.summary, {})
    return study


def one_cell(study: Study) -> Path:
    return study.paths.cell(next(cell for cell in study.cells if (cell.source, cell.target) == ("colors", "shapes")))


def joint_prompt(study: Study) -> Path:
    return study.paths.joint_prompt("coop", "scratch", 1, ("colors", "shapes"))


KINDS = {
    "record of a task": lambda study: study.paths.task_folder("shapes") / "task.json",
    "array of a task": lambda study: array_path(study.paths.task_folder("shapes"), "test", "labels"),
    "factors of a task": lambda study: study.paths.factors("shapes"),
    "features": lambda study: study.paths.encoded("shapes"),
    "draw": lambda study: study.paths.draw("shapes", 1),
    "probe": lambda study: study.paths.probe("shapes"),
    "score": lambda study: study.paths.score("tip_adapter", 1, "shapes"),
    "score of a group": lambda study: study.paths.joint_score("coop", "scratch", "joint", 1, "shapes"),
    "prompt": lambda study: study.paths.prompt("coop", 1, "shapes"),
    "prompt of many tasks": lambda study: study.paths.multitask_source("coop", 1, "shapes"),
    "prompt of a group": joint_prompt,
    "learner": lambda study: study.paths.shared("coop_mt", 1),
    "cell": one_cell,
    "table": lambda study: study.paths.table("transfer")[0],
    "table for people": lambda study: study.paths.table("transfer")[1],
    "page": lambda study: study.paths.report,
    "summary": lambda study: study.paths.summary,
}


def test_whole_files_are_not_damaged(study):
    assert all(path(study).exists() for path in KINDS.values()) and damage.found(study) == []


def test_every_result_of_a_job_has_something_that_tells_whether_it_is_whole(study):
    for job in study.jobs.every:
        assert {*job.outputs} <= {path for path, _ in job.checks()}, job.name


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", [0, 0.5, 0.99])
def test_a_file_that_is_cut_off_is_damaged_and_a_run_keeps_it_aside(study, kind, part, capsys):
    path = KINDS[kind](study)
    size = path.stat().st_size
    content = path.read_bytes()[: min(int(size * part), size - 3)]
    path.write_bytes(content)
    assert session.mended(study, dry=True) == {path} and path.exists()
    name = str(path.relative_to(study.folder))
    assert name in capsys.readouterr().err
    assert session.again(study, {path}, [path]) and not session.again(study, {path}, [study.paths.figures])
    assert session.mended(study, dry=False) == set() and not path.exists()
    assert name in capsys.readouterr().err and (study.folder / "damaged" / name).read_bytes() == content
    assert damage.found(study) == []


def changed(path: Path, **more) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | more))


@pytest.mark.parametrize("score", [float("nan"), float("inf"), -0.1, 1.5, "0.5", None])
def test_a_score_that_is_none_is_no_result(study, score):
    for path in (one_cell(study), study.paths.score("tip_adapter", 1, "shapes")):
        changed(path, score=score)
    changed(study.paths.probe("shapes"), probes=[{"seed": 1, "score": score}])
    assert {*damage.found(study)} == {one_cell(study), study.paths.score("tip_adapter", 1, "shapes"), study.paths.probe("shapes")}


def test_a_cell_of_another_place_is_no_result(study):
    changed(one_cell(study), target="colors")
    assert damage.found(study) == [one_cell(study)]


def test_a_prompt_that_is_no_number_is_no_result(study):
    path = study.paths.prompt("coop", 1, "shapes")
    prompt(path, float("nan"))
    assert damage.found(study) == [path]


def test_what_says_why_there_is_no_result_is_not_damaged(study):
    write_failed(study.paths.task_folder("shapes"), "no images")
    array_path(study.paths.task_folder("shapes"), "test", "labels").write_bytes(b"")  # arrays beside such a record count for nothing
    changed(one_cell(study), score=None, failed="no number")
    study.paths.draw("shapes", 1).write_text(json.dumps({FAILED: "no images"}))
    replace(study.paths.encoded("shapes"), FEATURES.failed(Failed("no images"), {}))
    cells.write(study.paths.probe("shapes"), {"fingerprint": "", "probes": [{"seed": 1, "score": None, FAILED: "x"}], FAILED: "x"})
    for path in (study.paths.prompt("coop", 1, "shapes"), study.paths.shared("coop_mt", 1)):
        replace(path, PROMPT.failed(Failed("no number"), {"method": "coop"}))
    assert damage.found(study) == []


def test_arrays_without_a_record_are_not_damaged(study):
    """They are what a failed task leaves behind when it is to be tried again."""
    array_path(study.paths.task_folder("shapes"), "test", "labels").write_bytes(b"")
    (study.paths.task_folder("shapes") / "task.json").unlink()
    assert damage.found(study) == []


def test_what_a_newer_version_wrote_is_kept_where_it_is(study, capsys):
    for path in (
        one_cell(study),
        study.paths.probe("shapes"),
        study.paths.score("tip_adapter", 1, "shapes"),
        study.paths.draw("shapes", 1),
    ):
        changed(path, version=99, score="of another kind")
    assert session.mended(study, dry=False) == set() and damage.found(study) == [] and capsys.readouterr().err == ""
    with pytest.raises(Newer, match="update promptatlas and keep the file"):
        cells.read(one_cell(study))
    with pytest.raises(Newer):
        probe_file.read_probes(study.paths.probe("shapes"))


def test_what_the_disk_does_not_give_is_not_damaged(study, monkeypatch):
    def denied(path, *arguments, **more):
        raise PermissionError(13, "Permission denied", str(path))

    one_cell(study).write_text("{")
    monkeypatch.setattr(Path, "open", denied)
    assert damage.found(study) == []


def test_a_folder_that_may_not_be_written_ends_no_command(study, monkeypatch, capsys):
    def read_only(*_):
        raise OSError(30, "Read-only file system")

    one_cell(study).write_text("{")
    monkeypatch.setattr(damage, "set_aside", read_only)
    session.mended(study, dry=False)
    assert "damaged, and counted as missing: cells" in capsys.readouterr().err and one_cell(study).exists()


def test_nothing_is_moved_while_a_run_is_at_work(study, monkeypatch):
    one_cell(study).write_text("{")
    monkeypatch.setattr(session, "_is_busy", lambda study: True)
    session.mended(study, dry=False)
    assert one_cell(study).exists()


def test_what_an_interrupted_job_left_damaged_is_computed_again(study):
    path = study.paths.resume("mark", "safetensors")
    prompt(path)
    assert PROMPT.is_left(path, "mark") and not PROMPT.is_left(path, "other")
    path.write_bytes(path.read_bytes()[:-8])
    assert not PROMPT.is_left(path, "mark") and not LEARNER.is_left(path, "mark")
    left = study.paths.resume("mark", "json")
    cells.write(left, SCORE | {"fingerprint": "mark"})
    assert SCORE_FILE.is_left(left, "mark")
    left.write_text("{")
    assert not SCORE_FILE.is_left(left, "mark")
    left.write_text(json.dumps(SCORE | {"version": 99}))
    with pytest.raises(UserError, match="newer promptatlas"):
        SCORE_FILE.is_left(left, "mark")


def test_what_is_made_of_all_results_is_done_missing_or_behind_them(study):
    for path in (*study.tables, study.paths.summary, study.paths.provenance_file, study.paths.figures):
        path.exists() or path.touch()
    study.paths.table("tuning")[1].unlink()
    done, missing = (status.State("cells", one_cell(study), kind) for kind in (status.DONE, status.MISSING))
    damaged = status.State("other files", study.paths.report, status.STALE, (status.DAMAGED,))

    def found(*before: status.State) -> dict:
        return {state.path: (state.kind, state.why) for state in status.of_tables(study, before)}

    assert found(done).keys() == {*study.tables, *study.conclusions} and found(damaged).keys() == found(done).keys() - {study.paths.report}
    assert found(done)[study.paths.table("tuning")[1]] == found(missing)[study.paths.table("tuning")[1]] == (status.MISSING, ())
    assert found(done)[study.paths.summary] == (status.DONE, ()) and found(missing)[study.paths.summary] == (
        status.STALE,
        ("inputs stale",),
    )
    assert status_lines.code(status.of_tables(study, [done])) == 5
