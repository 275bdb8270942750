"""`promptatlas status` before anything was computed, however the jobs are cut."""

import pytest

from promptatlas.runs import status
from promptatlas.study.study import Study

CONFIG = {"study": "mine", "tasks": ["shapes", "colors"], "methods": ["coop"], "seeds": [1]}


@pytest.mark.parametrize("jobs", [{}, {"devices": 4}, {"devices": 2, "targets_per_job": 1, "prompts_per_job": 1}])
def test_everything_is_missing_and_counted_once(tmp_path, monkeypatch, jobs):
    monkeypatch.chdir(tmp_path)
    study = Study(CONFIG | ({"jobs": jobs} if jobs else {}))
    found = list(status.states(study))
    assert {one.kind for one in found} == {status.MISSING}
    cells = [one for one in found if one.cell]
    assert len(cells) == len({one.path for one in cells}) == len(study.cells) == 8
