"""What the rest of a study will take, by what its finished prompts and cells took."""

import json
import time

import pytest
from safetensors.numpy import save

from promptatlas.base.running import HowFar, RunningFile
from promptatlas.records.cells import CELL
from promptatlas.runs import status_lines
from promptatlas.runs.still_to_come import StillToCome, still_to_come
from promptatlas.study.study import Study

CONFIG = {
    "study": "s", "tasks": ["shapes", "colors"], "methods": ["coop"], "seeds": [1], "protocols": ["frozen", "init"], "choice": False,
}  # fmt: skip


@pytest.fixture
def study(tmp_path):
    return Study({**CONFIG, "results": str(tmp_path)})


def test_what_is_missing_is_counted_by_what_alike_results_took(study, monkeypatch):
    assert (
        str(still_to_come(study)) == "no speed is known yet of prompts coop, frozen cells coop, init cells coop that are tuned and 1 more"
    )
    monkeypatch.setattr("promptatlas.runs.still_to_come._seconds", lambda done: 60.0 if done else None)
    first = study.paths.prompt("coop", 1, "shapes")
    first.parent.mkdir(parents=True)
    first.touch()
    ahead = still_to_come(study)
    assert ahead.seconds == 60 and {*ahead.unknown} == {"frozen cells coop", "init cells coop", "init cells coop that are tuned"}
    for path in (*study.all_cells, *study.all_prompts):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert still_to_come(study) == StillToCome(0.0, (), 1) and str(still_to_come(study)) == ""
    for path in study.all_cells[:5]:
        path.unlink()
    assert still_to_come(study).seconds == 300 and still_to_come(study).unknown == ()


def test_seconds_are_read_from_cells_and_prompts_that_did_not_fail(study, monkeypatch):
    monkeypatch.setattr("promptatlas.records.cells.read", lambda path: json.loads(path.read_bytes()))
    (first, *_, last) = study.all_cells
    for path, content in ((first, {"seconds": 3.0}), (last, {"seconds": 0.0, "failed": "no memory"})):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
    from promptatlas.runs.still_to_come import _seconds

    assert _seconds([first, last]) == 3.0 and _seconds([last]) is None
    prompt = study.paths.prompt("coop", 1, "shapes")
    prompt.parent.mkdir(parents=True)
    prompt.write_bytes(save({}, {"failed": "no memory"}))
    assert _seconds([prompt]) is None and CELL.suffix == "json"


def test_several_jobs_share_the_rest_and_status_names_them(study):
    assert status_lines.now(study) == []
    log = study.paths.log("tune_coop")
    log.parent.mkdir(parents=True)
    one, two = RunningFile(log), RunningFile(study.paths.log("encode"))
    one.tell(HowFar("tune coop", "prompts", 1, 2, 0.75, 0.1, 700, "colors: epoch 5 of 10"))
    told = status_lines.now(study)
    assert told[1:4] == [
        "running now:", "  encode: runs for less than a minute",
        "  tune_coop: 1 of 2 prompts (75 %), 6.0 a minute, about 12 minutes left; colors: epoch 5 of 10",
    ]  # fmt: skip
    assert still_to_come(study).at_once == 2
    one.end()
    two.end()
    assert str(StillToCome(1200, ("tries",), 2)) == (
        "about 10 minutes of prompts and cells left while 2 jobs run at once, without tries, of which nothing is done yet"
    )
    assert time.time() - one.began < 60
