"""Records outlive versions: an added field makes no stored file corrupt, a lacking one has a default, a newer one is kept."""

import json
from functools import partial

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from promptatlas.backbone import feature_file
from promptatlas.backbone.architecture import Architecture
from promptatlas.backbone.prompts import Prompts
from promptatlas.base import json_record
from promptatlas.base.errors import Failed, UserError
from promptatlas.base.files import replace
from promptatlas.records import cells, learner_file, score
from promptatlas.records.draw_file import read_draw
from promptatlas.records.prompt_file import TunedPrompt
from promptatlas.runs import tables
from promptatlas.runs.attempts import alone
from promptatlas.study.study import Study
from promptatlas.tasks.prepared import PreparedTask
from stored_results import CELL, SCORE, drawn, task_record


def json_file(path, record):
    path.write_text(json.dumps(record))
    return path


def tensors(path, added: dict[str, str], without: tuple[str, ...] = ()):
    """The safetensors file at `path` with other metadata."""
    with safe_open(path, framework="pt") as file:
        held, about = {key: file.get_tensor(key) for key in file.keys()}, file.metadata() or {}
    save_file(held, path, {key: value for key, value in (about | added).items() if key not in without})
    return path


def prompt_file(path, **about):
    text = torch.ones(1, 1, 2, 8)
    TunedPrompt("coop", {"context": text.clone()}, Prompts(text=text), [{"epoch": 1}], 1, 0.5).save(path, about)
    return path


@pytest.fixture
def every(tmp_path):
    """By kind: a function that writes a record with some more (as text) beside what it holds, and one that reads it."""
    task = task_record(tmp_path / "task")

    def task_with(more):
        json_file(tmp_path / "task" / "task.json", task | more | {"task": task["task"] | {key: "x" for key in more if key != "version"}})
        return tmp_path / "task"

    replace(tmp_path / "f", feature_file.packed({"class_features": np.ones((2, 3), np.float32)}, {"class_features": "mark"}))
    save_file({"weights.shapes": torch.ones(2, 3)}, tmp_path / "s", {"parts": "{}"})
    texts = lambda more: {key: str(value) for key, value in more.items()}  # noqa: E731
    return {
        "cell": (lambda more: json_file(tmp_path / "c", CELL | more), cells.read),
        "failed cell": (lambda more: json_file(tmp_path / "c", CELL | {"score": None, "failed": "why"} | more), cells.read),
        "score": (lambda more: json_file(tmp_path / "r", SCORE | more), score.read),
        "probe": (
            lambda more: json_file(tmp_path / "p", {"fingerprint": "", "probes": []} | more),
            lambda path: json_record.read(path, "the probe"),
        ),
        "draw": (lambda more: json_file(tmp_path / "d", drawn() | more), read_draw),
        "task": (task_with, PreparedTask.open),
        "features": (lambda more: tensors(tmp_path / "f", texts(more)), feature_file.load),
        "shared": (lambda more: tensors(tmp_path / "s", texts(more)), learner_file.metadata),
        "prompt": (lambda more: tensors(prompt_file(tmp_path / "l"), texts(more)), TunedPrompt.load),
        "history": (lambda more: tensors(prompt_file(tmp_path / "l"), texts(more)), partial(tables._history, Study({}))),
    }  # fmt: skip


KINDS = ("cell", "failed cell", "score", "probe", "draw", "task", "features", "shared", "prompt", "history")


@pytest.mark.parametrize("kind", KINDS)
def test_a_field_that_is_not_known_is_passed_over(every, kind):
    put, read = every[kind]
    assert read(put({"lighting": "dim"})) is not None
    assert read(put({"version": json_record.KNOWN})) is not None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("version", [json_record.KNOWN + 1, 99])
def test_a_newer_record_says_to_update_and_to_keep_the_file(every, kind, version):
    put, read = every[kind]
    path = put({"version": version, "lighting": "dim"})
    before = {file: file.read_bytes() for file in path.parent.rglob("*") if file.is_file()}
    with pytest.raises(json_record.Newer) as caught:
        read(path)
    told = str(caught.value)
    assert str(path) in told and f"version {version}" in told and "update promptatlas" in told
    assert "delete" not in told and "corrupt" not in told and "\n" not in told
    assert {file: file.read_bytes() for file in before} == before


@pytest.mark.parametrize("key", [*cells.DEFAULTS])
def test_a_cell_from_before_there_was_a_field_has_its_default(tmp_path, key):
    old = cells.read(json_file(tmp_path / "c", {name: value for name, value in CELL.items() if name != key}))
    assert set(old) >= set(cells.KEYS) and old["score"] == 0.5 and old[key] == cells.DEFAULTS[key]


@pytest.mark.parametrize("key", [*score.DEFAULTS])
def test_a_score_from_before_there_was_a_field_has_its_default(tmp_path, key):
    old = score.read(json_file(tmp_path / "r", {name: value for name, value in SCORE.items() if name != key}))
    assert old["score"] == 0.5 and old[key] is None


@pytest.mark.parametrize(("record", "read"), [(CELL, cells.read), (SCORE, score.read)], ids=["cell", "score"])
def test_a_whole_record_that_is_read_and_written_again_keeps_its_bytes(tmp_path, record, read):
    path = json_file(tmp_path / "r", record)
    assert json.dumps(read(path)) == json.dumps(record)


@pytest.mark.parametrize("key", cells.REQUIRED)
def test_a_cell_without_what_makes_it_one_is_corrupt(tmp_path, key):
    with pytest.raises(UserError, match="corrupt; delete"):
        cells.read(json_file(tmp_path / "c", {name: value for name, value in CELL.items() if name != key}))


def test_a_prompt_from_before_there_was_a_curve_is_read(tmp_path):
    path = tensors(prompt_file(tmp_path / "l"), {}, without=("history", "best_epoch", "seconds", "words", "before_norm"))
    trained, _ = TunedPrompt.load(path)
    assert trained.history == [] and trained.best_epoch == 0 and trained.seconds == 0


@pytest.mark.parametrize("version", ["x", None, True, -1, 0, 1, "1", [2], {"a": 2}, "9" * 5000])
def test_what_is_no_version_of_a_later_time_is_no_obstacle(version):
    assert json_record.require_known({"version": version}, "file") is None
    with pytest.raises(json_record.Newer):
        json_record.require_known({"version": 2}, "file")


def test_a_newer_file_is_not_replaced_by_a_failure(tmp_path):
    path = json_file(tmp_path / "c", CELL | {"version": 2})
    with pytest.raises(json_record.Newer):
        alone(lambda: cells.read(path))
    with pytest.raises(Failed):
        alone(lambda: cells.read(json_file(tmp_path / "d", {})))


def test_a_model_that_is_described_in_a_newer_way_is_not_run_as_if_it_were_not(tiny_backbone, tmp_path):
    about = tiny_backbone.architecture
    about.write(tmp_path / "a.json")
    assert Architecture.read(tmp_path / "a.json") == about
    json_file(tmp_path / "a.json", json.loads((tmp_path / "a.json").read_text()) | {"attention": "linear"})
    with pytest.raises(json_record.Newer, match=r"`attention`.*update promptatlas"):
        Architecture.read(tmp_path / "a.json")
