"""A study through SLURM: on several nodes, each job with a GPU of its own, to the same tables as on one machine."""

import os
import re
import sys
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from clustered import PIECES, ROOT, Clustered, on_slurm
from toy_slurm import GPU_KIND, Cluster, Unavailable, says

from starts import ENVIRONMENT

pytestmark = pytest.mark.cluster

WITH_GPU = {"encode", "tune_coop", "tune_vpt", "transfer_frozen_coop", "transfer_frozen_vpt", "try_coop", "try_vpt"}
WITHOUT_GPU = {"probe", "similarity"}
# Every interpreter that comes to life says which program it is, and in which job of SLURM.
TELLS = """
import os, sys
with open(os.path.join(os.path.dirname(__file__), f"started-{os.getpid()}"), "w") as file:
    print(sys.executable, os.environ.get("SLURM_JOB_ID", "none"), sep="\\n", file=file)
"""


@pytest.fixture(scope="module")
def cluster():
    started = Cluster(nodes=3, gpus=1)
    try:
        started.__enter__()
    except Unavailable as reason:
        pytest.skip(f"no SLURM cluster: {reason}")
    yield started
    started.__exit__()


@pytest.fixture(scope="module")
def here(tmp_path_factory) -> Clustered:
    """The study on this machine, in pieces of another size."""
    study = Clustered(tmp_path_factory.mktemp("here")).configure()
    study.run("--cores", "2", "--omit-from", "figures", "page")
    return study


@pytest.fixture(scope="module")
def there(cluster, tmp_path_factory) -> Clustered:
    """The study on the cluster."""
    study = Clustered(tmp_path_factory.mktemp("there")).configure(jobs=PIECES)
    study.run(*on_slurm(edited(tmp_path_factory.mktemp("profile"))), "--slurm-keep-successful-logs")
    return study


def edited(folder: Path) -> Path:
    """The profile with what a user edits: the partitions and the kind of GPU that are shown there as examples."""
    text = (ROOT / "profiles" / "slurm" / "profile.yaml").read_text()
    for example in ("slurm_partition: \"'gpu' if", "gpu_model:"):
        text = text.replace(f"# {example}", example)
    (folder / "profile.yaml").write_text(text.replace("'a100'", f"'{GPU_KIND}'"))
    return folder


@pytest.fixture(scope="module")
def jobs(cluster, there) -> list[dict[str, str]]:
    """What SLURM remembers of the study's jobs; `Rule` is without the number of the piece."""
    lines = [dict(re.findall(r"(\S+?)=(\S*)", line)) for line in says("scontrol", "-o", "show", "job").splitlines()]
    return [line | {"Rule": re.sub(r"(_\dof\d)?$", "", line["Comment"].removeprefix("rule_"))} for line in lines]


def test_the_tables_are_those_of_one_machine(here, there):
    expected, found = here.tables(), there.tables()
    assert set(found) == set(expected) and len(found["transfer"]) == 2 * 4 * 6
    for name, table in expected.items():
        pd.testing.assert_frame_equal(found[name], table, rtol=0, atol=1e-4, obj=name)
    assert (there.results / "report.html").exists() and (there.results / "figures").is_dir()


def test_the_work_is_done_on_every_node_and_the_rest_here(cluster, jobs):
    assert {job["NodeList"] for job in jobs} == set(cluster.nodes) and len(cluster.nodes) >= 3
    assert {job["JobState"] for job in jobs} == {"COMPLETED"}
    assert {job["Rule"] for job in jobs} == WITH_GPU | WITHOUT_GPU


def test_jobs_that_run_the_model_are_given_a_gpu_and_no_others(there, jobs):
    asked = {job["Rule"]: (job["Partition"], job.get("TresPerJob")) for job in jobs}
    one_gpu, none = ("gpu", f"gres:gpu:{GPU_KIND}:1"), ("cpu", None)
    assert asked == dict.fromkeys(WITH_GPU, one_gpu) | dict.fromkeys(WITHOUT_GPU, none)
    given = [path.read_text() for path in (there.folder / "logs" / "slurm").rglob("*.log") if "transfer" in str(path)]
    assert len(given) == 4 and all("CUDA_VISIBLE_DEVICES names GPU 0, but torch finds none" in log for log in given)


def test_nothing_is_left_to_do(there):
    assert "Nothing to be done" in there.run(*on_slurm())


def test_jobs_that_start_python_themselves_get_to_the_cells(cluster, tmp_path, monkeypatch):
    """Above, the jobs are forks of a process of the tests; here nothing but what SLURM hands to a job reaches its Python."""
    (tmp_path / "sitecustomize.py").write_text(TELLS)
    monkeypatch.setitem(ENVIRONMENT, "PYTHONPATH", os.pathsep.join([str(tmp_path), *filter(None, [ENVIRONMENT.get("PYTHONPATH")])]))
    study = Clustered(tmp_path / "study").configure(tasks=["shapes", "colors"], methods=["coop"]).started_for_real()
    study.run(*on_slurm(), "--until", "transfer")
    started = [path.read_text().splitlines() for path in tmp_path.glob("started-*")]
    assert {program for program, _ in started} == {sys.executable}
    by_job = Counter(job for _, job in started if job != "none")
    assert len(by_job) == 3 and min(by_job.values()) > 1  # encode, tune and transfer: Snakemake and its script
    assert len([*(study.results / "cells").rglob("*.json")]) == 2 * 4
