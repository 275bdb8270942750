"""`promptatlas plan` counts the jobs that Snakemake would run and knows which waits for which; after a run it shows beside its forecast
what was measured."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from promptatlas.methods import names
from promptatlas.plan import forecast
from promptatlas.study.configuration import complete
from promptatlas.study.sizes import size
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


def graph(told: str) -> dict[str, set[str]]:
    """By job those that it waits for, from what `snakemake --dag` prints; jobs of a rule with wildcards are called by their values."""
    labels = re.findall(r'^\s*(\d+)\[label = "(.*?)"', told, re.M)
    names = {number: called(*label.split(r"\n")) for number, label in labels}
    needs: dict[str, set[str]] = {name: set() for name in names.values()}
    for before, after in re.findall(r"^\s*(\d+) -> (\d+)$", told, re.M):
        needs[names[after]].add(names[before])
    return needs


def called(rule: str, *wildcards: str) -> str:
    values = dict(one.split(": ") for one in wildcards)
    return "prepare_{whole}@{part}".format(**values) if rule == "prepare_part" else "_".join([rule, *values.values()])


def before(job: str, needs: Mapping[str, set[str]]) -> set[str]:
    """All that a job waits for, directly or not."""
    return {other for name in needs[job] for other in (name, *before(name, needs))}


@pytest.mark.parametrize("changes", STUDIES.values(), ids=STUDIES)
def test_jobs_and_what_they_wait_for_are_those_of_snakemake(tmp_path, backbone, changes):
    own = begin(tmp_path, backbone, **changes)
    (own.results / "backbone").rename(tmp_path / "elsewhere")
    told = graph(own.run("--dag"))
    beside = {name for name in told if name.startswith("look_")}  # empty files that Snakemake touches by itself: no processes
    assert len(beside) == 1
    told = {name: needs - beside for name, needs in told.items() if name not in beside}
    study = Study(complete(CONFIG | changes))
    planned = forecast.jobs(study, {task: size(study, task) for task in study.tasks}, 1)
    needs = {job.name: {*job.needs} for job in planned}
    assert len(planned) == len(needs) and {*needs} == {*told} - {"all"}
    named = [job.name for job in planned]
    assert all(needs[name] <= {*named[:number]} for number, name in enumerate(named))
    assert {job.name: needs[job.name] for job in planned if job.stage != "report"} == {
        job.name: told[job.name] for job in planned if job.stage != "report"
    }
    assert all(told[name] <= before(name, needs) for name in needs)


def test_after_a_run_what_it_took_stands_beside_the_forecast(finished):
    told = plan(finished.folder, "--gpus", "3")
    assert told.returncode == 0, told.stderr
    row = next(line for line in told.stdout.splitlines() if line.startswith("all "))
    planned, *foretold, ran, clock, cpu = re.findall(r"\d+\.?\d* (?:s|min|h|d)\b|\d+", row)
    noted = len([*(finished.results / "benchmarks").glob("*.tsv")])
    assert int(ran) == noted and int(planned) in (noted, noted + 1)  # the backbone of the tests is there from the start
    assert len(foretold) == 4 and clock != "0 s" and cpu != "0 s"
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
