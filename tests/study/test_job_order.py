"""Which jobs come first when several could start: those that the first matrix waits for."""

import pytest

from promptatlas.study.study import Study

SMALL = {"tasks_per_job": 3, "prompts_per_job": 2, "targets_per_job": 1, "sources_per_job": 4, "seeds_per_job": 1}
STUDIES = {
    "default": {},
    "small jobs": {"jobs": SMALL, "protocols": ["frozen", "init"]},
    "multitask": {"multitask": "leave_one_out", "joint": "auto"},
    "the other order": {"methods": ["vpt", "coop"], "protocols": ["init", "frozen"]},
}


@pytest.mark.parametrize("changes", STUDIES.values(), ids=STUDIES)
def test_nothing_that_the_first_matrix_waits_for_comes_behind_what_it_does_not(changes):
    study = Study(changes)
    makers = {path: job.name for job in study.jobs.compute for path in (*job.outputs, study.paths.index(job.name))}
    jobs = {job.name: job for job in study.jobs.compute}
    waited = [job.name for job in study.jobs.first]
    for name in waited:
        waited += sorted({makers[path] for path in jobs[name].inputs if path in makers}.difference(waited))
    assert {name for name in jobs if study.jobs.priority(name)} == {*waited}
    assert {(job.method, job.protocol) for job in study.jobs.first} == {(study.methods[0], study.protocols[0])}
    assert study.jobs.priority("prepare_shapes") == 0


def test_prompts_which_take_longest_come_before_features():
    jobs = Study({}).jobs
    assert {jobs.priority(name) for name in ("draw", "tune_coop", "transfer_frozen_coop")} == {2}
    assert {jobs.priority(job.name) for job in jobs.encode} == {1}


def test_a_study_without_prompts_has_no_first_matrix():
    study = Study({"design": "few_shot", "methods": ["tip_adapter"]})
    assert study.jobs.first == [] and study.first_page == [] and study.jobs.priority("draw") == 2
