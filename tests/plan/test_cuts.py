"""`promptatlas plan` knows what starting jobs costs and which cut of a study is done soonest."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from promptatlas.plan import budget, cuts, forecast
from promptatlas.plan.forecast import HEAVY, LIGHT, Planned
from promptatlas.plan.speeds import Speeds
from promptatlas.study import shares
from promptatlas.study.configuration import load
from promptatlas.study.costs import Work
from promptatlas.study.sizes import described
from promptatlas.study.study import Study

ROOT = Path(__file__).parents[2]
EACH_ALONE = {"tasks_per_job": 1, "prompts_per_job": 1, "targets_per_job": 1}
HOUR = 3600


def budgeted(hours: float, start: float, **jobs):
    """The paper's study with the given `jobs` on a made-up GPU: hours of work in all, and seconds of a start."""
    study = Study(load(ROOT / "config.yaml") | load(ROOT / "workflow" / "studies" / "elevater.yaml") | {"jobs": jobs})
    sizes = {task: described(study, task) for task in study.tasks}
    planned = forecast.jobs(study, sizes, 1)
    each = {name: shares.WEIGHTS.get(name.partition(": ")[2], 0) for job in planned for name in job.work}
    whole = sum(each[name] * count for job in planned if job.device for name, count in job.work.items())
    each = {name: hours * HOUR * price / whole for name, price in each.items()}
    prices = Speeds(each | {"job: starts with torch": start, "job: starts": start / 10, "job: weights": 0.0}, 1.0, ())
    return SimpleNamespace(study=study, sizes=sizes, planned=planned, speeds=prices, device="cuda", weights=1)


def test_starts_are_a_share_of_all_that_jobs_take():
    """Two jobs with torch, ten seconds each, one without, two seconds, and 78 seconds of work: 22 of 100."""
    speeds = Speeds({"job: starts with torch": 9.0, "job: weights": 0.5, "job: starts": 2.0, "work": 1.0}, 1.0, ())
    heavy = HEAVY + Work({"job: weights": 2})
    planned = [
        Planned("a", "tune", heavy + Work(work=40)),
        Planned("b", "tune", heavy + Work(work=38), ("a",)),
        Planned("c", "report", LIGHT),
    ]
    found = cuts.cut(planned, speeds, 2, shared=False)
    assert (found.starts, found.heavy, found.wall) == (pytest.approx(0.22), 2, pytest.approx(98.0))


@pytest.mark.parametrize(("devices", "most"), [(1, 20), (4, 45)])
def test_the_best_cut_of_the_papers_study_spends_little_on_starts_and_keeps_devices_at_work(devices, most):
    own = budgeted(3, 12, **EACH_ALONE)
    best = cuts.best(own.study, own.sizes, 1, own.speeds, devices, shared=False)
    before = cuts.cut(own.planned, own.speeds, devices, shared=False)
    assert before.starts > 0.18 and before.heavy > 200
    assert best.starts < 0.05 and best.heavy <= most
    assert best.wall < 1.08 * 3 * HOUR / devices < before.wall


def test_the_line_for_the_configuration_is_said_where_it_saves_time():
    starts, sizes = budget._cut(budgeted(3, 12, **EACH_ALONE), 1)
    assert starts == "starts of jobs: 20.6 % of the time, 223 of them with torch"
    assert "better for 1 GPU is `jobs: {devices: 1}` and no more under `jobs`: 3.0 h" in sizes
    (_, sizes) = budget._cut(budgeted(4, 12, devices=4), 4)
    assert sizes == "sizes of jobs: as they are they suit 4 GPUs"


def test_stages_that_outlast_what_they_ask_of_a_cluster_are_told_with_what_to_ask():
    own = budgeted(30, 12)
    seconds = {job.name: own.speeds.seconds(job.work) for job in own.planned}
    minutes = budget._minutes(own, seconds, 1.5)
    assert minutes and all(asked > 120 for asked in minutes.values())
    longest = max(seconds[job.name] for job in own.planned if job.stage == "tune")
    assert minutes["tune"] == pytest.approx(1.5 * longest / 60, abs=1)
    assert budget._minutes(own, dict.fromkeys(seconds, 60.0), 1.5) == {}
