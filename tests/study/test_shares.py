"""Sizes of jobs that the configuration leaves open: nothing is left out or done twice, devices get equal shares, few jobs are started."""

import json
import math
from itertools import accumulate, combinations, pairwise
from pathlib import Path

import numpy as np
import pytest

from promptatlas.study import shares
from promptatlas.study.configuration import load
from promptatlas.study.sizes import described
from promptatlas.study.study import Study

ROOT = Path(__file__).parents[2]
EACH_ALONE = {"tasks_per_job": 1, "prompts_per_job": 1, "targets_per_job": 1}
STUDIES = {
    "matrix": {},
    "both protocols": {"protocols": ["frozen", "init"], "jobs": {"seeds_per_job": 1, "sources_per_job": 7}},
    "several tasks": {"multitask": "leave_one_out", "joint": "auto", "methods": ["coop", "vpt", "softcpt", "tip_adapter_f"]},
    "base to new": {"design": "base_to_new", "tasks": ["shapes", "letters", "signs"]},
    "no prompts": {"design": "few_shot", "methods": ["tip_adapter"]},
    "own tasks": {"benchmark": "own", "data": {name: {"folder": name} for name in ("a", "b", "c")}},
}


def elevater(**jobs):
    return Study(load(ROOT / "config.yaml") | load(ROOT / "workflow" / "studies" / "elevater.yaml") | {"jobs": jobs})


def heaviest(weights, ends):
    return max(sum(weights[start:end]) for start, end in pairwise((0, *ends)))


@pytest.mark.parametrize("seed", range(8))
def test_the_heaviest_share_is_as_light_as_that_of_any_other_way_to_cut(seed):
    rng = np.random.default_rng(seed)
    weights, count = rng.integers(0, 30, 9).tolist(), int(rng.integers(1, 9))
    every = (heaviest(weights, (*inner, len(weights))) for few in range(count) for inner in combinations(range(1, len(weights)), few))
    ends = shares.cut(weights, count)
    assert len(ends) <= count and heaviest(weights, ends) == min(every)


def test_one_share_takes_all_however_sums_are_rounded(monkeypatch):
    """Python's own sum is another one from version 3.12 on."""
    monkeypatch.setattr(shares, "sum", math.fsum, raising=False)
    every = np.random.default_rng(0).random((200, 40)).tolist()
    assert any(math.fsum(weights) < list(accumulate(weights))[-1] for weights in every)
    assert all(shares.cut(weights, 1) == [40] for weights in every)


def test_chains_are_cut_by_what_they_weigh():
    assert shares.counts({"coop": 10, "vpt": 90}, 5) == {"coop": 1, "vpt": 9}
    assert shares.counts({"coop": 10, "vpt": 90}, 5, others=3) == {"coop": 1, "vpt": 3}
    assert shares.counts({"coop": 0}, 4) == {"coop": 1}


@pytest.mark.parametrize("changes", STUDIES.values(), ids=STUDIES)
@pytest.mark.parametrize("devices", [3, 40])
def test_the_same_results_are_made_once_for_any_number_of_devices(changes, devices):
    usual = Study(changes)
    other = Study(changes | {"jobs": {**changes.get("jobs", {}), "devices": devices}})
    assert {job.stage for job in other.jobs.compute} == {job.stage for job in usual.jobs.compute}
    for stage, jobs in other.jobs.stages.items():
        made = [path for job in jobs for path in dict.fromkeys(job.outputs)]
        assert sorted(made) == sorted({path for job in usual.jobs.stages[stage] for path in job.outputs})
    names = [job.name for job in other.jobs.compute]
    assert len({*names}) == len(names)


def test_one_device_starts_as_few_jobs_as_can_be():
    names = {stage: [job.name for job in jobs] for stage, jobs in Study({}).jobs.stages.items()}
    assert names["encode"] == ["encode_1of2", "encode_2of2"] and names["tune"] == ["tune_coop", "tune_vpt", "tune_upt"]
    assert names["transfer"] == ["transfer_frozen_coop", "transfer_frozen_vpt", "transfer_frozen_upt"]
    on_gpu = [job for job in elevater().jobs.compute if job.runs_model]
    assert len(on_gpu) == 11 and len([job for job in elevater(**EACH_ALONE).jobs.compute if job.runs_model]) == 200


@pytest.mark.parametrize("devices", [2, 4, 8])
def test_every_stage_of_the_papers_study_keeps_all_devices_at_work(devices):
    """No job is longer than a device's part of its stage, but one of a single task, which cannot be cut."""
    study = elevater(devices=devices)
    sizes = {task: described(study, task) for task in study.tasks}
    for stage in ("encode", "tune", "transfer", "try"):
        jobs = study.jobs.stages[stage]
        weights = [shares.weight(job.cost(sizes)) for job in jobs]
        alone = max(shares.weight(job.cost(sizes)) for job in elevater(**EACH_ALONE).jobs.stages[stage])
        assert devices <= len(jobs) <= 2 * devices + 3
        assert max(weights) <= max(sum(weights) / devices, 1.001 * alone)


@pytest.mark.parametrize("devices", [2, 8])
@pytest.mark.parametrize("stage", ["probe", "adapt"])
def test_probes_and_adapters_are_cut_for_all_devices_too(stage, devices):
    """No share is more than a device's part of its stage, or than a single task."""
    adapters = {"methods": ["coop", "tip_adapter", "tip_adapter_f", "task_res", "lp_plus_plus"]}
    paper = load(ROOT / "config.yaml") | load(ROOT / "workflow" / "studies" / "elevater.yaml")
    study, apart = (Study(paper | adapters | {"jobs": jobs}) for jobs in ({"devices": devices}, EACH_ALONE))
    sizes = {task: described(study, task) for task in study.tasks}
    weights, alone = ([shares.weight(job.cost(sizes)) for job in own.jobs.stages[stage]] for own in (study, apart))
    assert min(alone) > 0 and 2 <= len(weights) <= 2 * devices + 5
    assert max(weights) <= max(sum(weights) / devices, 1.001 * max(alone))


def test_a_study_keeps_its_jobs_when_its_tasks_turn_out_larger(tmp_path):
    """Jobs are looked for by their names where they run, perhaps on another machine, and later."""
    changes = {"results": str(tmp_path), "jobs": {"devices": 4}}
    names = [job.name for job in Study(changes).jobs.compute]
    prepared = tmp_path / "mini" / "tasks" / "shapes"
    prepared.mkdir(parents=True)
    record = {"task": {}, "pools": {"train": 10**6, "validation": 10**6, "test": 10**6}}
    (prepared / "task.json").write_text(json.dumps(record))
    assert [job.name for job in Study(changes).jobs.compute] == names


def test_sizes_that_are_given_are_kept_for_any_number_of_devices():
    tasks = [len(job.tasks) for job in Study({"jobs": {"devices": 8, "prompts_per_job": 7}}).jobs.tune]
    assert tasks == [7, 7, 6] * 3
    assert len(Study({"jobs": {"devices": 8, "prompts_per_job": "all"}}).jobs.tune) == 3
