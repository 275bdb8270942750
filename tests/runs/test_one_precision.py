"""Results of two precisions never stand in one table, nor on the page of a study that is computed anew in another one."""

import json
import os

import pandas as pd
import pytest
import torch

from promptatlas.backbone.prompts import Prompts
from promptatlas.base.errors import UserError
from promptatlas.records import cells
from promptatlas.records.cells import Cell
from promptatlas.records.fingerprint import fingerprint
from promptatlas.records.prompt_file import TunedPrompt
from promptatlas.report import so_far
from promptatlas.report.so_far import SoFar
from promptatlas.runs import one_precision, still_to_come, tables
from promptatlas.runs.one_precision import Present
from promptatlas.study.study import Study
from stored_results import CELL, SCORE, task_record

CONFIG = {
    "study": "tiny", "tasks": ["shapes", "colors"], "methods": ["coop", "tip_adapter"], "seeds": [1], "shots": 2, "choice": False,
    "joint": [["shapes", "colors"]],
}  # fmt: skip
FIRST = Cell("frozen", "coop", 1, "shapes", "colors")


@pytest.fixture
def study(tmp_path) -> Study:
    """All cells, scores and prompts, in float16."""
    study = Study(CONFIG | {"results": str(tmp_path), "precision": "float16"})
    for name in study.tasks:
        task_record(study.paths.task_folder(name))
    for cell in study.cells:
        cells.write(study.paths.cell(cell), of(CELL | cell.address(), "float16"))
    for path in (*study.score_records, *(path for job in study.jobs.joint for path in job.outputs)):
        cells.write(path, of(SCORE | {"target": path.stem, "source": "scratch", "adaptation": "joint", "group": ""}, "float16"))
    for name in study.learners:
        cells.write(study.paths.probe(name), {"fingerprint": "mark", "probes": [{"seed": 1, "score": 0.5}]})
    for path in study.all_prompts:
        prompt(path, "float16")
    return study


def of(record, precision):
    parts = record["parts"] | ({"precision": precision} if precision else {})
    return record | {"parts": parts, "fingerprint": fingerprint(parts)}


def prompt(path, precision):
    path.parent.mkdir(parents=True, exist_ok=True)
    text, parts = torch.ones(1, 1, 2, 8), json.dumps({"precision": precision})
    history = [{"epoch": 1, "loss": 1.0, "learning_rate": 0.1, "validation_score": 0.5}]
    TunedPrompt("coop", {"context": text.clone()}, Prompts(text=text), history, 1, 0.5).save(path, {"parts": parts})


def refused(path, made):
    with pytest.raises(UserError) as caught:
        made()
    assert f"{path} was computed in float32, and would stand in one table with results in float16; delete the file" in str(caught.value)
    assert "set `precision: float32`" in str(caught.value) and "\n" not in str(caught.value)


def test_tables_hold_results_of_the_studys_precision_and_of_no_other(study):
    transfer = tables.transfer_table(study)
    assert len(transfer) == len(study.cells) and len(tables.baselines_table(study, transfer)) and len(tables.tuning_table(study))
    assert len(tables.joint_table(study))
    cases = {
        study.paths.cell(FIRST): lambda: tables.transfer_table(study),
        study.score_records[0]: lambda: tables.baselines_table(study, transfer),
        study.jobs.joint[0].outputs[0]: lambda: tables.joint_table(study),
    }
    for path, made in cases.items():
        whole = cells.read(path) if path == study.paths.cell(FIRST) else json.loads(path.read_text())
        cells.write(path, of(whole, "float32"))
        refused(path, made)
        cells.write(path, whole)
        made()
    path = study.paths.prompt("coop", 1, "shapes")
    prompt(path, "float32")
    refused(path, lambda: tables.tuning_table(study))


def test_what_does_not_say_its_precision_is_taken_as_it_is(study, tmp_path):
    """Cells from before it was noted, and those that failed."""
    path = study.paths.cell(FIRST)
    for record in (CELL | FIRST.address(), CELL | FIRST.address() | {"parts": {}, "score": None, "failed": "why", "fingerprint": ""}):
        cells.write(path, record)
        assert one_precision.of_file(path) is None and len(tables.transfer_table(study)) == len(study.cells)
    for content in (b"", b"[1]", b'{"parts": 3}', b"\xff", b"[" * 9999):
        for name in ("a.json", "a.safetensors"):
            (tmp_path / name).write_bytes(content)
            assert one_precision.of_file(tmp_path / name) is None


def test_results_of_another_precision_are_not_there_yet(study):
    every = SoFar.of(study, Present(study))
    assert every.done and every.prompts == every.all_prompts > 0
    there, path, own = Present(study), study.paths.cell(FIRST), study.paths.prompt("coop", 1, "shapes")
    assert there(path) and there(own) and not there(path.with_name("no.json"))
    before = cells.read(path)
    cells.write(path, of(before, "float32"))
    prompt(own, "float32")
    for place in (path, own):
        os.utime(place, ns=(1, 1))
    assert not there(path) and not there(own)
    some = SoFar.of(study, there)
    assert (some.cells, some.prompts) == (every.cells - 1, every.prompts - 1) and not some.done
    left = still_to_come.still_to_come(study)
    assert left.seconds > 0 and still_to_come.still_to_come(study, there) == left
    assert len(tables.transfer_table(study, there)) == len(study.cells) - 1
    cells.write(path, before)
    assert there(path)


def test_tables_of_another_precision_wait_to_be_made_again(study):
    path = study.paths.table("transfer")[0]
    path.parent.mkdir(parents=True)
    pd.DataFrame({"a": [1]}).to_parquet(path)
    assert len(so_far._made(study, "transfer", None)) == 1
    study.paths.resolved_config.write_text(json.dumps(study.description))
    assert len(so_far._made(study, "transfer", None)) == 1
    study.paths.resolved_config.write_text(json.dumps({key: value for key, value in study.description.items() if key != "precision"}))
    assert so_far._made(study, "transfer", None) is None
