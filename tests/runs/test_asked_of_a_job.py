"""What Snakemake is asked for of a job: one result stands for all, and those that are missing beside it are asked for by name."""

import pytest

from promptatlas.runs import session
from promptatlas.study.study import Study


@pytest.fixture
def job(tmp_path):
    study = Study({"results": str(tmp_path), "tasks": ["shapes", "colors", "glasses"], "methods": ["coop"]})
    (job,) = study.jobs.transfer
    for path in job.outputs:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return job


def test_nothing_more_is_asked_of_a_job_whose_results_are_all_there(job):
    assert len(job.outputs) > 40 and session.missing(job) == []


def test_every_missing_result_is_asked_for(job):
    gone = [job.outputs[1], job.outputs[17], job.outputs[-1]]
    for path in gone:
        path.unlink()
    assert session.missing(job) == gone


def test_a_job_without_its_first_result_makes_all_of_them_anyway(job):
    for path in (job.outputs[0], job.outputs[5]):
        path.unlink()
    assert session.missing(job) == []


def test_results_are_listed_anew_for_whoever_asks(job):
    job.outputs.clear()
    assert len(job.outputs) > 40
