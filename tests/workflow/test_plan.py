"""`promptatlas plan` counts the jobs that Snakemake would run, and after a run shows beside its forecast what was measured."""

import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from promptatlas.methods import names
from promptatlas.plan import costs, forecast
from promptatlas.study.configuration import complete
from promptatlas.study.study import Study
from tiny_study import CONFIG, ENVIRONMENT, PROMPTATLAS, begin

EVERY = [*names("prompt"), *names("shared"), *names("adapter")]
SMALL = {"tasks_per_job": 3, "prompts_per_job": 2, "targets_per_job": 1, "sources_per_job": 4, "seeds_per_job": 1}
STUDIES = {
    "matrix": {},
    "small jobs": {"jobs": SMALL, "seeds": [1, 2], "protocols": ["frozen", "init"]},
    "every method": {"methods": EVERY, "multitask": "leave_one_out", "joint": "auto", "settings": {}},
    "base to new": {"design": "base_to_new", "tasks": ["shapes", "letters"]},
    "few shot": {"design": "few_shot"},
    "no prompts": {"design": "few_shot", "methods": ["tip_adapter"]},
}


def plan(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    command = [PROMPTATLAS, "plan", *arguments]
    return subprocess.run(command, cwd=folder, env=ENVIRONMENT, text=True, capture_output=True)


def rule(job: str) -> str:
    """Rules that make many files each have one job per file."""
    if job.startswith("prepare_"):
        return "prepare_part" if "@" in job else "prepare"
    return "index" if job.startswith("index_") else job


@pytest.mark.parametrize("changes", STUDIES.values(), ids=STUDIES)
def test_the_jobs_are_those_that_snakemake_would_run(tmp_path, backbone, changes):
    own = begin(tmp_path, backbone, **changes)
    (own.results / "backbone").rename(tmp_path / "elsewhere")
    told = own.run("--dry-run").partition("Job stats:")[2]
    counted = {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", told, re.M)}
    assert counted.pop("all") == 1 and counted.pop("total") == sum(counted.values()) + 1
    assert counted.pop("look") == 1  # an empty file that Snakemake touches by itself: no process
    study = Study(complete(CONFIG | changes))
    planned = forecast.jobs(study, {task: costs.size(study, task) for task in study.tasks}, 32, 1)
    assert Counter(rule(job.name) for job in planned) == counted
    named = [job.name for job in planned]
    assert all({*job.needs} <= {*named[:number]} for number, job in enumerate(planned))


def test_after_a_run_what_it_took_stands_beside_the_forecast(finished):
    told = plan(finished.folder, "--gpus", "3")
    assert told.returncode == 0, told.stderr
    row = next(line for line in told.stdout.splitlines() if line.startswith("all "))
    planned, *foretold, ran, clock, processor = re.findall(r"\d+\.?\d* (?:s|min|h|d)\b|\d+", row)
    noted = len([*(finished.results / "benchmarks").glob("*.tsv")])
    assert int(ran) == noted and int(planned) in (noted, noted + 1)  # the backbone of the tests is there from the start
    assert len(foretold) == 4 and clock != "0 s" and processor != "0 s"
    assert "on 3 cores: " in told.stdout and "memory: " in told.stdout and "disk: " in told.stdout
    assert "untrained" not in told.stdout


def test_nothing_is_written(tmp_path, backbone):
    own = begin(tmp_path, backbone)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert plan(tmp_path).returncode == 0
    assert {path: path.stat().st_mtime_ns for path in own.folder.rglob("*")} == before


def test_no_device_is_one_sentence(finished):
    told = plan(finished.folder, "--gpus", "0")
    assert told.returncode == 1 and told.stderr == "promptatlas: --gpus must be at least 1, not 0\n"
